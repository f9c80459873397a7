import { integer } from '../rows.ts';
import { parseCaughtSignals } from '../signals.ts';

const SIGQUIT = 3;

/** Whether a process has a handler for SIGQUIT, and its effective group, from the text of /proc/PID/status. */
export function parseSignalStatus(text: string, path: string): { catchesQuit?: boolean; gid?: number } {
  const gid = /^Gid:\s*[0-9]+\s+([0-9]+)/m.exec(text)?.[1];
  return {
    ...(/^SigCgt:/m.test(text) && { catchesQuit: parseCaughtSignals(text, path).has(SIGQUIT) }),
    ...(gid !== undefined && { gid: integer(gid, 10, path) }),
  };
}
