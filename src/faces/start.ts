import { main } from './cli.ts';
import { standardOutput } from './output.ts';

/** Runs the command line of this process, and ends it. */
export async function start(): Promise<void> {
  const stdout = standardOutput();
  const streams = {
    stdout,
    get stderr() {
      return process.stderr;
    },
  };
  process.exitCode = await main(process.argv.slice(2), streams, process.env);
  // All has been written, and taking the heap down takes 3 ms.
  if (stdout.isDone) process.exit();
}
