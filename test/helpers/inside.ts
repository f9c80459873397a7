import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { Frame, Inside, SocketObject, Strand } from '../../src/model/inside.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import type { TcpSocket } from '../../src/model/socket.ts';

// What was seen inside a process, in small: a test names only what it is about.

export const inside = (fields: Partial<Inside> = {}): Inside => ({
  depth: 'read',
  attachments: [],
  gaps: [],
  ...fields,
});

/** `Cache.get app/cache.py:31` is the program's own; with `lib ` or `run ` before it a library's or the runtime's. */
export function frame(text: string): Frame {
  const [, mark, name = '', file, line] = /^(lib |run )?(\S+)(?: (\S+?)(?::([0-9]+))?)?$/.exec(text) ?? [];
  return {
    function: name,
    ...(file !== undefined && { file }),
    ...(line !== undefined && { line: Number(line) }),
    origin: mark === 'lib ' ? 'library' : mark === 'run ' ? 'runtime' : 'application',
  };
}

export const strand = (frames: string[], fields: Partial<Strand> = {}): Strand => ({
  kind: 'thread',
  frames: frames.map(frame),
  ...fields,
});

/** The object that stands for the i-th of the stuck sockets of a scene, whose descriptors begin at 10. */
export const objectFor = (i: number, { peer }: TcpSocket, fields: Partial<SocketObject> = {}): SocketObject => ({
  type: 'net.Socket',
  fd: 10 + i,
  peer,
  ...fields,
});

export const findingsWith = (seen: Inside, snapshot: Snapshot, pid = 812): Finding[] =>
  diagnose(snapshot, undefined, new Map([[pid, seen]])).findings;
