import type { Inside, SocketObject, StrandView } from '../model/inside.ts';
import type { Inspection } from '../model/inspection.ts';
import { placeText, referenceText } from '../model/place-text.ts';
import { formatDuration, formatNumber, plural } from '../model/words.ts';
import { eachOf, renderStack } from './code.ts';
import { renderLogs } from './logs.ts';
import type { ReportOptions } from './options.ts';
import { cut, printable, wrap } from './text.ts';

/** What was seen inside processes, a block for each: threads with their stacks, objects, what was read and what was done. */
export const renderInspections = (inspections: readonly Inspection[], options: ReportOptions): string[][] =>
  inspections.flatMap((inspection) => [renderInspection(inspection, options)]);

function renderInspection({ process, inside, strands, logs }: Inspection, options: ReportOptions): string[] {
  const { paint, width } = options;
  const runtime = [inside.runtime ?? process.runtime, inside.version].filter((it) => it !== undefined).join(' ');
  const title = `Inside ${printable(process.name)}  pid ${process.pid}${runtime === '' ? '' : ` · ${runtime}`}`;
  return [
    paint('strong', cut(title, width)),
    ...strandLines(strands, process.name, options),
    ...deadlockLines(inside, options),
    ...epollLines(inside, options),
    ...objectLines(inside, options),
    ...endReadLines(inside, options),
    ...classLines(inside, options),
    ...poolLines(inside, options),
    ...(logs ? renderLogs(logs, options) : []),
    ...attachmentLines(inside, options),
  ];
}

const SHOWN_GROUPS = 6;
const MANY: Record<StrandView['kind'], string> = { thread: 'thread', goroutine: 'goroutine', task: 'task' };

function strandLines(views: readonly StrandView[], program: string, { paint, width, all }: ReportOptions): string[] {
  const working = views.filter(({ atRest }) => !atRest);
  const shown = all ? views : working.slice(0, SHOWN_GROUPS);
  const hidden = views.filter((it) => !shown.includes(it));
  const lines = shown.flatMap((view) => {
    const { kind, count, names, doing, frames } = view;
    const who = `${plural(count, MANY[kind])}${namesText(names.filter((name) => name !== program))}`;
    const head = `  ${who}${doing === undefined ? '' : `: ${eachOf(count, doing)}`}`;
    return [...wrap(printable(head.trimStart()), width, 2, 4), ...renderStack(frames, { paint, width }, 6, all)];
  });
  const resting = hidden.reduce((sum, { atRest, count }) => sum + (atRest ? count : 0), 0);
  const others = hidden.reduce((sum, { atRest, count }) => sum + (atRest ? 0 : count), 0);
  const rest = [
    ...(others > 0 ? [`${formatNumber(others)} more that do something else`] : []),
    ...(resting > 0 ? [`${formatNumber(resting)} at rest or the runtime's own`] : []),
  ];
  return [
    ...lines,
    ...(rest.length > 0
      ? wrap(`and ${rest.join(', ')}: --all shows them`, width, 2, 4).map((it) => paint('dim', it))
      : []),
  ];
}

const SHOWN_NAMES = 3;

function namesText(names: readonly string[]): string {
  const distinct = [...new Set(names)];
  if (distinct.length === 0) return '';
  return ` (${distinct.slice(0, SHOWN_NAMES).join(', ')}${distinct.length > SHOWN_NAMES ? ', …' : ''})`;
}

const deadlockLines = ({ deadlocks = [] }: Inside, { paint, width }: ReportOptions): string[] =>
  deadlocks.flatMap(({ strands }) =>
    wrap(printable(`deadlock: ${strands.join(', ')} wait for each other`), width, 2, 4).map((it) =>
      paint('critical', it),
    ),
  );

/** Which event loops know the stuck sockets, and how many nobody would be told of. */
function epollLines({ epoll, unwatched }: Inside, { width }: ReportOptions): string[] {
  const known = (epoll ?? []).filter(({ stuck }) => stuck.length > 0);
  const lines = known.map(({ fd, watched, stuck }) => {
    const reading = stuck.filter(({ events }) => (events & EPOLLIN) !== 0).length;
    const off =
      reading === stuck.length ? '' : `, ${formatNumber(stuck.length - reading)} of them without asking to read`;
    return `epoll set ${fd} knows ${formatNumber(stuck.length)} of the sockets in CLOSE_WAIT among ${formatNumber(watched)}${off}`;
  });
  const none =
    epoll && epoll.length > 0 && unwatched && unwatched.length > 0
      ? [`${plural(unwatched.length, 'socket', 'sockets')} in CLOSE_WAIT, in no epoll set`]
      : [];
  return [...lines, ...none].flatMap((line) => wrap(line, width, 2, 4));
}

