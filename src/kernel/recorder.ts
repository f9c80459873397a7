import { SystemError } from '../model/errors.ts';
import type { Container } from '../model/process.ts';
import type { Source } from '../model/snapshot.ts';
import type { ContainerNames } from '../parse/container-config.ts';
import { encodeDatagram, encodeFdOwners, encodeFdTable, encodeProcesses, question } from './answers.ts';
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
import { Tape } from './tape.ts';

const encoder = new TextEncoder();

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
      if (error instanceof SystemError) this.tape.add(name, { refused: `${error.code} ${error.call}` });
      throw error;
    }
  }

  now(): number {
    return this.#keep(question.now, () => this.#machine.now(), String);
  }

  pause(milliseconds: number): void {
    this.#machine.pause(milliseconds);
  }

  host(): Host {
    return this.#keep(question.host, () => this.#machine.host(), JSON.stringify);
  }

  processes(): ProcessEntry[] {
    return this.#keep(question.processes, () => this.#machine.processes(), encodeProcesses);
  }

  fdOwners(pids: number[]): Map<number, FdOwner> {
    return this.#keep(question.fdOwners, () => this.#machine.fdOwners(pids), encodeFdOwners);
  }

  ownNetns(): number {
    return this.#keep(question.ownNetns, () => this.#machine.ownNetns(), String);
  }

  openNetns(entry: NetNsEntry, path: string): NetnsTables {
    const tables = this.#keep(
      question.netns(entry),
      () => this.#machine.openNetns(entry, path),
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
              datagrams.push(encodeDatagram(bytes.subarray(0, length)));
              return sink(bytes, length);
            }),
          () => Buffer.concat(datagrams),
        );
      },
      close: () => tables.close(),
    };
  }

  heldSockets(request: HeldRequest): HeldAnswer {
    const answer = this.#keep(
      question.held(request),
      () => this.#machine.heldSockets(request),
      ({ bytes }) => bytes,
    );
    this.#keep(question.heldFacts(request), () => answer.facts, JSON.stringify);
    return answer;
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

  parameters(entry: NetNsEntry, path: string, names: readonly string[]): Record<string, string> {
    return this.#keep(question.parameters(entry), () => this.#machine.parameters(entry, path, names), JSON.stringify);
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

  list(path: string): string[] {
    return this.#keep(
      question.list(path),
      () => this.#machine.list(path),
      (names) => names.join('\n'),
    );
  }

  link(path: string): string {
    return this.#keep(question.link(path), () => this.#machine.link(path), String);
  }
}
