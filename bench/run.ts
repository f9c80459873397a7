import { parseArgs } from 'node:util';
import type { Case, Command, Scenario } from './case.ts';
import { fewAmongMany } from './cases/few-among-many.ts';
import { files } from './cases/files.ts';
import { held } from './cases/held.ts';
import { idle } from './cases/idle.ts';
import { namespaces } from './cases/namespaces.ts';
import { processes } from './cases/processes.ts';
import { sockets } from './cases/sockets.ts';
import { sources } from './cases/sources.ts';
import { stuck100k } from './cases/stuck-100k.ts';
import { FLOOR, ours } from './commands.ts';
import { isProgram, measure, type Run } from './measure.ts';
import { machine, openFiles, renderNotes, renderTable, type ScenarioResult, writeResult } from './results.ts';
import { inWorld } from './world.ts';

const CASES: Case[] = [idle, sockets, stuck100k, fewAmongMany, processes, files, namespaces, held, sources];

const HELP = `Measures unclosed against ss, lsof and netstat on this machine (root; loopback in namespaces of its own).

usage: node bench/run.ts [options] [case...]      (all cases when none is named)

  --rounds N        how often each command runs, in turns (default 5)
  --ours 'COMMAND'  measure this instead of dist/bin.cjs
  --list            name the cases
  --help

Prints Markdown, writes bench/results/CASE.json, says on standard error what it is doing.`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '5' },
    ours: { type: 'string' },
    list: { type: 'boolean' },
    help: { type: 'boolean' },
  },
});

const unknown = positionals.filter((name) => !CASES.some((one) => one.name === name));
const rounds = Number(options.rounds);
const absent = ['python3', 'bash', 'nsenter'].filter((program) => !isProgram(program));

if (options.help) console.log(HELP);
else if (options.list) for (const one of CASES) console.log(`${one.name.padEnd(16)}${one.about}`);
else if (unknown.length > 0) refuse(`no such case: ${unknown.join(', ')} (see --list)`);
else if (!Number.isInteger(rounds) || rounds < 1) refuse(`--rounds ${options.rounds}: a number from 1 on`);
else if (process.getuid?.() !== 0)
  refuse('only root may make network namespaces and see every process: run it as root');
else if (absent.length > 0) refuse(`missing: ${absent.join(', ')}`);
else await runCases(CASES.filter((one) => positionals.length === 0 || positionals.includes(one.name)));

function refuse(why: string): void {
  console.error(`bench: ${why}`);
  process.exitCode = 2;
}

async function runCases(cases: Case[]): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(2));
  const { kernel, cpu, cpus, memoryMb, node } = machine();
  console.log(`Linux ${kernel}, ${cpus} x ${cpu}, ${memoryMb} MB, Node.js ${node}; median of ${rounds} rounds.`);
  for (const one of cases) {
    console.log(`\n## ${one.name}\n\n${one.about}`);
    const scenarios: ScenarioResult[] = [];
    for (const scenario of one.scenarios) {
      const result = await runScenario(scenario);
      console.log(`\n### ${scenario.label}\n${renderNotes(result)}\n${renderTable(result)}`);
      scenarios.push(result);
    }
    console.error(`wrote ${writeResult({ name: one.name, about: one.about, scenarios }, new Date())}`);
  }
}

// In turns, so that a slow minute of the machine falls on all of them.
function runScenario(scenario: Scenario): Promise<ScenarioResult> {
  console.error(`making: ${scenario.label}`);
  const openFilesBefore = openFiles();
  return inWorld(scenario.make, async (world) => {
    const measuredAsOurs = options.ours === undefined ? ours() : instead(options.ours);
    const commands = [measuredAsOurs, FLOOR, ...scenario.commands];
    const measured = commands.map((command) => ({
      name: command.name,
      command: command.run(world),
      runs: [] as Run[],
    }));
    for (let round = 1; round <= rounds; round++) {
      console.error(`  round ${round} of ${rounds}`);
      for (const [index, command] of commands.entries()) measured[index]?.runs.push(await measure(command, world));
    }
    return { label: scenario.label, make: scenario.make, openFilesBefore, world, measured };
  });
}

function instead(words: string): Command {
  const [program = '', ...args] = words.split(' ').filter((word) => word !== '');
  const command = [program === 'node' ? process.execPath : program, ...args];
  return { name: words, run: () => command, needs: [program], codes: [0, 1] };
}
