import { carryOut, prepareRelief, type Relief, releaseTargets } from '../app/relief.ts';
import type { ActOptions } from '../app/relief-act.ts';
import type { ReliefOptions, Whom } from '../app/relief-plan.ts';
import { ActionLog, stateDirectory } from '../app/state.ts';
import { parseCount, parseDuration } from '../model/amounts.ts';
import { RELIEF_ACTIONS, type ReliefPlan, SOCKET_ACTIONS } from '../model/relief.ts';
import { renderPlan, renderResult } from '../render/relief.ts';
import { type ReliefAnswer, renderReliefJson } from '../render/relief-json.ts';
import { printable, wrap } from '../render/text.ts';
import { FILTER, LIMITS, OUTPUT, oneOf, readFilter, readLimits, readPids } from './arguments.ts';
import { command, type Surroundings, usage, type Values } from './command.ts';
import { ACTING, isConfirmed, requireOneWay } from './confirm.ts';
import { ACTION_EXIT } from './exit.ts';
import { printLog } from './log.ts';
import { pageWidth, terminalPaint } from './terminal.ts';

const HELP = `unclosed relieve PID: what would help this process now, with the least harm, and what would
not. A dry run unless --yes is given: nothing is done.

Whom (one of these)
  PID, -p, --pid PID             a process
      --unit UNIT                the processes of a systemd unit that hold stuck connections
      --container NAME           those of a container or pod, by name or id
      --listener [ADDRESS:]PORT  those that listen there, and connections that came in there
      --netns NAME               with --listener: in this network namespace

What
      --action ACTION            instead of the least harmful: raise-fd-limit, resume, thaw,
                                 keepalive, shutdown, destroy, restart-unit,
                                 restart-container or terminate
      --older-than DURATION      end only connections older than this for sure (default:
                                 what counts as stuck, 60s)
      --sockets-only             end connections although their descriptors stay
      --fd-limit COUNT           the limit for raise-fd-limit (default: twice the present)
      --grace DURATION           how long a process may take to end (default 10s)
      --kill                     send SIGKILL to one that does not end in that time
      --config FILE              read limits from this file as well

Doing it
      --yes                      do it
      --ask                      ask at the terminal whether to do it
      --no-evidence              save no recording of the machine before
      --log                      what was done so far
      --state DIR                where both are kept (default /var/lib/unclosed
                                 for root, else ~/.local/state/unclosed)
      --json                     as one JSON document; with --log one a line
      --no-color                 no colour (also: NO_COLOR, or not a terminal)

Exit codes
  0 done   10 dry run: it would be done   11 nothing to do   12 refused
  13 failed, or did not help   2 could not look   70 a fault of unclosed

Examples
  sudo unclosed relieve 812
  sudo unclosed relieve 812 --yes
  sudo unclosed relieve --unit shop.service --action restart-unit --yes
  sudo unclosed relieve 812 --action shutdown --sockets-only --older-than 1h
`;

const OPTIONS = {
  pid: FILTER.pid,
  unit: FILTER.unit,
  container: FILTER.container,
  netns: FILTER.netns,
  listener: { type: 'string' },
  action: { type: 'string' },
  'older-than': { type: 'string' },
  'sockets-only': { type: 'boolean' },
  'fd-limit': { type: 'string' },
  grace: { type: 'string' },
  kill: { type: 'boolean' },
  config: LIMITS.config,
  'no-evidence': { type: 'boolean' },
  json: OUTPUT.json,
  'no-color': OUTPUT['no-color'],
  ...ACTING,
} as const;

type ReliefValues = Values<typeof OPTIONS>;

/** Shows what would help, and with --yes does it and measures what came of it. */
export const relieveCommand = command(HELP, OPTIONS, async (values, positionals, surroundings) => {
  requireOneWay(values);
  if (values.ask && values.json) throw usage('--ask asks a person, and --json answers a program', '--yes does it');
  if (values.log) return printLog('relieve', values, surroundings);
  const options = await readOptions(values, positionals, surroundings);
  const graceMs = durationOf(values.grace, '--grace') ?? GRACE_MS;
  const relief = await prepareRelief(options);
  try {
    return await showAndDo(relief, { ...options, graceMs, kill: values.kill ?? false }, values, surroundings);
  } finally {
    releaseTargets(relief);
  }
});

async function readOptions(
  values: ReliefValues,
  positionals: string[],
  { environment }: Surroundings,
): Promise<ReliefOptions> {
  const { limits } = await readLimits(values.config === undefined ? {} : { config: values.config }, environment);
  const olderThanMs = durationOf(values['older-than'], '--older-than') ?? limits.stuckAfterMs;
  if (olderThanMs < 1000) throw usage('--older-than must be at least 1s', 'younger ones are ordinary');
  const action = oneOf(values.action, '--action', [...RELIEF_ACTIONS]);
  const fdLimit = values['fd-limit'] === undefined ? undefined : parseCount(values['fd-limit']);
  if (values['fd-limit'] !== undefined && !fdLimit) throw usage(`--fd-limit ${values['fd-limit']}: no number`);
  return {
    whom: readWhom(values, positionals),
    limits: { ...limits, stuckAfterMs: Math.min(limits.stuckAfterMs, olderThanMs) },
    olderThanMs,
    ...(action && { action }),
    socketsOnly: values['sockets-only'] ?? false,
    ...(fdLimit !== undefined && { fdLimit }),
  };
}

