import { endsOf, type PortNames } from './endpoint.ts';
import type { LineReading } from './row.ts';
import { parseState } from './state.ts';

const ROW = /^\s*TCP\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+([0-9]+))?(?:\s+\S+)?\s*$/;
const OTHER = /^\s*UDP\s+\S+:\S+\s+\S+/;

/** A row of netstat on Windows: Proto, Local Address, Foreign Address, State, with -o PID. It has no queues. */
export function readWindowsLine(text: string, line: number, ports: PortNames): LineReading {
  const match = ROW.exec(text);
  if (!match) return OTHER.test(text) ? 'noise' : undefined;
  const [, local = '', foreign = '', word = '', pid] = match;
  const state = parseState(word);
  const ends = endsOf(local, foreign, ':', ports);
  if (!state || !ends) return undefined;
  return {
    line,
    ...ends,
    state,
    ...(pid !== undefined && { holders: [{ pid: Number(pid) }] }),
  };
}

/** The line that `netstat -b` prints below a row: ` [java.exe]`. */
export const readWindowsProgram = (text: string): string | undefined => /^\s*\[([^\]]{1,260})\]\s*$/.exec(text)?.[1];

/** Below a row with -b: the service's name, or that there are no rights. */
export const isWindowsComment = (text: string): boolean =>
  /^\s{1,3}[\w-]{1,64}$/.test(text) || /Can not obtain ownership information|x: Windows Sockets/.test(text);
