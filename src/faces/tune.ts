import { existsSync } from 'node:fs';
import { change, type DropIn, lastDeed, type Outcome, stepsBack } from '../app/change-parameters.ts';
import { ActionLog, stateDirectory } from '../app/state.ts';
import { type Concerned, lookAtParameters, planChanges, type TunePlan } from '../app/tune.ts';
import { wrap } from '../render/text.ts';
import { netnsText, renderTunePage, tunePageJson } from '../render/tune.ts';
import { FILTER, OUTPUT, READING, readFilter, readPids, readSource } from './arguments.ts';
import { command, type Surroundings, usage, type Values } from './command.ts';
import { ACTING, isConfirmed, requireOneWay } from './confirm.ts';
import { ACTION_EXIT } from './exit.ts';
import { printLog } from './log.ts';
import type { Output } from './output.ts';
import { pageWidth, terminalPaint } from './terminal.ts';

const HELP = `unclosed tune [PID]: kernel parameters that are named when connections stay in CLOSE_WAIT,
what they are set to, and what each would do to the sockets of this machine, and what not.

      --netns NAME               a network namespace, by name or number (default: the own
                                 one, and all with connections in CLOSE_WAIT)
  -p, --pid PID                  the network namespace of this process
      --from DIR                 a recording instead of this machine
      --source SOURCE            bpf, bpf-generic, netlink or procfs (default auto)
      --json                     as JSON; with --log one document a line
      --no-color                 no colour (also: NO_COLOR, or not a terminal)

To change parameters of one namespace (--netns, --pid, or the own one)
      --apply NAME=VALUE         a dry run: what would be changed (may be given again)
      --undo                     a dry run: what would be taken back of the last change
      --yes                      do it
      --ask                      ask at the terminal whether to do it
      --sysctl-file FILE         with --apply: also write this new file for sysctl.d(5), so
                                 that the change outlives a restart; it is always printed
      --log                      what was done so far
      --state DIR                where that is written down (default /var/lib/unclosed for
                                 root, else ~/.local/state/unclosed)

Exit codes
  0 shown, or done   10 dry run: it would be done   11 nothing to do   12 refused
  13 failed, wholly or in part   2 could not look   70 a fault of unclosed

Examples
  sudo unclosed tune
  sudo unclosed tune --apply tcp_keepalive_time=600
  sudo unclosed tune --apply tcp_keepalive_time=600 --yes
  sudo unclosed tune --undo --yes
`;

const OPTIONS = {
  pid: FILTER.pid,
  netns: FILTER.netns,
  source: READING.source,
  from: { type: 'string' },
  json: OUTPUT.json,
  'no-color': OUTPUT['no-color'],
  apply: { type: 'string', multiple: true },
  undo: { type: 'boolean' },
  'sysctl-file': { type: 'string' },
  ...ACTING,
} as const;

type TuneValues = Values<typeof OPTIONS>;

/** Shows kernel parameters and what they mean here; with --apply and --undo changes them. */
export const tuneCommand = command(HELP, OPTIONS, async (values, positionals, surroundings) => {
  requireSense(values);
  if (values.log) return printLog('tune', values, surroundings);
  const filter = readFilter(values, readPids(positionals));
  const { concerned } = await lookAtParameters({
    ...(values.from !== undefined && { from: values.from }),
    source: readSource(values),
    ...(filter.pids && { pids: filter.pids }),
    filter,
  });
  if (!values.apply && !values.undo) return show(concerned, values, surroundings);
  const target = targetOf(concerned, values.netns !== undefined || filter.pids !== undefined);
  return values.undo ? undo(target, values, surroundings) : apply(target, values, surroundings);
});

function requireSense(values: TuneValues): void {
  requireOneWay(values);
  const acts = values.apply !== undefined || values.undo === true;
  if (values.apply && values.undo) throw usage('--apply and --undo are two things', 'one after the other');
  if (!acts && (values.yes || values.ask)) throw usage('--yes without anything to do', 'with --apply or --undo');
  if (acts && values.from !== undefined) throw usage('a recording cannot be changed', 'leave --from out');
  if (acts && values.json)
    throw usage('--json shows, and changes nothing', 'leave it out; --log --json has what was done');
  if (values['sysctl-file'] !== undefined && !values.apply) throw usage('--sysctl-file goes with --apply');
  if (values['sysctl-file']?.startsWith('/') === false) throw usage('--sysctl-file needs a path that begins with /');
}

function show(concerned: Concerned[], values: TuneValues, { stdout, environment }: Surroundings): number {
  const pages = concerned.map(({ page }) => page);
  stdout.write(
    values.json
      ? `${JSON.stringify({ schema: 'unclosed.tune/1', namespaces: pages.map(tunePageJson) }, null, 2)}\n`
      : pages
          .map((page) => renderTunePage(page, pageWidth(stdout), terminalPaint(stdout, values, environment)))
          .join('\n'),
  );
  return ACTION_EXIT.done;
}

/** One namespace is changed at a time, and never one that was not meant. */
function targetOf(concerned: Concerned[], named: boolean): Concerned {
  const candidates = named ? concerned : concerned.filter(({ page }) => page.netns.own);
  const [target, ...more] = candidates;
  if (!target || more.length > 0)
    throw usage('this must be one network namespace', 'name it with --netns, or a process in it with --pid');
  return target;
}

