import { SystemError } from '../model/errors.ts';
import type { Container } from '../model/process.ts';
import type { Source } from '../model/snapshot.ts';
import type { ContainerNames } from '../parse/container-config.ts';
import type { DiagRequest } from '../parse/inet-diag.ts';
import type { FdTable, Machine, NetNsEntry, NetnsTables, ProcessEntry } from './machine.ts';
import { Tape } from './tape.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Names of the questions, which are also the paths of their files in a recording. */
const question = {
  now: 'now',
  host: 'host.json',
  processes: 'processes.tsv',
  ownNetns: 'own-netns',
  netns: ({ id }: NetNsEntry): string => `netns/${id}/opened`,
  sockstat: ({ id }: NetNsEntry): string => `netns/${id}/sockstat.json`,
  dump: ({ id }: NetNsEntry, { states, family, tcpInfo }: DiagRequest): string =>
    `netns/${id}/dump-${states.toString(16)}-${family ?? 'both'}${tcpInfo ? '-info' : ''}.bin`,
  fds: (pid: number): string => `fds/${pid}.tsv`,
  protocol: (pid: number, fd: number): string => `protocols/${pid}-${fd}`,
  cgroup: (id: bigint): string => `cgroups/${id}`,
  container: (id: string): string => `containers/${id}.json`,
  file: (path: string): string => `files${path}`,
  head: (path: string): string => `heads${path}`,
  link: (path: string): string => `links${path}`,
};

/** Asks a machine and keeps every answer. */
export class RecordingMachine implements Machine {
  readonly tape = new Tape();
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  get source(): Source {
    return this.#machine.source;
  }

  #keep<T>(name: string, ask: () => T, encode: (value: T) => Uint8Array | string): T {
    try {
      const value = ask();
      const bytes = encode(value);
      this.tape.add(name, { bytes: typeof bytes === 'string' ? encoder.encode(bytes) : bytes });
      return value;
    } catch (error) {
      if (error instanceof SystemError) this.tape.add(name, { refused: error.code });
      throw error;
    }
  }

  now(): number {
    return this.#keep(question.now, () => this.#machine.now(), String);
  }

  host(): { name: string; kernel: string } {
    return this.#keep(question.host, () => this.#machine.host(), JSON.stringify);
  }

  processes(): ProcessEntry[] {
    return this.#keep(question.processes, () => this.#machine.processes(), encodeProcesses);
  }

  ownNetns(): number {
    return this.#keep(question.ownNetns, () => this.#machine.ownNetns(), String);
  }

  openNetns(entry: NetNsEntry): NetnsTables {
    const tables = this.#keep(
      question.netns(entry),
      () => this.#machine.openNetns(entry),
      () => '',
    );
    return {
      sockstat: () => this.#keep(question.sockstat(entry), () => tables.sockstat(), JSON.stringify),
      dump: (request, sink) => {
        const datagrams: Uint8Array[] = [];
        this.#keep(
          question.dump(entry, request),
          () =>
            tables.dump(request, (bytes, length) => {
              datagrams.push(withLength(bytes.subarray(0, length)));
              return sink(bytes, length);
            }),
          () => Buffer.concat(datagrams),
        );
      },
      close: () => tables.close(),
    };
  }

  fdTable(pid: number): FdTable {
    return this.#keep(question.fds(pid), () => this.#machine.fdTable(pid), encodeFdTable);
  }

  socketProtocol(pid: number, fd: number): string {
    return this.#keep(question.protocol(pid, fd), () => this.#machine.socketProtocol(pid, fd), String);
  }

  cgroupPids(id: bigint): number[] {
    return this.#keep(
      question.cgroup(id),
      () => this.#machine.cgroupPids(id),
      (pids) => pids.join('\n'),
    );
  }

  containerNames(container: Pick<Container, 'engine' | 'id'>): ContainerNames {
    return this.#keep(question.container(container.id), () => this.#machine.containerNames(container), JSON.stringify);
  }

  read(path: string): Uint8Array {
    return this.#keep(
      question.file(path),
      () => this.#machine.read(path),
      (bytes) => bytes,
    );
  }

  readHead(path: string, length: number): Uint8Array {
    return this.#keep(
      question.head(path),
      () => this.#machine.readHead(path, length),
      (bytes) => bytes,
    );
  }

  link(path: string): string {
    return this.#keep(question.link(path), () => this.#machine.link(path), String);
  }
}

