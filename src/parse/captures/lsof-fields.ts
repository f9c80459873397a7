import type { PortNames } from './endpoint.ts';
import { inFamily, readDevice, readName, unescapeName } from './lsof.ts';
import type { CapturedHolder, CaptureRow } from './row.ts';
import { parseState } from './state.ts';

/** A line of `lsof -F`: one letter that names the field, and its value (lsof(8), OUTPUT FOR OTHER PROGRAMS). */
const FIELD = /^[acCdDfFgGiKklLmMnNopPrRsStTuzZ](?:\0|$|\S|\s)/;

/** Puts the fields of `lsof -F` together: those of a process begin with p, those of a descriptor with f. */
export class LsofFields {
  readonly #ports: PortNames;
  #process: CapturedHolder | undefined;
  #descriptor: Descriptor | undefined;

  constructor(ports: PortNames) {
    this.#ports = ports;
  }

  /** Whether somebody's fields may go on here. */
  get open(): boolean {
    return this.#process !== undefined;
  }

  /** Whether the line begins the fields of a process: where the format begins. */
  static begins(text: string): boolean {
    return /^p[0-9]{1,10}(?:\0|$)/.test(text);
  }

  /** The row that ended with this line, if one did; nothing for a line that is no field. */
  read(text: string, line: number): { row?: CaptureRow } | undefined {
    if (!FIELD.test(text)) return undefined;
    let row: CaptureRow | undefined;
    for (const field of text.includes('\0') ? text.split('\0') : [text]) {
      if (field !== '') row = this.#field(field, line) ?? row;
    }
    return row ? { row } : {};
  }

  #field(field: string, line: number): CaptureRow | undefined {
    const value = field.slice(1);
    const key = field[0];
    if (key === 'p') {
      const row = this.#end();
      this.#process = { pid: Number(value) };
      return row;
    }
    if (key === 'f') {
      const row = this.#end();
      this.#descriptor = { line, fd: value };
      return row;
    }
    const process = this.#process;
    if (process && !this.#descriptor) {
      if (key === 'c') process.name = unescapeName(value);
      else if (key === 'L') process.user = value;
      else if (key === 'u' && /^[0-9]{1,10}$/.test(value)) process.uid = Number(value);
    }
    if (this.#descriptor && key !== undefined) addField(this.#descriptor, key, value);
    return undefined;
  }

  /** The last row; what follows is something else. */
  close(): CaptureRow | undefined {
    const row = this.#end();
    this.#process = undefined;
    return row;
  }

  /** The row of the descriptor that is open, at the end of its fields. */
  #end(): CaptureRow | undefined {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    return this.#process && descriptor ? rowOf(this.#process, descriptor, this.#ports) : undefined;
  }
}

/** What is known of a descriptor of lsof -F or -J, as text. */
export type Descriptor = {
  line: number;
  fd?: string;
  type?: string;
  device?: string;
  inode?: string;
  protocol?: string;
  name?: string;
  state?: string;
  recvQueue?: string;
  sendQueue?: string;
};

const KEYS: Record<string, 'type' | 'device' | 'inode' | 'protocol' | 'name'> = {
  t: 'type',
  d: 'device',
  i: 'inode',
  P: 'protocol',
  n: 'name',
};

function addField(descriptor: Descriptor, key: string, value: string): void {
  const name = KEYS[key];
  if (name) descriptor[name] = value;
  else if (key === 'T' && value.startsWith('ST=')) descriptor.state = value.slice(3);
  else if (key === 'T' && value.startsWith('QR=')) descriptor.recvQueue = value.slice(3);
  else if (key === 'T' && value.startsWith('QS=')) descriptor.sendQueue = value.slice(3);
}

/** The socket of a descriptor, when it is one of TCP. */
export function rowOf(process: CapturedHolder, descriptor: Descriptor, ports: PortNames): CaptureRow | undefined {
  const {
    line,
    fd = '',
    type = '',
    device,
    inode,
    protocol,
    name = '',
    state: word,
    recvQueue,
    sendQueue,
  } = descriptor;
  const number = /^[0-9]{1,10}$/.test(fd) ? Number(fd) : undefined;
  const holders = [{ ...process, ...(number !== undefined && { fd: number }) }];
  if (/^protocol: TCP(?:v6)?$/.test(name)) {
    return { line, closed: true, holders, ...(/^[0-9]{1,15}$/.test(inode ?? '') && { inode: Number(inode) }) };
  }
  if (protocol !== undefined && protocol !== 'TCP') return undefined;
  const state = parseState(word ?? '');
  if (protocol === undefined && state === undefined) return undefined;
  const ends = readName(name, ports);
  if (!ends) return undefined;
  const { incomplete: _unknown, ...known } = ends;
  const family = type === '' ? known.family : type.endsWith('6') ? 6 : 4;
  return {
    line,
    ...(family ? inFamily(known, family) : known),
    ...(state && { state }),
    ...(device !== undefined && readDevice(device)),
    ...queue('recvQueue', recvQueue),
    ...queue('sendQueue', sendQueue),
    holders,
  };
}

const queue = (key: 'recvQueue' | 'sendQueue', text: string | undefined): Partial<CaptureRow> =>
  text !== undefined && /^[0-9]{1,12}$/.test(text) ? { [key]: Number(text) } : {};
