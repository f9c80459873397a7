import { attempt } from '../../kernel/attempt.ts';
import { type Machine, type NetNsEntry, type NetnsTables, OWN_NETNS } from '../../kernel/machine.ts';
import { dumpTable, readTextTable } from '../../kernel/tables.ts';
import { SystemError } from '../../model/errors.ts';
import type { Endpoint, Listener } from '../../model/socket.ts';
import { stateMask } from '../../parse/inet-diag.ts';

/** Who listens in the network namespace of a process, asked again and again. */
export class Listening {
  readonly netns: { id: number; own: number };
  readonly #machine: Machine;
  readonly #pid: number;
  readonly #entry: NetNsEntry;
  readonly #tables: NetnsTables | undefined;

  constructor(machine: Machine, pid: number) {
    this.#machine = machine;
    this.#pid = pid;
    const own = machine.ownNetns();
    const link = machine.link(`/proc/${pid}/ns/net`);
    const id = Number(/^net:\[([0-9]+)\]$/.exec(link)?.[1]);
    if (!Number.isSafeInteger(id)) throw new SystemError('ENOENT', `/proc/${pid}/ns/net`);
    const path = id === own ? OWN_NETNS : `/proc/${pid}/ns/net`;
    this.netns = { id, own };
    this.#entry = { id, paths: [path], pids: [pid] };
    this.#tables = attempt(() => machine.openNetns(this.#entry, path));
  }

  /** All of the namespace. Over netlink that is one table; in the text files it stands before all connections, which takes 50 ms. */
  read(): Listener[] {
    const { id } = this.#entry;
    const listen = { states: stateMask('LISTEN'), tcpInfo: false };
    return (this.#tables ? dumpTable(this.#tables, id, listen) : readTextTable(this.#machine, this.#entry)).listeners;
  }

  /** Those of them that the process holds. */
  held(listeners: readonly Listener[]): Listener[] {
    if (listeners.length === 0) return [];
    const { sockets } = this.#machine.fdTable(this.#pid);
    return listeners.filter(({ inode }) => inode !== undefined && sockets.has(inode));
  }

  close(): void {
    this.#tables?.close();
  }
}

/** Whether 127.0.0.1 cannot be listened on at this port. */
export const isTaken = (listeners: readonly Listener[], port: number): boolean =>
  listeners.some(({ local }) => local.port === port && /^(?:127\.0\.0\.1|0\.0\.0\.0|::)$/.test(local.address));

export const isAt = ({ local }: Listener, { address, port }: Endpoint): boolean =>
  local.port === port && local.address === address;
