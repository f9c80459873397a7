import { SystemError } from '../model/errors.ts';
import type { Container } from '../model/process.ts';
import type { Source } from '../model/snapshot.ts';
import type { ContainerNames } from '../parse/container-config.ts';
import { HELD_SIZE } from '../parse/held-socket.ts';
import {
  decodeDatagrams,
  decodeFdOwners,
  decodeFdTable,
  decodeHeldFacts,
  decodeNumber,
  decodeProcesses,
  foreign,
  parseHeld,
  question,
} from './answers.ts';
import type {
  FdOwner,
  FdTable,
  HeldAnswer,
  HeldRequest,
  Host,
  Machine,
  NetNsEntry,
  NetnsTables,
  ProcessEntry,
} from './machine.ts';
import type { Tape } from './tape.ts';

const decoder = new TextDecoder();

/** The look of a report can differ from that of the recording: what was asked then may hold more than is asked now. */
function heldThatCovers(asked: HeldRequest[], { states, pid }: HeldRequest): HeldRequest | undefined {
  const covering = asked.filter((it) => (it.states & states) === states);
  return covering.find((it) => it.pid === pid) ?? covering.find((it) => it.pid === undefined) ?? covering[0];
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

  #json(name: string): Record<string, unknown> {
    try {
      const value: unknown = JSON.parse(this.#text(name));
      if (typeof value === 'object' && value !== null) return { ...value };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw foreign(name);
  }

  now(): number {
    return decodeNumber(this.#text(question.now), question.now);
  }

  pause(): void {}

  host(): Host {
    const { name, kernel, arch } = this.#json(question.host);
    return { name: String(name), kernel: String(kernel), arch: String(arch) };
  }

  processes(): ProcessEntry[] {
    return decodeProcesses(this.#text(question.processes));
  }

  fdOwners(pids: number[]): Map<number, FdOwner> {
    const owners = decodeFdOwners(this.#text(question.fdOwners));
    return new Map([...owners].filter(([pid]) => pids.includes(pid)));
  }

  ownNetns(): number {
    return decodeNumber(this.#text(question.ownNetns), question.ownNetns);
  }

  openNetns(entry: NetNsEntry): NetnsTables {
    this.#tape.next(question.netns(entry));
    return {
      sockstat: () => {
        const { v4, v6 } = this.#json(question.sockstat(entry));
        return { v4: String(v4), v6: String(v6) };
      },
      dump: (request, sink) => {
        const bytes = this.#tape.next(question.dump(entry, request));
        for (const datagram of decodeDatagrams(bytes)) if (!sink(datagram, datagram.length)) return;
        throw new SystemError('ENODATA', `${question.dump(entry, request)} ends before its dump does`);
      },
      close: () => {},
    };
  }

  heldSockets(request: HeldRequest): HeldAnswer {
    const asked = this.#tape.questions().flatMap((name) => parseHeld(name) ?? []);
    const name = question.held(heldThatCovers(asked, request) ?? request);
    const bytes = this.#tape.next(name);
    if (bytes.length % HELD_SIZE !== 0) throw foreign(name);
    const facts = name.replace(/bin$/, 'json');
    return { bytes, facts: decodeHeldFacts(this.#json(facts), facts) };
  }

  fdTable(pid: number): FdTable {
    return decodeFdTable(this.#text(question.fds(pid)), question.fds(pid));
  }

  socketProtocol(pid: number, fd: number): string {
    return this.#text(question.protocol(pid, fd));
  }

  cgroupPids(id: bigint): number[] {
    return this.#text(question.cgroup(id))
      .split('\n')
      .filter(Boolean)
      .map((pid) => decodeNumber(pid, question.cgroup(id)));
  }

  parameters(entry: NetNsEntry): Record<string, string> {
    return textsOf(this.#json(question.parameters(entry)));
  }

  containerNames({ id }: Pick<Container, 'engine' | 'id'>): ContainerNames {
    const { name, pod, engine } = this.#json(question.container(id));
    return {
      ...textsOf({ name }),
      ...(typeof pod === 'object' && { pod: textsOf(pod) }),
      ...(engine === 'docker' && { engine }),
    };
  }

  read(path: string): Uint8Array {
    return this.#tape.next(question.file(path));
  }

  readHead(path: string): Uint8Array {
    return this.#tape.next(question.head(path));
  }

  list(path: string): string[] {
    return this.#text(question.list(path)).split('\n').filter(Boolean);
  }

  link(path: string): string {
    return this.#text(question.link(path));
  }
}

const textsOf = (value: unknown): Record<string, string> =>
  Object.fromEntries(Object.entries(value ?? {}).filter(([, text]) => typeof text === 'string'));
