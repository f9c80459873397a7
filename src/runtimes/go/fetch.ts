import { type Ran, type RunOptions, run } from '../run.ts';
import type { Subject } from '../subject.ts';

/** 30 frames of 100,000 goroutines are 200 MB; net/http/pprof itself cuts at 64 MB. */
const MOST_BYTES = 80 << 20;

/**
 * A process of its own, for it may have to be in another network namespace. The address is no argument: it may hold a password,
 * and arguments are for everybody to see.
 */
const CHILD = `
const url = process.env.UNCLOSED_URL;
const { get } = require(url.startsWith('https:') ? 'https' : 'http');
get(url, { agent: false }, (answer) => {
  process.stdout.write(answer.statusCode + '\\n');
  answer.pipe(process.stdout);
}).on('error', (error) => {
  process.stderr.write(error.code || error.message);
  process.exitCode = 1;
});`;

/** The text behind an address, or why there is none. `inside`: as seen in the network namespace of the process. */
export async function fetchText(
  { process: { pid, netns }, signal }: Subject,
  url: string,
  { inside, timeoutMs }: { inside: boolean; timeoutMs: number },
): Promise<{ text: string } | { why: string }> {
  const options: RunOptions = {
    timeoutMs,
    mostBytes: MOST_BYTES,
    signal,
    env: { UNCLOSED_URL: url, NODE_OPTIONS: '' },
  };
  const start = (): Promise<Ran> => run(process.execPath, ['-e', CHILD], options);
  let ran: Ran;
  try {
    ran = await (inside && netns !== undefined ? startIn(netns, pid, start) : start());
  } catch (error) {
    return { why: (error as Error).message };
  }
  if (ran.why !== undefined) return { why: ran.why };
  if (ran.code !== 0) return { why: ran.err.trim() || `ended with ${ran.code}` };
  const newline = ran.out.indexOf(0x0a);
  const status = ran.out.subarray(0, newline).toString();
  if (status !== '200') return { why: `HTTP status ${status}` };
  return { text: ran.out.subarray(newline + 1).toString() };
}

/** A process is in the namespaces of the thread that starts it. */
async function startIn<T>(netns: number, pid: number, start: () => Promise<T>): Promise<T> {
  const { inNetns } = await import('../../kernel/fast.ts');
  // The promise comes back from there, and not what it will be: the thread returns home as soon as the child is started.
  const { ran } = inNetns(netns, `/proc/${pid}/ns/net`, () => ({ ran: start() }));
  return ran;
}
