import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { build, isThere } from './build.ts';
import { judge } from './judge.ts';
import { onStage } from './stage.ts';
import { type Outcome, renderScore, score } from './table.ts';
import { readWorkloads, type Workload } from './workload.ts';

const HELP = `usage: npm run eval -- [PART ...] [--json] [--keep DIR] [--list]

Plays the programs of workloads/eval.json whose name contains a PART (all of them without one), runs the report on
each, and compares. docs/accuracy.md says what is measured.

  --inside     judge after a look inside (unclosed inspect --attach)
  --json       the outcomes as JSON
  --keep DIR   save a recording and the truth of each as DIR/NAME
  --list       name them

Exit codes: 0 the targets are met, 1 one is missed, 2 could not run`;

const STUCK_AFTER_SECONDS = 2;
/** After READY, so that every FIN is older than that. */
const AGEING_MS = (STUCK_AFTER_SECONDS + 0.4) * 1000;

const { values: options, positionals: parts } = parseArgs({
  allowPositionals: true,
  options: {
    inside: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    keep: { type: 'string' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const chosen = readWorkloads().filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)));
const absent = ['python3', 'unshare', 'nsenter'].filter((program) => !isThere(program));

if (options.help) console.log(HELP);
else if (options.list) for (const { name, about } of chosen) console.log(`${name.padEnd(36)}${about}`);
else if (chosen.length === 0) refuse(`no workload has ${parts.join(' or ')} in its name (see --list)`);
else if (process.getuid?.() !== 0) refuse('only root may make network namespaces: run it as root');
else if (absent.length > 0) refuse(`missing: ${absent.join(', ')}`);
else await evaluate();

function refuse(why: string): void {
  console.error(`eval: ${why}`);
  process.exitCode = 2;
}

async function evaluate(): Promise<void> {
  const programs = built();
  if (!programs) return;
  // An exit closes their input, and with that they end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      programs.remove();
      process.exit(2);
    });
  }
  try {
    const outcomes = await playAll(programs.folder);
    const numbers = score(outcomes, parts.length === 0);
    if (options.json) console.log(JSON.stringify({ ...numbers, outcomes }, null, 2));
    else console.log(renderScore(outcomes, numbers));
    process.exitCode = numbers.met ? 0 : 1;
  } finally {
    programs.remove();
  }
}

function built(): ReturnType<typeof build> | undefined {
  try {
    return build(new Set(chosen.map(({ runtime }) => runtime)));
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** Several at a time: they mostly wait. */
async function playAll(folder: string): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = chosen.entries();
  const worker = async (): Promise<void> => {
    for (const [index, workload] of waiting) {
      const outcome = await play(workload, folder);
      outcomes[index] = outcome;
      const said = 'verdict' in outcome ? outcome.verdict.cause : 'failed' in outcome ? 'failed' : 'skipped';
      console.error(`${workload.name.padEnd(36)}${said}`);
    }
  };
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, worker));
  return outcomes;
}

async function play(workload: Workload, folder: string): Promise<Outcome> {
  const missing = workload.needs.filter((name) => !isThere(name));
  if (missing.length > 0) return { workload, skipped: `missing: ${missing.join(', ')}` };
  try {
    return await onStage(workload.name, folder, async ({ ready, unclosed }) => {
      await sleep(AGEING_MS);
      const pids = ready.pids.flatMap((pid) => ['-p', String(pid)]);
      const look = options.inside ? ['inspect', '--attach', '--no-logs'] : [];
      const { code, stdout, stderr } = await unclosed(
        ...look,
        '--json',
        '--stuck-after',
        `${STUCK_AFTER_SECONDS}s`,
        ...pids,
      );
      if (code !== 0 && code !== 1) return { workload, failed: `unclosed ended with ${code}: ${stderr.trim()}` };
      if (options.keep !== undefined) {
        const kept = join(resolve(options.keep), workload.name);
        mkdirSync(kept, { recursive: true });
        await unclosed('record', join(kept, 'raw'), ...pids, '--stuck-after', `${STUCK_AFTER_SECONDS}s`);
        writeFileSync(join(kept, 'truth.json'), `${JSON.stringify({ ...workload, ...ready }, null, 2)}\n`);
      }
      const answer = JSON.parse(stdout);
      const { findings } = options.inside ? answer.report : answer;
      return { workload, verdict: judge(findings, workload.truth, ready) };
    });
  } catch (error) {
    return { workload, failed: error instanceof Error ? error.message : String(error) };
  }
}
