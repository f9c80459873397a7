import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const BIN = fileURLToPath(new URL('../../src/bin.ts', import.meta.url));

export type Run = { code: number | null; stdout: string; stderr: string };

/** Runs the command line as a process of its own, with its output on a pipe. */
export const unclosed = (...args: string[]): Promise<Run> => run(process.execPath, [BIN, ...args]);

/** Ends it with SIGTERM when `timeout` milliseconds are over. */
export function run(program: string, args: string[], timeout?: number): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

export type JsonFinding = {
  severity: string;
  cause: string;
  confidence: string;
  holder: {
    pid: number;
    name: string;
    runtime: string;
    libraries: { name: string; version: string | null }[];
    state: string;
  } | null;
  listener?: { port: number; queue: number; limit: number; pid: number | null };
  direction: string | null;
  sockets: number;
  stuck: number;
  maybe_stuck: number;
  connections: number | null;
  age: { oldest: number; youngest: number; exact: boolean } | null;
  fds: { open: number; limit: number } | null;
  peers: { address: string; port: number | null; sockets: number; process: { pid: number; name: string } | null }[];
  co_holders: { pid: number; sockets: number }[];
};

export type JsonSocket = {
  netns: number;
  local: { address: string; port: number };
  peer: { address: string; port: number };
  recv_q: number;
  send_q: number;
  inode: number | null;
  cookie: string | null;
  uid: number | null;
  keepalive: boolean | null;
  linger: boolean | null;
  in_epoll: boolean | null;
  awaited: boolean | null;
  shutdown: string | null;
  age: { at_least: number | null; at_most: number | null };
  holders: { pid: number; fd: number }[];
};

export type JsonReport = {
  taken_at: string;
  status: string;
  reading: { source: string; bpf_refused: string | null };
  totals: { close_wait: number; stuck: number; closed_but_held: number | null; by_state: Record<string, number> };
  findings: JsonFinding[];
  sockets: JsonSocket[];
  gaps: { code: string; what: string }[];
  took_ms: number;
};

/** The report on everything that is in CLOSE_WAIT at this moment, young or not. */
export async function reportEverything(...args: string[]): Promise<JsonReport> {
  const limit = args.includes('--stuck-after') ? [] : ['--stuck-after', '0s'];
  const run = await unclosed('--json', '--sockets', ...limit, ...args);
  if (run.code !== 0 && run.code !== 1) throw new Error(`exit ${run.code}: ${run.stderr}`);
  return JSON.parse(run.stdout);
}

/** The sockets of a workload: by its port, at the end that the truth says. */
export const socketsAt = (report: JsonReport, { port, side }: { port: number; side: 'local' | 'peer' }): JsonSocket[] =>
  report.sockets.filter((socket) => socket[side].port === port);
