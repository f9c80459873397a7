import { UnclosedError } from '../model/errors.ts';
import type { Arguments } from './arguments.ts';
import { parseArguments } from './arguments.ts';
import { EXIT, type Streams } from './exit.ts';
import { terminalPaint } from './terminal.ts';

/** Runs the command line and gives the exit code. */
export async function main(argv: string[], streams: Streams, environment: NodeJS.ProcessEnv): Promise<number> {
  watchDelivery(streams);
  try {
    return await run(parseArguments(argv), streams, environment);
  } catch (error) {
    return explain(error, streams.stderr);
  }
}

async function run(args: Arguments, streams: Streams, environment: NodeJS.ProcessEnv): Promise<number> {
  switch (args.command) {
    case 'help': {
      const { HELP } = await import('./help.ts');
      streams.stdout.write(HELP);
      return EXIT.nothing;
    }
    case 'version': {
      const { VERSION } = await import('../app/version.ts');
      streams.stdout.write(`unclosed ${VERSION}\n`);
      return EXIT.nothing;
    }
    case 'record': {
      const { record } = await import('./record.ts');
      return record(args, streams);
    }
    case 'demo': {
      const { demo } = await import('./demo.ts');
      return demo(args, streams, terminalPaint(streams.stdout, args, environment));
    }
    case 'report': {
      const { report } = await import('./report.ts');
      return report(args, streams, terminalPaint(streams.stdout, args, environment));
    }
  }
}

// `unclosed | head`: the reader has seen enough, which is no error of anybody. Anything else, such as a full disk, is
// output that nobody has, and must not look like an answer.
function watchDelivery({ stdout, stderr }: Streams): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.nothing);
    stderr.write(`unclosed: the output could not be written: ${error.code ?? error.message} [OUTPUT_FAILED]\n`);
    process.exit(EXIT.couldNotLook);
  });
}

/** One line and the remedy for what was to be expected; the stack for a fault of ours. */
function explain(error: unknown, stderr: NodeJS.WritableStream): number {
  if (error instanceof UnclosedError) {
    stderr.write(`unclosed: ${safe(error.message)} [${error.code}]\n  ${safe(error.remedy)}\n`);
    return EXIT.couldNotLook;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  stderr.write(
    `unclosed: this is a fault of unclosed, not of yours. Please report it with this text:\n${safe(stack)}\n`,
  );
  return EXIT.fault;
}

/** Messages repeat what was typed or read, and a terminal would obey some of it. */
const safe = (text: string): string => text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '?');
