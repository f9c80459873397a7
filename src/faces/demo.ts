import { setTimeout as sleep } from 'node:timers/promises';
import { DEMO_CONNECTIONS, startDemo } from '../app/demo.ts';
import { look } from '../app/look.ts';
import { wrap } from '../render/text.ts';
import { OUTPUT, READING, readSource } from './arguments.ts';
import { command, noPositionals } from './command.ts';
import { EXIT } from './exit.ts';
import { readPage, render } from './report.ts';
import { pageWidth, terminalPaint } from './terminal.ts';

/** Sockets are stuck after a minute; a demo shows them after a second. */
const STUCK_AFTER_MS = 1000;

const HELP = `unclosed demo: starts a small leaking server on loopback, shows the report on it, and
stops it again.

      --sockets                  list every CLOSE_WAIT socket
      --all                      every finding in full, ordinary churn included
      --json                     the stable machine form (schema/report.json)
  -n, --numeric                  no names of users and services
      --no-color                 no colour (also: NO_COLOR, or not a terminal)
  -v, --verbose                  say what was read, and how
      --source SOURCE            bpf, bpf-generic, netlink or procfs (default auto: the best
                                 that this machine allows)
`;

const OPTIONS = { ...OUTPUT, source: READING.source } as const;

/** The report on a server that leaks before your eyes. */
export const demoCommand = command(HELP, OPTIONS, async (values, positionals, { stdout, stderr, environment }) => {
  noPositionals('demo', positionals);
  const paint = terminalPaint(stdout, values, environment);
  // What a program reads is the report alone.
  const prose = values.json ? stderr : stdout;
  const { pid, port, stop } = await startDemo();
  const interrupted = (_signal: string, number: number): never => {
    stop();
    process.exit(128 + number);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const stuckAfterMs = STUCK_AFTER_MS;
    const intro = `A small server on 127.0.0.1:${port} (pid ${pid}) has answered ${DEMO_CONNECTIONS} clients. They have closed, and it has forgotten to. After 1 s, this is what \`unclosed ${pid} --stuck-after 1s\` says:`;
    const lines = wrap(intro, pageWidth(stdout), 0).map((line) => paint('dim', line));
    prose.write(`${lines.join('\n')}\n\n`);
    await sleep(stuckAfterMs + 500);
    const seen = await look({
      stuckAfterMs,
      young: values.sockets === true || values.all === true,
      pids: [pid],
      filter: { pids: [pid] },
      source: readSource(values),
      numeric: values.numeric ?? false,
    });
    const page = readPage(values, { filterText: `pid ${pid}`, again: `--stuck-after ${stuckAfterMs / 1000}s ` });
    stdout.write(await render(seen, page, paint, pageWidth(stdout)));
    prose.write(paint('dim', '\nThe demo server is stopped again. `unclosed` looks at the whole machine.\n'));
  } finally {
    stop();
  }
  return EXIT.nothing;
});
