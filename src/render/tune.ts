import type { Bearing, Setting, TunePage } from '../model/tune.ts';
import { formatNumber, plural } from '../model/words.ts';
import { type Paint, printable, wrap } from './text.ts';

const HEADINGS: readonly [Bearing, string][] = [
  ['reaches', 'Act on connections in CLOSE_WAIT, on some of them'],
  ['buys-time', 'Move a limit that a leak runs into, and stop no leak'],
  ['folklore', 'Named in much advice, and about something else'],
];

/** What is set in one namespace, and what it means for the sockets there. */
export function renderTunePage(page: TunePage, width: number, paint: Paint): string {
  const { netns, closeWait, settings, limits, timeouts } = page;
  return `${[
    paint('strong', `Kernel parameters of ${netnsText(netns)}`),
    ...wrap(answer(closeWait), width, 0),
    ...HEADINGS.flatMap(([bearing, heading]) => [
      '',
      heading,
      ...settings.filter((it) => it.bearing === bearing).flatMap((it) => settingLines(it, width, paint)),
    ]),
    ...(limits.length === 0
      ? []
      : ['', 'Descriptor limits of the processes that hold them', ...limitLines(page, width)]),
    ...(timeouts.length === 0 ? [] : ['', 'Time-outs that these programs should set themselves']),
    ...timeouts.flatMap(({ runtime, processes, lines }) => [
      `  ${runtime}  ${plural(processes.length, 'process', 'processes')}`,
      ...lines.flatMap((line) => wrap(line, width, 4, 6).map((it) => paint('dim', it))),
    ]),
  ].join('\n')}\n`;
}

export const netnsText = ({ id, name, own }: TunePage['netns']): string =>
  `network namespace ${name === undefined ? id : `${printable(name)} ${id}`}${own ? ' (own)' : ''}`;

const answer = (closeWait: number): string =>
  closeWait === 0
    ? 'No connection is in CLOSE_WAIT here.'
    : `${plural(closeWait, 'connection is', 'connections are')} in CLOSE_WAIT here. No parameter closes them: CLOSE_WAIT has no time-out, it waits for the program.`;

function settingLines({ name, value, unit, means, reach }: Setting, width: number, paint: Paint): string[] {
  const shown = value === undefined ? 'not readable' : unit === 'seconds' ? `${value} s` : value;
  const mark =
    reach && reach.of > 0
      ? `  reaches ${reach.sockets === 0 ? 'none' : `at most ${formatNumber(reach.sockets)}`} of ${formatNumber(reach.of)}`
      : '';
  return [`  ${name.padEnd(30)} ${shown}${mark}`, ...wrap(means, width, 4).map((line) => paint('dim', line))];
}

const MOST_PROCESSES = 10;

function limitLines({ limits }: TunePage, width: number): string[] {
  const shown = limits.slice(0, MOST_PROCESSES).flatMap(({ pid, name, open, soft, hard }) => {
    const text = `${printable(name)}  pid ${pid}: ${count(open)} of ${count(soft)} used, can be raised to ${count(hard)}`;
    return wrap(text, width, 2, 4);
  });
  return limits.length > MOST_PROCESSES ? [...shown, `  and ${limits.length - MOST_PROCESSES} more`] : shown;
}

function count(value: number | undefined): string {
  if (value === undefined) return '?';
  return value === Number.POSITIVE_INFINITY ? 'unlimited' : formatNumber(value);
}

/** The stable machine form. */
export const tunePageJson = ({ netns, closeWait, keepalive, settings, limits, timeouts }: TunePage): object => ({
  netns: { id: netns.id, name: netns.name ?? null, own: netns.own },
  close_wait: closeWait,
  keepalive,
  parameters: settings.map(({ name, scope, value, unit, bearing, reach, means }) => ({
    name,
    scope,
    value: value ?? null,
    unit: unit ?? null,
    bearing,
    reach: reach ?? null,
    means,
  })),
  processes: limits.map(({ pid, name, open, soft, hard }) => ({
    pid,
    name,
    fds: { open: open ?? null, limit: finite(soft), hard_limit: finite(hard) },
  })),
  timeouts,
});

const finite = (value: number | undefined): number | null =>
  value === undefined || value === Number.POSITIVE_INFINITY ? null : value;
