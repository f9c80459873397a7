import { integer } from '../rows.ts';

const SIGQUIT = 3;

/** Whether a process has a handler for SIGQUIT, and its effective group, from the text of /proc/PID/status. */
export function parseSignalStatus(text: string, path: string): { catchesQuit?: boolean; gid?: number } {
  const caught = /^SigCgt:\s*([0-9a-f]{1,32})$/m.exec(text)?.[1];
  const gid = /^Gid:\s*[0-9]+\s+([0-9]+)/m.exec(text)?.[1];
  return {
    ...(caught !== undefined && { catchesQuit: (BigInt(`0x${caught}`) & (1n << BigInt(SIGQUIT - 1))) !== 0n }),
    ...(gid !== undefined && { gid: integer(gid, 10, path) }),
  };
}
