import { UnclosedError } from '../model/errors.ts';
import { type Command, type Surroundings, usage } from './command.ts';
import { EXIT, type Streams } from './exit.ts';
import type { Output } from './output.ts';

/** Every command by its name, loaded when it is asked for. Without a name it is the report. */
export const COMMANDS = {
  report: async () => (await import('./report.ts')).reportCommand,
  record: async () => (await import('./record.ts')).recordCommand,
  read: async () => (await import('./read.ts')).readCommand,
  demo: async () => (await import('./demo.ts')).demoCommand,
  doctor: async () => (await import('./doctor.ts')).doctorCommand,
  watch: async () => (await import('./watch.ts')).watchCommand,
  check: async () => (await import('./check.ts')).checkCommand,
  bundle: async () => (await import('./bundle.ts')).bundleCommand,
  inspect: async () => (await import('./inspect.ts')).inspectCommand,
  explain: async () => (await import('./explain.ts')).explainCommand,
  relieve: async () => (await import('./relieve.ts')).relieveCommand,
  tune: async () => (await import('./tune.ts')).tuneCommand,
  version: async () => (await import('./version.ts')).versionCommand,
} satisfies Record<string, () => Promise<Command>>;

const isCommand = (word: string): word is keyof typeof COMMANDS => Object.hasOwn(COMMANDS, word);

/** Runs the command line and gives the exit code. */
export async function main(argv: string[], streams: Streams, environment: NodeJS.ProcessEnv): Promise<number> {
  const { stdout } = streams;
  watchDelivery(stdout);
  const surroundings = {
    stdout,
    get stderr() {
      return streams.stderr; // making it takes a millisecond, and mostly nobody writes there
    },
    environment,
  };
  try {
    return await run(argv, surroundings);
  } catch (error) {
    return explain(error, streams.stderr);
  }
}

async function run(argv: string[], surroundings: Surroundings): Promise<number> {
  const [first = '', ...rest] = argv;
  const name = isCommand(first) ? first : first === 'help' ? namedIn(rest) : 'report';
  const options = isCommand(first) ? rest : argv;
  if (name === 'report' && options.includes('--version')) return (await COMMANDS.version()).run([], surroundings);
  const command = await COMMANDS[name]();
  const asksForHelp = first === 'help' || options.includes('--help') || options.includes('-h');
  if (!asksForHelp) return command.run(options, surroundings);
  surroundings.stdout.write(command.help);
  return EXIT.nothing;
}

/** The command that `unclosed help` shall explain. */
function namedIn([name = 'report', ...more]: string[]): keyof typeof COMMANDS {
  if (isCommand(name) && more.length === 0) return name;
  throw usage(`there is no command ${[name, ...more].join(' ')}`, `commands: ${Object.keys(COMMANDS).join(', ')}`);
}

// `unclosed | head`: the reader has seen enough, which is no error of anybody. Anything else, such as a full disk, is
// output that nobody has, and must not look like an answer.
function watchDelivery(stdout: Output): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.nothing);
    process.stderr.write(`unclosed: the output could not be written: ${error.code ?? error.message} [OUTPUT_FAILED]\n`);
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
