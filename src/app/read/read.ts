import { readFileSync } from 'node:fs';
import { diagnose } from '../../diagnose/diagnose.ts';
import { socketRows } from '../../diagnose/socket-rows.ts';
import { UnclosedError } from '../../model/errors.ts';
import { DEFAULT_LIMITS, type Finding, type Limits, type NextStep } from '../../model/finding.ts';
import type { Snapshot } from '../../model/snapshot.ts';
import type { CaptureText } from '../../parse/captures/capture.ts';
import { CAPTURE_FORMATS } from '../../parse/captures/row.ts';
import { parseServices } from '../../parse/services.ts';
import { applyFilter, type Filter } from '../filter.ts';
import type { Look } from '../look-at.ts';
import { captureSteps } from './advice.ts';
import { countsOf, diagnoseCount } from './counts.ts';
import { bestCommand } from './gaps.ts';
import { addGrowth, withGrowth } from './growth.ts';
import { snapshotOf } from './snapshot.ts';
import { readSource } from './source.ts';

export type ReadOptions = {
  /** Files, the earliest capture first; `-` is standard input. */
  paths: string[];
  input: NodeJS.ReadStream;
  format?: string;
  /** Time between the first and the last capture. */
  betweenMs?: number;
  limits?: Limits;
  filter?: Filter;
  numeric?: boolean;
};

/** What --format takes: a tool stands for all its formats. */
export const CAPTURE_CHOICES = [
  ...new Set([...CAPTURE_FORMATS.map((format) => format.replace(/-(?!net).*/, '')), ...CAPTURE_FORMATS]),
];

/** What was read, and the lines that were not understood. */
export type ReadLook = Look & { lost: string[] };

/** Reads captures and diagnoses the last one, in the light of the first. */
export async function readCaptures(options: ReadOptions): Promise<ReadLook> {
  const began = Date.now();
  const { limits = DEFAULT_LIMITS } = options;
  const services = parseServices(servicesFile());
  const texts: CaptureText[] = [];
  for (const path of options.paths) {
    const { format } = options;
    const text = await readSource(path, options.input, { services, ...(format !== undefined && { format }) });
    requireSense(text, path === '-' ? 'standard input' : path);
    texts.push(text);
  }
  const [first, last] = [texts[0], texts.at(-1)];
  if (!first || !last) throw new UnclosedError('CAPTURE_EMPTY', 'nothing to read', 'unclosed read FILE');
  const lost = texts.flatMap(({ errors }) => errors.map(({ message }) => message));
  const betweenMs = options.betweenMs ?? timeBetween(first, last);
  const about = {
    services: options.numeric ? new Map() : services,
    now: began,
    tookMs: Date.now() - began,
    hasEarlier: first !== last && betweenMs !== undefined,
  };
  const counts = countsOf(last);
  if (counts) return { ...lookAtCounts(last, counts, about, limits), lost };
  const whole = snapshotOf(last, about);
  const before = first === last ? undefined : snapshotOf(first, about);
  const grown = before ? withGrowth(before, whole, betweenMs) : whole;
  const snapshot = filtered(grown, options.filter ?? {});
  return { ...lookAt(snapshot, before, bestCommand(last), limits), lost };
}

function lookAt(snapshot: Snapshot, before: Snapshot | undefined, command: string, limits: Limits): Look {
  const diagnosis = diagnose(snapshot, limits);
  for (const finding of diagnosis.findings) {
    finding.next = [...plainSteps(finding), ...captureSteps(finding, command)];
    if (before) addGrowth(finding, before, snapshot);
  }
  return { snapshot, diagnosis, limits, rows: () => socketRows(diagnosis) };
}

/** What to change stays true of a capture; commands are for the machine that is looked at. */
const plainSteps = ({ next, subject }: Finding): NextStep[] =>
  subject.kind === 'unowned' ? [] : next.filter(({ command }) => command === undefined);

