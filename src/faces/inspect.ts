import { type InspectLook, type InspectOptions, inspect } from '../app/inspect.ts';
import { liveMachine } from '../app/machine.ts';
import type { Limits } from '../model/finding.ts';
import { renderInspections } from '../render/inspect.ts';
import type { ReportOptions } from '../render/options.ts';
import { renderReport } from '../render/report.ts';
import { wrap } from '../render/text.ts';
import { FILTER, LIMITS, OUTPUT, readFilter, readLimits, readPids } from './arguments.ts';
import { command, type Surroundings, usage, type Values } from './command.ts';
import { exitCode, write } from './report.ts';
import { pageWidth, terminalPaint } from './terminal.ts';

const HELP = `unclosed inspect PID: looks inside a process: which threads wait for what, which line of
code they are in, which objects still hold its stuck connections, and what its logs say of
it. Then it judges again. Of a process without stuck connections those below it are looked
into, such as workers.

How far it may go
      (nothing)                  reads only: nothing is sent to the process, nothing stops
      --attach                   asks its runtime for what that offers for diagnosis:
                                 stacks of a JVM (HotSpot attach), objects of Node.js
                                 (inspector), goroutines of Go; says before what it does
                                 and what pause to expect
      --deep                     also what takes a noticeable pause, or some seconds:
                                 socket events and class counts of a JVM, all objects of
                                 Node.js, stacks of native programs (eu-stack)

What to look at
  -p, --pid PID                  the process (may be given several times)
      --pprof URL                where a Go program serves net/http/pprof, such as
                                 http://127.0.0.1:6060
      --no-logs                  leave its logs alone
      --stuck-after DURATION     how long in CLOSE_WAIT is stuck: 90s, 5m, 1h (default 60s)
      --config FILE              read limits from this file as well

How to say it
      --all                      every thread, and every frame of every stack
      --json                     the stable machine form (schema/inspect.json)
  -n, --numeric                  no names of users and services
      --no-color                 no colour (also: NO_COLOR, or not a terminal)

Exit codes
  0 nothing is stuck   1 something is   2 could not look   70 a fault of unclosed

Examples
  sudo unclosed inspect 812
  sudo unclosed inspect 812 --attach
  sudo unclosed inspect 812 --deep --json | jq '.inside[].strands'
`;

/** Which process, how far to go, and what of it. */
export const INSPECTING = {
  pid: FILTER.pid,
  attach: { type: 'boolean' },
  deep: { type: 'boolean' },
  pprof: { type: 'string' },
  'no-logs': { type: 'boolean' },
  'stuck-after': LIMITS['stuck-after'],
  config: LIMITS.config,
  numeric: OUTPUT.numeric,
} as const;

const OPTIONS = { ...INSPECTING, all: OUTPUT.all, json: OUTPUT.json, 'no-color': OUTPUT['no-color'] } as const;

/** The report on a process with what was seen inside it. */
export const inspectCommand = command(HELP, OPTIONS, async (values, positionals, surroundings) => {
  const { stdout } = surroundings;
  const { options, done } = await readInspect(values, positionals, surroundings);
  let seen: InspectLook;
  try {
    seen = await inspect(await liveMachine(), options);
  } finally {
    done();
  }
  process.exitCode = exitCode(seen);
  await write(stdout, await textOf(seen, values, surroundings));
  return exitCode(seen);
});

/** What is done to a process is said on standard error before it is done. Until `done`, Ctrl-C ends it and cleans up. */
export async function readInspect(
  values: Values<typeof INSPECTING>,
  positionals: string[],
  { stderr, environment }: Surroundings,
): Promise<{ options: InspectOptions; done(): void }> {
  const { pids } = readFilter(values.pid ? { pid: values.pid } : {}, readPids(positionals));
  if (!pids) throw usage('this needs a process', 'sudo unclosed names those that hold something');
  const { limits } = await readLimits(values, environment);
  const { pprof } = values;
  const url = pprof === undefined ? undefined : requireUrl(pprof);
  const ending = new AbortController();
  const end = (): void => ending.abort();
  for (const name of ENDING) process.once(name, end);
  const options: InspectOptions = {
    pids,
    depth: values.deep ? 'deep' : values.attach ? 'attach' : 'read',
    logs: values['no-logs'] !== true,
    ...(url !== undefined && { pprof: url }),
    limits,
    numeric: values.numeric ?? false,
    announce: (sentence) => stderr.write(`${wrap(sentence, pageWidth(stderr), 0, 2).join('\n')}\n`),
    signal: ending.signal,
  };
  return {
    options,
    done: () => {
      for (const name of ENDING) process.off(name, end);
    },
  };
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function requireUrl(text: string): string {
  const url = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw usage(`--pprof ${text}: no address`, 'write http://127.0.0.1:6060');
  return url;
}

async function textOf(
  seen: InspectLook,
  values: Values<typeof OPTIONS>,
  { stdout, environment }: Surroundings,
): Promise<string> {
  if (values.json) {
    const { renderInspectJson } = await import('../render/inspect-json.ts');
    return renderInspectJson(seen.snapshot, seen.diagnosis, seen.inspections, seen.rows());
  }
  const paint = terminalPaint(stdout, values, environment);
  return inspectPage(seen, { width: pageWidth(stdout), paint, all: values.all ?? false });
}

/** What reading alone tells of a process, as JSON: evidence of what is about to be ended. */
export async function readInside(pid: number, limits: Limits): Promise<string> {
  const seen = await inspect(await liveMachine(), {
    pids: [pid],
    depth: 'read',
    logs: true,
    limits,
    announce: () => {},
    signal: new AbortController().signal,
  });
  const { renderInspectJson } = await import('../render/inspect-json.ts');
  return renderInspectJson(seen.snapshot, seen.diagnosis, seen.inspections, seen.rows());
}

type PageOptions = Pick<ReportOptions, 'width' | 'paint' | 'all'>;

/** The page for people. */
export function inspectPage({ snapshot, diagnosis, inspections, limits }: InspectLook, page: PageOptions): string {
  const filter = `pid ${inspections.map(({ process: { pid } }) => pid).join(', ')}`;
  const options = { ...page, limits, verbose: false, again: '', filter };
  return renderReport(snapshot, diagnosis, options, renderInspections(inspections, options));
}
