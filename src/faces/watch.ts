import type { Filter } from '../app/filter.ts';
import { TRACES } from '../app/watch/trace.ts';
import { parseUntil, type Until } from '../app/watch/until.ts';
import { type Pace, type WatchEnd, Watcher, type WatchOptions, watch } from '../app/watch/watcher.ts';
import { parseDuration } from '../model/amounts.ts';
import { DEFAULT_LIMITS } from '../model/finding.ts';
import type { WatchFrame } from '../model/watch.ts';
import { FILTER, LIMITS, OUTPUT, oneOf, READING, readCapture, readFilter, readLimits, readPids } from './arguments.ts';
import { command, type Surroundings, usage, type Values } from './command.ts';
import { EXIT } from './exit.ts';
import type { Output } from './output.ts';
import { runOwnCommand } from './own-command.ts';
import { pageWidth, terminalPaint } from './terminal.ts';

const HELP = `unclosed watch [PID]: shows leaks as they grow, until you end it. On a terminal it is a page
(? explains its keys); into a pipe or a file it is a line for each look and each change.

How long, how often
      --interval DURATION        time between two looks (default 2s, and up to 10s where
                                 looks would take more than 1.5 % of a processor)
      --for DURATION             end after this time: 90s, 10m, 1h
      --until CONDITION          end when it holds: stuck > 100, fds >= 80%, oldest > 10m,
                                 full_in < 2h, growth > 5 (a minute), close_wait, entered,
                                 left, closed_but_held; several with "and" or "or"
      --trace WAY                how connections are counted that come and go between two
                                 looks: bpf, tracefs or polls (not at all); default auto

What to watch
  -p, --pid PID                  sockets of this process (may be given several times)
      --port PORT, --peer ADDRESS, --command NAME, --unit UNIT, --container NAME,
      --netns NAME, -4, -6       as for the report
      --stuck-after DURATION     how long in CLOSE_WAIT is stuck (default 60s)
      --warning-sockets, --warning-age, --critical-age, --age-sockets,
      --critical-fd-share, --critical-fds-left, --warning-full-in,
      --critical-full-in, --config
                                 limits, as for the report: unclosed --help
      --source SOURCE            bpf, bpf-generic, netlink or procfs (default auto)
      --all-holders              look at every process for further holders of a socket
      --held auto|always|never   search for descriptors of closed sockets

How to show it
      --json                     one JSON document a line (schema/watch.json)
  -n, --numeric                  no names of users and services
      --no-color                 no colour (also: NO_COLOR, or not a terminal)

Exit codes
  without --until: 0 nothing was stuck at the last look   1 something was
  with --until:    0 the condition was reached            1 it was not
  2 could not look   70 a fault of unclosed   128 + number of the signal that ended it

Examples
  sudo unclosed watch
  sudo unclosed watch --unit shop
  sudo unclosed watch 812 --for 10m --until 'stuck > 100' && echo it leaks
  sudo unclosed watch --json --interval 10s >> leak.jsonl
`;

const OPTIONS = {
  ...FILTER,
  ...LIMITS,
  ...READING,
  json: OUTPUT.json,
  numeric: OUTPUT.numeric,
  'no-color': OUTPUT['no-color'],
  interval: { type: 'string' },
  for: { type: 'string' },
  until: { type: 'string' },
  trace: { type: 'string' },
} as const;

const INTERVAL_MS = 2000;
const SHORTEST_INTERVAL_MS = 100;
/** A timer of Node.js takes no more (2^31 - 1 ms). */
const LONGEST_MS = 2_147_483_647;

type WatchValues = Values<typeof OPTIONS>;

export const watchCommand = command(HELP, OPTIONS, async (values, positionals, surroundings) => {
  const pace = readPace(values);
  const { until } = pace;
  const options = await readOptions(values, positionals, surroundings);
  // First, so that a signal finds somebody who cleans up.
  const ending = endOnSignals();
  const watcher = await Watcher.open(options).catch((error: unknown) => {
    ending.stop();
    throw error;
  });
  let last: WatchFrame | undefined;
  const seen = (frame: WatchFrame): void => {
    last = frame;
    // Before the output, so that a reader who goes away early still gets it.
    process.exitCode = exitCode('ended', until, frame);
  };
  try {
    const end = await (isInteractive(values, surroundings) ? onPage : onLines)(
      { values, surroundings, watcher, options, pace: { ...pace, end: ending.signal }, quit: ending.quit },
      seen,
    );
    return ending.code() ?? exitCode(end, until, last);
  } finally {
    ending.stop();
    watcher.close();
  }
});

type Session = {
  values: WatchValues;
  surroundings: Surroundings;
  watcher: Watcher;
  options: WatchOptions;
  pace: Pace;
  quit(): void;
};