function readWhom(values: ReliefValues, positionals: string[]): Whom {
  const { listener, netns } = values;
  const { pids, unit, container } = readFilter(values, readPids(positionals));
  const named = [pids, unit, container, listener].filter((it) => it !== undefined);
  if (named.length !== 1)
    throw usage(
      named.length === 0
        ? 'relieve acts on nobody in particular'
        : 'relieve takes one of PID, --unit, --container, --listener',
      'unclosed relieve PID',
    );
  if (netns !== undefined && listener === undefined) throw usage('--netns goes with --listener');
  return {
    ...(pids && { pids }),
    ...(unit !== undefined && { unit }),
    ...(container !== undefined && { container }),
    ...(listener !== undefined && { listener: readListener(listener) }),
    ...(netns !== undefined && { netns }),
  };
}

function readListener(text: string): { port: number; address?: string } {
  const [, bracketed, plain, digits = ''] = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const address = bracketed ?? plain;
  if (!(port > 0 && port <= 65_535))
    throw usage(`--listener ${text}: no port`, 'write 8000, 127.0.0.1:8000 or [::1]:8000');
  return { port, ...(address !== undefined && { address }) };
}

function durationOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw usage(`${option} ${text}: no duration`, 'write 90s, 5m or 1h');
  return milliseconds;
}

const GRACE_MS = 10_000;

async function showAndDo(
  relief: Relief,
  options: ReliefOptions & ActOptions,
  values: ReliefValues,
  surroundings: Surroundings,
): Promise<number> {
  const { stdout } = surroundings;
  const { plans, snapshot } = relief.look;
  const answer: ReliefAnswer = { result: 'dry-run', plans, olderThanMs: options.olderThanMs };
  if (!values.json) showPlans(plans, values, surroundings);
  if (!plans.some(isWorthDoing)) {
    answer.result = plans.some(({ decision }) => decision.kind === 'refused') ? 'refused' : 'nothing';
  } else if (await isConfirmed(values)) {
    await carryOutInto(answer, relief, options, values, surroundings);
  }
  stdout.write(values.json ? renderReliefJson(answer, snapshot) : ending(answer, pageWidth(stdout)));
  return EXITS[answer.result];
}

const EXITS: Record<ReliefAnswer['result'], number> = {
  'dry-run': ACTION_EXIT.dryRun,
  done: ACTION_EXIT.done,
  nothing: ACTION_EXIT.nothingToDo,
  refused: ACTION_EXIT.refused,
  failed: ACTION_EXIT.failed,
};

function showPlans(plans: ReliefPlan[], values: ReliefValues, { stdout, environment }: Surroundings): void {
  const width = pageWidth(stdout);
  if (plans.length === 0) stdout.write('nothing of it is stuck\n');
  for (const plan of plans) stdout.write(`${renderPlan(plan, width, terminalPaint(stdout, values, environment))}\n`);
}

/** An action on connections that are all left out would be none. */
const isWorthDoing = ({ decision, selection }: ReliefPlan): boolean =>
  decision.kind === 'act' && (!SOCKET_ACTIONS.has(decision.action) || selection.sockets.length > 0);

async function carryOutInto(
  answer: ReliefAnswer,
  relief: Relief,
  options: ReliefOptions & ActOptions,
  values: ReliefValues,
  { environment }: Surroundings,
): Promise<void> {
  const log = new ActionLog(stateDirectory(values.state, environment), 'relieve', environment);
  const { results, evidence } = await carryOut(relief, log, {
    ...options,
    evidence: !values['no-evidence'],
    inspect: async (pid) => (await import('./inspect.ts')).readInside(pid, options.limits),
  });
  const verdicts = results.map(({ verdict }) => verdict.result);
  answer.result = verdicts.includes('failed') ? 'failed' : verdicts.includes('done') ? 'done' : 'nothing';
  answer.results = results;
  answer.log = log.path;
  if (evidence) answer.evidence = evidence;
}

/** The last line is the truth. */
function ending({ result, results, evidence, log }: ReliefAnswer, width: number): string {
  if (result === 'dry-run') return 'Nothing was done: this was a dry run. --yes does it, --ask asks first.\n';
  if (!results)
    return `Nothing was done: ${result === 'refused' ? 'nothing that helps is possible from outside' : 'there is nothing to do'}.\n`;
  const notes = [
    ...(evidence ? [`saved before: unclosed --from ${evidence.recording}`] : []),
    ...(evidence?.inspected.map(({ path }) => `saved before: ${path}`) ?? []),
    ...(evidence?.missed.map(({ pid, why }) => `pid ${pid} could not be looked into: ${why}`) ?? []),
    `written down in ${log}`,
    ...results.flatMap(({ notKept }) => (notKept === undefined ? [] : `the outcome is not in the log: ${notKept}`)),
    ...results.map(({ verdict }) => verdict.text),
  ];
  return [
    ...results.map(({ plan, deed, before, after }) =>
      renderResult({ name: plan.process?.name ?? '', deed, before, after }, width),
    ),
    ...notes.map((note) => `${wrap(printable(note), width, 0, 2).join('\n')}\n`),
  ].join('');
}
