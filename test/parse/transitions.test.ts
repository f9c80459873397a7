import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readRing, TRANSITION_SIZE } from '../../src/parse/transitions.ts';

const SIZE = 256;
const RECORD = TRANSITION_SIZE + 8;

type Event = { kind: 'entered' | 'left'; socket: number; of: number };

/** A ring into which a kernel writes: memory that is mapped twice in a row. */
class Ring {
  readonly bytes = new Uint8Array(2 * SIZE);
  readonly data = new DataView(this.bytes.buffer);

  write(position: number, { kind, socket, of }: Event, flags = 0): void {
    const record = new DataView(new ArrayBuffer(RECORD));
    record.setUint32(0, (TRANSITION_SIZE | flags) >>> 0, true);
    record.setUint32(8, socket >>> 0, true);
    record.setUint16(12, socket / 2 ** 32, true);
    record.setUint16(14, 0xffff, true);
    record.setUint32(kind === 'entered' ? 16 : 20, of, true);
    record.setUint8(24, kind === 'entered' ? 1 : 8);
    record.setUint8(25, kind === 'entered' ? 8 : 9);
    for (let index = 0; index < RECORD; index++) {
      const at = (position + index) % SIZE;
      this.bytes[at] = record.getUint8(index);
      this.bytes[at + SIZE] = record.getUint8(index);
    }
  }

  read(from: number, to: number): { events: Event[]; position: number } {
    const events: Event[] = [];
    const position = readRing(this.data, SIZE, from, to, {
      entered: (socket, inode) => events.push({ kind: 'entered', socket, of: inode }),
      left: (socket, pid) => events.push({ kind: 'left', socket, of: pid }),
    });
    return { events, position };
  }
}

const event = fc
  .tuple(fc.constantFrom('entered' as const, 'left' as const), fc.nat(2 ** 31 - 1), fc.nat(2 ** 31 - 1))
  .map(([kind, low, of]): Event => ({ kind, socket: low + 0x8882 * 2 ** 32, of }));

test('what is written is read, across the end of the ring too', () => {
  const start = fc.nat(1000).map((records) => records * RECORD);
  fc.assert(
    fc.property(start, fc.array(event, { maxLength: SIZE / RECORD }), (from, events) => {
      const ring = new Ring();
      events.forEach((it, index) => {
        ring.write(from + index * RECORD, it);
      });
      const to = from + events.length * RECORD;
      assert.deepEqual(ring.read(from, to), { events, position: to });
    }),
  );
});

const ENTRY: Event = { kind: 'entered', socket: 0x8882_0000_0040, of: 7 };

test('a record that is still being written ends the reading, and is read the next time', () => {
  const ring = new Ring();
  ring.write(0, ENTRY);
  ring.write(RECORD, ENTRY, 0x8000_0000);
  assert.deepEqual(ring.read(0, 2 * RECORD), { events: [ENTRY], position: RECORD });
  ring.write(RECORD, ENTRY);
  assert.deepEqual(ring.read(RECORD, 2 * RECORD), { events: [ENTRY], position: 2 * RECORD });
});

test('a record that was taken back is passed over', () => {
  const ring = new Ring();
  ring.write(0, ENTRY, 0x4000_0000);
  ring.write(RECORD, ENTRY);
  assert.deepEqual(ring.read(0, 2 * RECORD), { events: [ENTRY], position: 2 * RECORD });
});

test('whatever is in the ring, reading ends, and never before where it began', () => {
  const bytes = fc.uint8Array({ minLength: 2 * SIZE, maxLength: 2 * SIZE });
  fc.assert(
    fc.property(bytes, fc.nat(100), fc.nat(SIZE), (content, units, length) => {
      const ring = new Ring();
      ring.bytes.set(content);
      const from = units * 8;
      assert.ok(ring.read(from, from + length).position >= from);
    }),
  );
});
