import { main } from './cli.ts';
import { standardOutput } from './output.ts';

/** Runs the command line of this process, and ends it. */
export async function start(): Promise<void> {
  const stdout = standardOutput();
  let isDone = true;
  const streams = {
    stdout,
    get stderr() {
      isDone = false; // it may hold back what its reader has not taken
      return process.stderr;
    },
  };
  process.exitCode = await main(process.argv.slice(2), streams, process.env);
  // All has been written, and taking the heap down takes 3 ms.
  if (isDone && stdout.isDone) process.exit();
}
