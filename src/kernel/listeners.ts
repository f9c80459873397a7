import type { Process } from '../model/process.ts';
import { type Listener, TCP_STATE } from '../model/socket.ts';
import { attempt } from './attempt.ts';
import { type Machine, type NetNsEntry, OWN_NETNS } from './machine.ts';
import { dumpTable } from './tables.ts';

/** The listening sockets that a process holds; undefined when they may not be asked for. */
export function listenersOf(machine: Machine, { pid, netns, sockets }: Process): Listener[] | undefined {
  if (netns === undefined || !sockets) return undefined;
  return attempt(() => {
    const path = machine.ownNetns() === netns ? OWN_NETNS : `/proc/${pid}/ns/net`;
    const entry: NetNsEntry = { id: netns, paths: [path], pids: [pid] };
    const tables = machine.openNetns(entry, path);
    try {
      const { listeners } = dumpTable(tables, netns, { states: 1 << TCP_STATE.LISTEN, tcpInfo: false });
      return listeners.filter(({ inode }) => inode !== undefined && sockets.has(inode));
    } finally {
      tables.close();
    }
  });
}