const EPOLLIN = 1; // include/uapi/linux/eventpoll.h

/** Connections by the objects that stand for them, those that are alike together. */
function objectLines({ objects }: Inside, { paint, width }: ReportOptions): string[] {
  if (!objects || objects.length === 0) return [];
  const groups = new Map<string, number>();
  for (const object of objects) {
    const text = objectText(object);
    groups.set(text, (groups.get(text) ?? 0) + 1);
  }
  const sorted = [...groups].sort(([, a], [, b]) => b - a);
  return [
    `  ${paint('strong', `${plural(objects.length, 'object')} for connections`)}`,
    ...sorted
      .slice(0, SHOWN_GROUPS)
      .flatMap(([text, count]) => wrap(printable(`${formatNumber(count)} ${text}`), width, 4, 6)),
    ...(sorted.length > SHOWN_GROUPS
      ? [paint('dim', `    and ${formatNumber(sorted.length - SHOWN_GROUPS)} more kinds`)]
      : []),
  ];
}

function objectText(object: SocketObject): string {
  const { pool, handlers = [], created = [], referredBy = [] } = object;
  const states = [
    ...(object.destroyed ? ['destroyed'] : []),
    ...(object.endDelivered
      ? [object.writableEnded ? 'ended on both sides' : 'told of the end, own side not ended']
      : []),
    ...(object.paused ? ['reading switched off'] : []),
    ...(object.neverRead ? ['never read from'] : []),
    ...(object.bufferedBytes ? ['data in its buffer'] : []),
    ...(object.allowHalfOpen ? ['allowHalfOpen'] : []),
    ...(pool ? [`${pool.idle ? 'idle in' : 'in use by'} ${pool.name}`] : []),
    ...handlers
      .filter(({ place }) => place.origin === 'application')
      .map(({ event, place }) => `'${event}': ${placeText(place)}`),
    ...created
      .filter(({ origin }) => origin === 'application')
      .slice(0, 1)
      .map((frame) => `made in ${placeText(frame)}`),
    ...referredBy.map((it) => `referred to by ${referenceText(it)}`),
  ];
  return [object.type, ...states].join(' · ');
}

function endReadLines({ endReads, watchedMs }: Inside, { paint, width, all }: ReportOptions): string[] {
  if (!endReads || watchedMs === undefined) return [];
  const head = `  ${plural(endReads.length, 'end')} of connections read in ${formatDuration(watchedMs)}`;
  const stacks = new Map<string, { count: number; frames: NonNullable<Inside['endReads']>[number]['frames'] }>();
  for (const { frames } of endReads) {
    const key = frames.map(placeText).join(' ');
    const known = stacks.get(key) ?? { count: 0, frames };
    known.count++;
    stacks.set(key, known);
  }
  return [
    paint('strong', head),
    ...[...stacks.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, 3)
      .flatMap(({ count, frames }) => [
        `    ${formatNumber(count)} times`,
        ...renderStack(frames, { paint, width }, 6, all),
      ]),
  ];
}

const classLines = ({ classes = [] }: Inside, { width }: ReportOptions): string[] =>
  classes.slice(0, SHOWN_GROUPS).map(({ name, count, change }) => {
    const changed =
      change === undefined || change === 0 ? '' : ` (${change > 0 ? '+' : ''}${formatNumber(change)} meanwhile)`;
    return cut(`  ${formatNumber(count)} × ${printable(name)}${changed}`, width);
  });

const poolLines = ({ pools = [] }: Inside, { width }: ReportOptions): string[] =>
  pools.flatMap(({ name, detail }) =>
    wrap(printable(`pool: ${name}${detail === undefined ? '' : `, ${detail}`}`), width, 2, 4),
  );

/** What it cost the process to be asked. Nothing is said where it was only read. */
function attachmentLines({ attachments }: Inside, { paint, width }: ReportOptions): string[] {
  const done = attachments.map(({ what, tookMs, pauseMs }) => {
    const pause = pauseMs === undefined ? '' : `, it stood still for ${inMoments(pauseMs)}`;
    return `${what} (${inMoments(tookMs)}${pause})`;
  });
  return done.length === 0
    ? []
    : wrap(printable(`done to the process: ${done.join('; ')}`), width, 2, 4).map((it) => paint('dim', it));
}

const inMoments = (milliseconds: number): string =>
  milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : formatDuration(milliseconds);
