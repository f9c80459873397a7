import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { World } from './case.ts';
import type { Run } from './measure.ts';

/** All rounds of one command in one scenario. */
type Measured = { name: string; command: string[]; runs: Run[] };
export type ScenarioResult = {
  label: string;
  make: string[];
  openFilesBefore: number;
  world: World;
  measured: Measured[];
};
export type CaseResult = { name: string; about: string; scenarios: ScenarioResult[] };

type Good = Exclude<Run, { error: string }>;

const BUSY_OPEN_FILES = 20_000;
const RESULTS = fileURLToPath(new URL('results/', import.meta.url));

export const machine = () => ({
  kernel: release(),
  cpu: cpus()[0]?.model ?? 'unknown',
  cpus: cpus().length,
  memoryMb: Math.round(totalmem() / 2 ** 20),
  node: process.version,
});

export function writeResult(result: CaseResult, takenAt: Date): string {
  const path = `${RESULTS}${result.name}.json`;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(path, `${JSON.stringify({ takenAt, machine: machine(), ...result }, undefined, 2)}\n`);
  return path;
}

/** Open files of the whole machine (/proc/sys/fs/file-nr): many before we made any are somebody else's, and cost time. */
export const openFiles = () => Number.parseInt(readFileSync('/proc/sys/fs/file-nr', 'utf8'), 10);

/** What a reader of the table must know. */
export function renderNotes(result: ScenarioResult): string {
  const notes: string[] = [];
  const { holders, established } = result.world;
  if (established > 0 && holders.length > 1)
    notes.push(`In ${holders.length} processes: RLIMIT_NOFILE cannot be raised here (CAP_SYS_RESOURCE).`);
  if (result.openFilesBefore > BUSY_OPEN_FILES)
    notes.push(`The machine was not quiet: ${result.openFilesBefore} files were open before. Measure again.`);
  return notes.map((note) => `\n${note}\n`).join('');
}

/** The first command measured is ours: the others are compared with it. */
export function renderTable(result: ScenarioResult): string {
  const ours = medianSeconds(result.measured[0]);
  const rows = result.measured.map((one) => {
    const runs = one.runs.filter((run): run is Good => !('error' in run));
    const error = one.runs.find((run) => 'error' in run)?.error;
    if (runs.length === 0) return row([code(one.name), '', '', '', '', '', error ?? '']);
    const seconds = runs.map((run) => run.seconds);
    const median = medianOf(seconds);
    return row([
      code(one.name),
      `${median.toFixed(3)} s`,
      ours === undefined ? '' : `${(median / ours).toFixed(2)} x`,
      `${Math.min(...seconds).toFixed(3)} to ${Math.max(...seconds).toFixed(3)}`,
      `${(Math.max(...runs.map((run) => run.peakKb)) / 1024).toFixed(1)} MB`,
      [...new Set(runs.map((run) => run.found ?? '-'))].join(', '),
      error === undefined ? '' : `${one.runs.length - runs.length} of ${one.runs.length} failed: ${error}`,
    ]);
  });
  const head = ['command', 'median', 'to ours', 'range', 'peak memory', 'found', 'note'];
  return [row(head), row(['---', '---:', '---:', '---:', '---:', '---:', '---']), ...rows].join('\n');
}

const row = (cells: string[]) => `| ${cells.join(' | ')} |`;
const code = (text: string) => `\`${text}\``;

function medianSeconds(measured: Measured | undefined): number | undefined {
  const seconds = (measured?.runs ?? []).flatMap((run) => ('error' in run ? [] : [run.seconds]));
  return seconds.length > 0 ? medianOf(seconds) : undefined;
}

function medianOf(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = low] = sorted.slice(sorted.length % 2 === 1 ? middle : middle - 1, middle + 1);
  return (low + high) / 2;
}
