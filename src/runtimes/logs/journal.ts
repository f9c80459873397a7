import { existsSync } from 'node:fs';
import { run } from '../run.ts';

/** Newest lines of a unit, and bytes of them, that are asked for. */
const MOST_LINES = 5000;
const MOST_BYTES = 16 << 20;
const TIMEOUT_MS = 3000;

/** Whether journald is at work here: without it, journalctl would look for nothing. */
export const hasJournal = (): boolean => existsSync('/run/systemd/journal/socket');

/** The newest lines of a unit as JSON, or why there are none. */
export async function readJournal(unit: string, signal: AbortSignal): Promise<{ text: string } | { why: string }> {
  const args = ['-u', unit, '-o', 'json', '-n', String(MOST_LINES), '--no-pager', '-q'];
  const fields = '--output-fields=MESSAGE,__REALTIME_TIMESTAMP';
  const options = { timeoutMs: TIMEOUT_MS, mostBytes: MOST_BYTES, signal };
  const { code, out, err, why } = await run('journalctl', [...args, fields], options);
  if (why !== undefined) return { why };
  if (code !== 0) return { why: err.trim().split('\n')[0] || `journalctl ended with ${code}` };
  return { text: out.toString('latin1') };
}
