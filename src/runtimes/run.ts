import { spawn } from 'node:child_process';

export type RunOptions = {
  timeoutMs: number;
  /** It is ended when it writes more. */
  mostBytes: number;
  signal: AbortSignal;
  env?: Record<string, string>;
};

/** `why` says for what reason it has no code: not there, too slow, too much. What it wrote by then is there all the same. */
export type Ran = { code: number | undefined; out: Buffer; err: string; why?: string };

const MOST_ERROR = 4096;

/** Runs another program of this machine without a shell and without input, and ends it when it takes too long. */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  return new Promise((resolve) => {
    const out: Buffer[] = [];
    let bytes = 0;
    let err = '';
    let why: string | undefined;
    const env = { ...process.env, LC_ALL: 'C', ...options.env };
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const end = (reason: string): void => {
      why ??= reason;
      child.kill('SIGKILL');
    };
    const stop = (): void => end('it was ended early');
    const timer = setTimeout(() => end(`no answer within ${options.timeoutMs / 1000} s`), options.timeoutMs);
    options.signal.addEventListener('abort', stop);
    if (options.signal.aborted) stop();
    child.stdout.on('data', (data: Buffer) => {
      bytes += data.length;
      if (bytes > options.mostBytes) end('it wrote too much');
      else out.push(data);
    });
    child.stderr.on('data', (data: Buffer) => {
      err = (err + data.toString()).slice(0, MOST_ERROR);
    });
    const done = (code: number | null): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', stop);
      resolve({ code: code ?? undefined, out: Buffer.concat(out), err, ...(why !== undefined && { why }) });
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      why ??= error.code === 'ENOENT' ? `${program} is not installed` : `${program}: ${error.code}`;
      done(null);
    });
    child.once('close', done);
  });
}