function lookAtCounts(
  text: CaptureText,
  byState: Snapshot['byState'],
  about: Parameters<typeof snapshotOf>[1],
  limits: Limits,
): Look {
  const { tcpSockets: _listed, ...listed } = snapshotOf(text, about);
  const diagnosis = diagnoseCount(byState.CLOSE_WAIT ?? 0, bestCommand(text), limits);
  return { snapshot: { ...listed, byState }, diagnosis: { ...diagnosis, gaps: listed.gaps }, limits, rows: () => [] };
}

function filtered(snapshot: Snapshot, filter: Filter): Snapshot {
  const { pids, command } = filter;
  const matches = [...snapshot.processes.values()].some(
    ({ pid, name }) => (!pids || pids.includes(pid)) && (command === undefined || name.startsWith(command)),
  );
  if ((pids || command !== undefined) && !matches) {
    const names = [...new Set([...snapshot.processes.values()].map(({ name, pid }) => `${name} ${pid}`))].slice(0, 5);
    throw new UnclosedError(
      'NOTHING_MATCHES',
      `no process of the capture matches ${command === undefined ? `pid ${pids?.join(', ')}` : `-c ${command}`}`,
      names.length > 0 ? `it names ${names.join(', ')}` : 'it names no process',
    );
  }
  return applyFilter(snapshot, filter);
}

/** "Nothing stuck" must not be said of a text that cannot tell. */
function requireSense(text: CaptureText, name: string): void {
  const rows = text.captures.flatMap((capture) => capture.rows);
  const counts = text.captures.flatMap((capture) => capture.counts);
  if (text.lines === 0) {
    throw new UnclosedError(
      'CAPTURE_EMPTY',
      `${name}: no lines`,
      'look at what the command before it prints, and at its errors',
    );
  }
  const command = bestCommand(text);
  const tellMore = `run on that machine: ${command}`;
  if (rows.length === 0 && counts.length === 0) {
    if (text.statistics) {
      throw new UnclosedError('CAPTURE_UNTELLING', `${name}: ss -s does not count CLOSE_WAIT`, tellMore);
    }
    if (text.errorCount === 0 && (text.headers > 0 || text.captures.length > 0)) return;
    const [first] = text.errors;
    throw new UnclosedError(
      'CAPTURE_FOREIGN',
      `${first?.message ?? name}, and no line is one of lsof, ss, netstat or lsfd`,
      'give their output as text; --format names one of them',
    );
  }
  if (text.lostCloseWait > 0 && !rows.some(({ state }) => state === 'CLOSE_WAIT') && counts.length === 0) {
    const line = text.errors.find(({ message }) => /close.?wait/i.test(message))?.message ?? name;
    throw new UnclosedError(
      'CAPTURE_FOREIGN',
      `${line}, which tells of CLOSE_WAIT`,
      'give the rows as the tool printed them',
    );
  }
  if (rows.length > 0 && rows.every(({ state }) => state === 'LISTEN')) {
    throw new UnclosedError('CAPTURE_UNTELLING', `${name}: it lists listening sockets only`, tellMore);
  }
  if (rows.length > 0 && rows.every(({ state, local, closed }) => !state && !local && !closed)) {
    throw new UnclosedError('CAPTURE_UNTELLING', `${name}: this lsfd prints no states`, tellMore);
  }
}

/** From what date(1) or watch(1) printed into both. Zones that are not known are taken as the same. */
function timeBetween(first: CaptureText, last: CaptureText): number | undefined {
  const [from, to] = [first, last].map(({ date = '' }) =>
    Date.parse(date.replace(/\b(?!UTC|GMT)[A-Z]{3,5}\b(?= [0-9]{4}$)/, 'UTC')),
  );
  const between = from === undefined || to === undefined ? Number.NaN : to - from;
  return between > 0 ? between : undefined;
}

function servicesFile(): string | undefined {
  try {
    return readFileSync('/etc/services', 'utf8');
  } catch {
    return undefined;
  }
}
