import type { LogEntry } from '../model/log.ts';
import { formatNumber, plural } from '../model/words.ts';
import { printable, wrap } from './text.ts';

/** What was done, the oldest first: when, by whom, what was meant, and under it what came of it. */
export function renderLog(entries: LogEntry[], width: number): string {
  const lines = entries.flatMap((entry, index) => {
    if (entry.event === 'end') return [];
    const later = entries.slice(index + 1).find(({ run }) => run === entry.run);
    const ends = later?.event === 'end' ? endOf(later.what) : ['broken off: how it ended is not known'];
    const head = [entry.at.replace(/\.[0-9]+Z$/, 'Z'), whoOf(entry), beginOf(entry.what)].join('  ');
    const saved = text(entry.what.evidence);
    if (saved !== undefined) ends.push(`saved before: unclosed --from ${saved}`);
    return [...wrap(printable(head), width, 0, 2), ...ends.flatMap((line) => wrap(printable(line), width, 2, 4))];
  });
  return lines.map((line) => `${line}\n`).join('');
}

function whoOf({ by: { user, uid, sudo_user } }: LogEntry): string {
  const name = user ?? `uid ${uid}`;
  return sudo_user === undefined ? name : `${name} (sudo by ${sudo_user})`;
}

// The log outlives the version that has written it: what is not as it is today is left out, and --json shows it.

type What = LogEntry['what'];

function beginOf({ action, name, pid, unit, sockets, steps, undoes, netns }: What): string {
  if (Array.isArray(steps)) {
    const { id } = object(netns);
    const where = typeof id === 'number' ? ` in network namespace ${id}` : '';
    return `${undoes === undefined ? 'set' : 'taken back'}${where}: ${steps.map(stepText).join(', ')}`;
  }
  const count = Array.isArray(sockets) ? plural(sockets.length, 'connection') : undefined;
  return [
    text(action),
    [text(name), typeof pid === 'number' ? `pid ${pid}` : undefined].filter(Boolean).join(' '),
    text(unit),
    count,
  ]
    .filter(Boolean)
    .join(' · ');
}

function endOf({ verdict, outcomes }: What): string[] {
  if (Array.isArray(outcomes)) {
    const done = outcomes.filter((it) => object(it).done === true).length;
    const failures = outcomes.flatMap((it) => {
      const { name, done, why } = object(it);
      return done === true ? [] : `not done: ${text(name)}: ${text(why) ?? 'unknown'}`;
    });
    return [`${formatNumber(done)} of ${formatNumber(outcomes.length)} done`, ...failures];
  }
  const { result, text: truth } = object(verdict);
  return [[text(result), text(truth)].filter(Boolean).join(': ') || 'not understood: see --json'];
}

const object = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function stepText(step: unknown): string {
  const { name, before, after } = object(step);
  return `${text(name)} ${text(before)} -> ${text(after)}`;
}
