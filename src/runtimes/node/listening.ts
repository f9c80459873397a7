import { closeSync, openSync, readSync } from 'node:fs';
import { attempt } from '../../kernel/attempt.ts';
import type { Machine } from '../../kernel/machine.ts';
import { SystemError } from '../../model/errors.ts';
import type { Endpoint } from '../../model/socket.ts';
import { parseProcNetTcpRow } from '../../parse/proc-net.ts';

/** Where someone listens, with the inode of the socket. */
export type Listening = Endpoint & { inode: number };

/** The listeners of the network namespace of a process: they come first in these files, which can be long. */
export function readListening(pid: number): Listening[] {
  return ['tcp', 'tcp6'].flatMap((name) => attempt(() => listenersIn(`/proc/${pid}/net/${name}`)) ?? []);
}

const PIECE = 65_536;

function listenersIn(path: string): Listening[] {
  const found: Listening[] = [];
  for (const line of linesOf(path)) {
    const row = attempt(() => parseProcNetTcpRow(line, path));
    if (row && row.state !== 'LISTEN') break;
    if (row) found.push({ ...row.local, inode: row.inode });
  }
  return found;
}

function* linesOf(path: string): Generator<string> {
  const fd = opened(path);
  try {
    const piece = Buffer.alloc(PIECE);
    let rest = '';
    let isHeader = true;
    for (let length = readSync(fd, piece); length > 0; length = readSync(fd, piece)) {
      const lines = (rest + piece.toString('latin1', 0, length)).split('\n');
      rest = lines.pop() ?? '';
      yield* isHeader ? lines.slice(1) : lines;
      isHeader = false;
    }
  } finally {
    closeSync(fd);
  }
}

function opened(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new SystemError((error as NodeJS.ErrnoException).code ?? 'EIO', `open ${path}`);
  }
}

/** Those of them that a process holds. */
export function heldBy(machine: Machine, pid: number, listening: readonly Listening[]): Listening[] {
  if (listening.length === 0) return [];
  const { sockets } = machine.fdTable(pid);
  return listening.filter(({ inode }) => sockets.has(inode));
}

/** Whether 127.0.0.1 cannot be listened on at this port. */
export const isTaken = (listening: readonly Listening[], port: number): boolean =>
  listening.some((it) => it.port === port && /^(?:127\.0\.0\.1|0\.0\.0\.0|::)$/.test(it.address));
