export type ArchivedFile = { name: string; data: string | Uint8Array };

const BLOCK = 512;
const encoder = new TextEncoder();

/** An archive in the pax format (POSIX.1-2017, pax, "ustar Interchange Format"), whose files only their owner may read. */
export function tarOf(files: readonly ArchivedFile[], modifiedAt: number): Uint8Array {
  const blocks = files.flatMap(({ name, data }) => {
    const bytes = typeof data === 'string' ? encoder.encode(data) : data;
    return [...longName(name, modifiedAt), header(name, '0', bytes.length, modifiedAt), ...padded(bytes)];
  });
  blocks.push(new Uint8Array(2 * BLOCK));
  const archive = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const block of blocks) {
    archive.set(block, offset);
    offset += block.length;
  }
  return archive;
}

// Fields of a header: offset and length.
const NAME = [0, 100] as const;
const MODE = [100, 8] as const;
const UID = [108, 8] as const;
const GID = [116, 8] as const;
const SIZE = [124, 12] as const;
const MTIME = [136, 12] as const;
const CHECKSUM = [148, 8] as const;
const TYPE = [156, 1] as const;
const MAGIC = [257, 8] as const;

function header(name: string, type: '0' | 'x', size: number, modifiedAt: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = ([offset, length]: readonly [number, number], text: string): void =>
    block.set(encoder.encode(text).subarray(0, length), offset);
  const octal = (field: readonly [number, number], value: number): void =>
    put(field, `${value.toString(8).padStart(field[1] - 1, '0')}\0`);
  put(NAME, name);
  octal(MODE, 0o600);
  octal(UID, 0);
  octal(GID, 0);
  octal(SIZE, size);
  octal(MTIME, Math.trunc(modifiedAt / 1000));
  put(TYPE, type);
  put(MAGIC, 'ustar\u000000');
  // It is the sum of all bytes, its own field taken for spaces.
  put(CHECKSUM, ' '.repeat(CHECKSUM[1]));
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(CHECKSUM, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** A record that gives the next file its name, where that has no room in the header. */
function longName(name: string, modifiedAt: number): Uint8Array[] {
  if (encoder.encode(name).length <= NAME[1]) return [];
  const record = encoder.encode(paxRecord('path', name));
  return [header('PaxHeaders/name', 'x', record.length, modifiedAt), ...padded(record)];
}

/** `30 path=...\n`: the number counts all bytes of the record, its own digits among them. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const { length } = encoder.encode(rest);
  const digits = String(length + String(length).length).length;
  return `${length + digits}${rest}`;
}

const padded = (bytes: Uint8Array): Uint8Array[] => [bytes, new Uint8Array((BLOCK - (bytes.length % BLOCK)) % BLOCK)];
