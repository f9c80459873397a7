import type { Machine } from '../kernel/machine.ts';
import type { Depth } from '../model/inside.ts';
import type { Process } from '../model/process.ts';
import type { TcpSocket } from '../model/socket.ts';

/** A process that is to be looked into, and how far one may go. */
export type Subject = {
  machine: Machine;
  /** With its threads, its sockets by descriptor, its start. */
  process: Process;
  /** In the words of Node.js: x64, arm64. */
  arch: string;
  /** The TCP sockets that it holds, in all states. */
  sockets: readonly TcpSocket[];
  depth: Depth;
  /** Says in one sentence what is about to be done to the process, and what pause to expect. Called before it is done. */
  announce(sentence: string): void;
  /** Ends everything early: what was made is cleaned up, and what is known by then is given. */
  signal: AbortSignal;
};