async function apply(target: Concerned, values: TuneValues, surroundings: Surroundings): Promise<number> {
  const { stdout, environment } = surroundings;
  const width = pageWidth(stdout);
  const plan = planChanges(values.apply ?? [], target);
  for (const { name, why } of plan.refused)
    stdout.write(`${wrap(`refused: ${name}: ${why}`, width, 0, 2).join('\n')}\n`);
  for (const name of plan.unchanged) stdout.write(`${name} has this value already\n`);
  if (plan.refused.length > 0) return refuse(stdout, 'nothing was changed');
  if (plan.changes.length === 0) return ACTION_EXIT.nothingToDo;
  const dropIn = dropInOf(plan, values['sysctl-file'], target);
  stdout.write(planText(plan, target, width));
  if (!(await isConfirmed(values))) return dryRun(stdout);
  const log = new ActionLog(stateDirectory(values.state, environment), 'tune', environment);
  const outcomes = await change(log, target.entry, { steps: plan.changes.map(stepOf), ...(dropIn && { dropIn }) });
  return report(outcomes, stdout, `written down in ${log.path}; unclosed tune --undo takes it back`);
}

const stepOf = ({ name, before, after }: { name: string; before: string; after: string }) => ({ name, before, after });

function planText({ changes }: TunePlan, { page: { netns } }: Concerned, width: number): string {
  const lines = changes.flatMap(({ name, scope, before, after, means, bearing }) => [
    `  ${name}  ${before} -> ${after}${scope === 'machine' ? '  (of the whole machine)' : ''}`,
    ...wrap(bearing === 'folklore' ? `changes nothing for CLOSE_WAIT: it ${means}` : means, width, 4),
  ]);
  return `${[
    `In ${netnsText(netns)}:`,
    ...lines,
    '',
    ...(netns.own ? keepLines(changes, width) : ['It lasts as long as this network namespace.']),
    '',
  ].join('\n')}\n`;
}

const keepLines = (changes: TunePlan['changes'], width: number): string[] => [
  ...wrap('It lasts until the machine is started again. To keep it, copy this to a file in /etc/sysctl.d:', width, 0),
  ...fileContent(changes)
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`),
];

const fileContent = (changes: TunePlan['changes']): string =>
  changes.map(({ name, before, after }) => `# before: ${before}\n${name} = ${after}\n`).join('');

/** At the start of a machine, files for sysctl.d are read in its first namespace, and in no other. */
function dropInOf({ changes }: TunePlan, path: string | undefined, { page: { netns } }: Concerned): DropIn | undefined {
  if (path === undefined) return undefined;
  if (existsSync(path)) throw usage(`--sysctl-file ${path} is there already`, 'name a new file');
  if (!netns.own) throw usage('--sysctl-file: such a file is not read in another network namespace', 'leave it out');
  return { path, content: fileContent(changes) };
}

async function undo(target: Concerned, values: TuneValues, { stdout, environment }: Surroundings): Promise<number> {
  const width = pageWidth(stdout);
  const log = new ActionLog(stateDirectory(values.state, environment), 'tune', environment);
  const last = await lastDeed(log, target.entry);
  if (!last) {
    stdout.write(`nothing to take back in ${netnsText(target.page.netns)} since this machine was started\n`);
    return ACTION_EXIT.nothingToDo;
  }
  const { steps, asBefore, changedSince } = stepsBack(last, target.present.values);
  const { dropIn } = last.deed;
  stdout.write(`The change of ${last.at} in ${netnsText(target.page.netns)}:\n`);
  for (const { name, before, after } of steps) stdout.write(`  ${name}  ${before} -> ${after}\n`);
  for (const name of asBefore) stdout.write(`  ${name} is as it was before\n`);
  for (const { name, why } of changedSince) stdout.write(`${wrap(`${name} stays: ${why}`, width, 2, 4).join('\n')}\n`);
  if (dropIn) stdout.write(`  ${dropIn.path} is removed, unless it was changed\n`);
  if (steps.length === 0 && changedSince.length > 0) return refuse(stdout, 'nothing was taken back');
  if (!(await isConfirmed(values))) return dryRun(stdout);
  const outcomes = await change(log, target.entry, {
    steps,
    undoes: last.run,
    netns: last.deed.netns,
    ...(dropIn && { dropIn }),
  });
  return report(outcomes, stdout, `written down in ${log.path}`);
}

function refuse(stdout: Output, what: string): number {
  stdout.write(`${what}\n`);
  return ACTION_EXIT.refused;
}

function dryRun(stdout: Output): number {
  stdout.write('Nothing was changed: this was a dry run. --yes does it, --ask asks first.\n');
  return ACTION_EXIT.dryRun;
}

/** The last line is what is true now. */
function report(outcomes: Outcome[], stdout: Output, where: string): number {
  for (const { name, before, after, done, why } of outcomes) {
    const text = done ? `done: ${name}  ${before} -> ${after}` : `not done: ${name}: ${why ?? 'unknown'}`;
    stdout.write(`${wrap(text, pageWidth(stdout), 0, 2).join('\n')}\n`);
  }
  const failed = outcomes.filter(({ done }) => !done).length;
  stdout.write(`${wrap(where, pageWidth(stdout), 0, 2).join('\n')}\n`);
  stdout.write(
    failed === 0
      ? `${outcomes.length} of ${outcomes.length} done\n`
      : `${outcomes.length - failed} of ${outcomes.length} done: unclosed tune --undo takes that back\n`,
  );
  return failed === 0 ? ACTION_EXIT.done : ACTION_EXIT.failed;
}
