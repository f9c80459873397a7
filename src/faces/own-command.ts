import { spawn } from 'node:child_process';

/** More than this of what a command prints is no page. */
const MOST_BYTES = 4 << 20;
const LIMIT_MS = 30_000;

/**
 * Runs a command of ours in a process of its own, so that the page goes on meanwhile, and gives the lines that it prints. What went wrong
 * is among them.
 */
export function runOwnCommand(argv: readonly string[]): Promise<string[]> {
  const [program = '', script = ''] = process.argv;
  return new Promise((resolve) => {
    const child = spawn(program, [...process.execArgv, script, ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LIMIT_MS,
    });
    let text = '';
    const take = (data: string): void => {
      if (text.length < MOST_BYTES) text += data;
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);
    child.on('error', (error) => take(`${error.message}\n`));
    child.on('close', (_code, signal) => {
      const end = signal === null ? '' : `\nended by ${signal}, after ${LIMIT_MS / 1000} s at most`;
      resolve(`${text.trimEnd()}${end}`.split('\n'));
    });
  });
}