/** The filter as it can be typed on the page. */
function filterWords(values: WatchValues, { pids = [] }: Filter): string {
  const { pid: _pid, ...options } = FILTER;
  const words = Object.keys(options).flatMap((name) => {
    const value = values[name as keyof typeof options];
    return value === undefined ? [] : value === true ? `--${name}` : `--${name} ${value}`;
  });
  return [...pids, ...words].join(' ');
}

const isInteractive = (values: WatchValues, { stdout, environment }: Surroundings): boolean =>
  !values.json && stdout.isTTY && process.stdin.isTTY && environment.TERM !== 'dumb';

async function onPage({ values, surroundings, watcher, options, pace, quit }: Session, seen: Seen): Promise<WatchEnd> {
  const { stdout, environment } = surroundings;
  const { watchPage } = await import('./watch-page.ts');
  const { Screen } = await import('./screen.ts');
  const { filter = {}, limits = DEFAULT_LIMITS } = options;
  const setup = {
    watcher,
    pace,
    quit,
    run: runOwnCommand,
    filter,
    filterText: filterWords(values, filter),
    screen: new Screen(process.stdin, process.stdout),
    options: {
      limits,
      paint: terminalPaint(stdout, values, environment),
      utcOffsetMs: utcOffset(),
      again: '',
    },
  };
  return watchPage(setup, seen);
}

async function onLines({ values, surroundings, watcher, pace }: Session, seen: Seen): Promise<WatchEnd> {
  const { stdout, environment } = surroundings;
  const paint = terminalPaint(stdout, values, environment);
  const { renderWatchJson } = await import('../render/watch/json.ts');
  const { renderLines } = await import('../render/watch/lines.ts');
  return watch(watcher, pace, (frame) => {
    seen(frame);
    const width = stdout.isTTY ? pageWidth(stdout) : LINE_WIDTH;
    const text = values.json
      ? renderWatchJson(frame, pace.until?.holds(frame))
      : renderLines(frame, { width, paint, utcOffsetMs: utcOffset() });
    return written(stdout, text);
  });
}

type Seen = (frame: WatchFrame) => void;

/** Into a file or a pipe a line is as long as it is, within reason. */
const LINE_WIDTH = 200;

/** A reader that does not keep up holds the watch up, and not its memory. */
const written = (stdout: Output, text: string): Promise<void> =>
  new Promise((resolve) => {
    stdout.write(text, () => resolve());
  });

const utcOffset = (): number => -new Date().getTimezoneOffset() * 60_000;

function readPace(values: WatchValues): Omit<Pace, 'end'> {
  const forMs = time(values.for, '--for', 0);
  const intervalMs = time(values.interval, '--interval', SHORTEST_INTERVAL_MS);
  return {
    intervalMs: intervalMs ?? INTERVAL_MS,
    sparing: intervalMs === undefined,
    ...(forMs !== undefined && { forMs }),
    ...(values.until !== undefined && { until: parseUntil(values.until) }),
  };
}

async function readOptions(
  values: WatchValues,
  positionals: string[],
  { environment }: Surroundings,
): Promise<WatchOptions> {
  const filter = readFilter(values, readPids(positionals));
  const { limits } = await readLimits(values, environment);
  const trace = oneOf(values.trace, '--trace', [...TRACES]);
  return {
    ...readCapture(values, filter, true),
    filter,
    limits,
    numeric: values.numeric ?? false,
    ...(trace && { trace }),
  };
}

function time(text: string | undefined, option: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw usage(`${option} ${text}: no duration`, 'write 2s, 500ms, 10m or 1h');
  if (milliseconds < least || milliseconds > LONGEST_MS)
    throw usage(`${option} ${text}: must be from ${least / 1000} s to ${Math.floor(LONGEST_MS / 86_400_000)} d`);
  return milliseconds;
}

function exitCode(end: WatchEnd, until: Until | undefined, frame: WatchFrame | undefined): number {
  if (until) return end === 'reached' || (frame && until.holds(frame)) ? EXIT.nothing : EXIT.found;
  if (end === 'gone') return EXIT.nothing;
  const stuck = frame?.rows.some(({ count, finding }) => count > 0 && finding.cause !== 'churn');
  return stuck ? EXIT.found : EXIT.nothing;
}

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** Signals end the watch in good order, so that nothing of it stays in the kernel or on the terminal. */
function endOnSignals(): { signal: AbortSignal; quit(): void; code(): number | undefined; stop(): void } {
  const ending = new AbortController();
  let number: number | undefined;
  const handlers = Object.entries(SIGNALS).map(([name, value]) => {
    const handler = (): void => {
      number = value;
      ending.abort();
    };
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  return {
    signal: ending.signal,
    quit: () => ending.abort(),
    code: () => (number === undefined ? undefined : 128 + number),
    stop: () => {
      for (const off of handlers) off();
    },
  };
}