/** Answers from a tape. What is not on it is refused like a file that does not exist. */
export class ReplayingMachine implements Machine {
  readonly source: Source;
  readonly #tape: Tape;

  constructor(tape: Tape, path: string) {
    this.#tape = tape;
    this.source = { kind: 'recording', path };
  }

  #text(name: string): string {
    return decoder.decode(this.#tape.next(name));
  }

  now(): number {
    return Number(this.#text(question.now));
  }

  host(): { name: string; kernel: string } {
    return JSON.parse(this.#text(question.host));
  }

  processes(): ProcessEntry[] {
    return decodeProcesses(this.#text(question.processes));
  }

  ownNetns(): number {
    return Number(this.#text(question.ownNetns));
  }

  openNetns(entry: NetNsEntry): NetnsTables {
    this.#tape.next(question.netns(entry));
    return {
      sockstat: () => JSON.parse(this.#text(question.sockstat(entry))),
      dump: (request, sink) => {
        const bytes = this.#tape.next(question.dump(entry, request));
        for (const datagram of datagramsOf(bytes)) if (!sink(datagram, datagram.length)) return;
        throw new SystemError('ENODATA', `${question.dump(entry, request)} ends before its dump does`);
      },
      close: () => {},
    };
  }

  fdTable(pid: number): FdTable {
    return decodeFdTable(this.#text(question.fds(pid)));
  }

  socketProtocol(pid: number, fd: number): string {
    return this.#text(question.protocol(pid, fd));
  }

  cgroupPids(id: bigint): number[] {
    return this.#text(question.cgroup(id)).split('\n').filter(Boolean).map(Number);
  }

  containerNames({ id }: Pick<Container, 'engine' | 'id'>): ContainerNames {
    return JSON.parse(this.#text(question.container(id)));
  }

  read(path: string): Uint8Array {
    return this.#tape.next(question.file(path));
  }

  readHead(path: string): Uint8Array {
    return this.#tape.next(question.head(path));
  }

  link(path: string): string {
    return this.#text(question.link(path));
  }
}

/** A datagram with its length before it, as four bytes, so that the dump can be taken apart again. */
function withLength(datagram: Uint8Array): Uint8Array {
  const framed = Buffer.allocUnsafe(4 + datagram.length);
  framed.writeUInt32LE(datagram.length, 0);
  framed.set(datagram, 4);
  return framed;
}

function* datagramsOf(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let offset = 0; offset + 4 <= bytes.length; ) {
    const length = view.getUint32(offset, true);
    yield bytes.subarray(offset + 4, Math.min(bytes.length, offset + 4 + length));
    offset += 4 + length;
  }
}

const field = (value: number | undefined): string => (value === undefined ? '-' : String(value));
const unfield = (text: string | undefined): number | undefined =>
  text === undefined || text === '-' ? undefined : Number(text);

const encodeProcesses = (entries: ProcessEntry[]): string =>
  entries.map(({ pid, netns, uid, fdCount }) => [pid, field(netns), field(uid), field(fdCount)].join('\t')).join('\n');

function decodeProcesses(text: string): ProcessEntry[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [pid, ...rest] = line.split('\t');
      const [netns, uid, fdCount] = rest.map(unfield);
      return {
        pid: Number(pid),
        ...(netns !== undefined && { netns }),
        ...(uid !== undefined && { uid }),
        ...(fdCount !== undefined && { fdCount }),
      };
    });
}

/** The number of descriptors, then `inode fd fd ...` for each socket. */
const encodeFdTable = ({ count, sockets }: FdTable): string =>
  [String(count), ...[...sockets.keys()].map((inode) => [inode, ...(sockets.get(inode) ?? [])].join('\t'))].join('\n');

function decodeFdTable(text: string): FdTable {
  const [count, ...lines] = text.split('\n');
  const sockets = lines.map((line): [number, number[]] => {
    const [inode, ...fds] = line.split('\t').map(Number);
    return [inode ?? 0, fds];
  });
  return { count: Number(count), sockets: new Map(sockets) };
}
