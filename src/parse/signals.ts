import { ParseError } from '../model/errors.ts';

/** Numbers of the signals that a process has handlers for, from the line SigCgt of /proc/PID/status (proc_pid_status(5)). */
export function parseCaughtSignals(status: string, path: string): Set<number> {
  const hex = /^SigCgt:\s*([0-9a-fA-F]{1,32})$/m.exec(status)?.[1];
  if (hex === undefined) throw new ParseError(path, 'no line SigCgt');
  const mask = BigInt(`0x${hex}`);
  const signals = new Set<number>();
  for (let signal = 1; signal <= 128; signal++) if ((mask >> BigInt(signal - 1)) & 1n) signals.add(signal);
  return signals;
}
