import type { SocketRow } from '../../model/finding.ts';
import type { WatchFrame } from '../../model/watch.ts';
import { formatNumber, plural } from '../../model/words.ts';
import { printable } from '../text.ts';
import { fit } from './columns.ts';
import { HELP_LINES } from './help.ts';
import { eventText, traceText } from './lines.ts';
import { processLines } from './process.ts';
import { socketHeading, socketLines } from './sockets.ts';
import { tableHeading, tableLines } from './table.ts';
import { type PageOptions, placeOf, shownSockets, sortedRows, type View } from './view.ts';
import { clock, flowText } from './words.ts';

/** Lines of the log at the bottom of the table. */
const EVENTS = 5;

/**
 * The whole screen: exactly as many lines as it has, none wider than it is. `sockets` are those of the selected row, the
 * oldest first; only the pages of one process need them.
 */
export function renderPage(
  frame: WatchFrame,
  view: View,
  options: PageOptions,
  sockets: readonly SocketRow[] = [],
): string[] {
  const { width, height } = options;
  const lines = view.page === 'table' ? tablePage(frame, view, options) : detailPage(frame, view, options, sockets);
  const footer = footerLine(view, options);
  const body = lines.slice(0, Math.max(0, height - 1));
  const blank = ' '.repeat(width);
  while (body.length < height - 1) body.push(blank);
  return [...body, footer].slice(-height);
}

function tablePage(frame: WatchFrame, view: View, options: PageOptions): string[] {
  const { width, height, paint, utcOffsetMs } = options;
  const header = headerLines(frame, view, options);
  const events = frame.log.slice(-Math.min(EVENTS, Math.floor(height / 4)));
  const room = Math.max(1, height - header.length - 1 - events.length - (events.length > 0 ? 1 : 0) - 1);
  const rows = sortedRows(frame, view);
  const selected = placeOf(rows, view);
  const table =
    rows.length === 0
      ? [paint('ok', fit('  Nothing is in CLOSE_WAIT.', width))]
      : tableLines(rows, selected, room, options);
  const filling = Array<string>(Math.max(0, room - table.length)).fill(' '.repeat(width));
  return [
    ...header,
    paint('strong', tableHeading(view.sort, width)),
    ...table,
    ...filling,
    ...(events.length > 0 ? [paint('dim', fit('── changes '.padEnd(width, '─'), width))] : []),
    ...events.map((event) => paint(event.severity, fit(eventText(event, utcOffsetMs), width))),
  ];
}

function headerLines(frame: WatchFrame, view: View, { width, paint, utcOffsetMs }: PageOptions): string[] {
  const { snapshot, diagnosis, rows, flow, trace, own, intervalMs } = frame;
  const { host, tcpSockets, namespaces, processCount, byState } = snapshot;
  const { closeWait, stuck, maybeStuck, closedButHeld } = diagnosis.totals;
  const kernel = host ? [printable(host.name), `Linux ${host.kernel.replace(/^([0-9]+\.[0-9]+).*$/, '$1')}`] : [];
  const every = intervalMs === undefined ? '' : `every ${(intervalMs / 1000).toFixed(1)} s`;
  const right = `${view.paused ? 'PAUSED  ' : ''}${clock(frame.at, utcOffsetMs)}  ${every}`.trimEnd();
  const left = ['unclosed watch', ...kernel].join(' · ');
  const processes = new Set(
    rows.flatMap(({ count, finding: { subject } }) => (count > 0 ? (subject.process?.pid ?? []) : [])),
  );
  const counts = [
    `${formatNumber(closeWait)} CLOSE_WAIT, ${formatNumber(stuck + maybeStuck)} stuck, in ${plural(processes.size, 'process', 'processes')}`,
    ...(closedButHeld ? [`${formatNumber(closedButHeld)} closed but held`] : []),
    flowText(flow),
  ];
  const others = Object.entries(byState)
    .filter(([state, count]) => state !== 'CLOSE_WAIT' && count > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([state, count]) => `${formatNumber(count)} ${state}`);
  const machine = [
    ...(tcpSockets === undefined ? [] : [plural(tcpSockets, 'TCP socket')]),
    plural(processCount, 'process', 'processes'),
    plural(namespaces.filter(({ read }) => read).length, 'namespace'),
    ...others,
  ];
  const cpu = own.cpuShare === undefined ? '' : `${(own.cpuShare * 100).toFixed(1)} % of a core, `;
  const tool = [
    traceText(trace),
    `itself ${cpu}${Math.round(own.residentBytes / 1e6)} MB`,
    ...(diagnosis.gaps.length > 0 ? [`${plural(diagnosis.gaps.length, 'gap')}: see unclosed`] : []),
    ...(view.filter === '' ? [] : [`only ${printable(view.filter)}`]),
  ];
  const line = (parts: string[]): string => fit(parts.filter((part) => part !== '').join(' · '), width);
  return [
    paint('strong', fit(left, Math.max(0, width - right.length - 1)) + ' '.repeat(width > right.length ? 1 : 0)) +
      (view.paused
        ? paint('warning', fit(right, Math.min(width, right.length)))
        : fit(right, Math.min(width, right.length))),
    paint(diagnosis.status === 'ok' ? 'strong' : diagnosis.status, line(counts)),
    line(machine),
    paint('dim', line(tool)),
  ];
}

function detailPage(frame: WatchFrame, view: View, options: PageOptions, sockets: readonly SocketRow[]): string[] {
  const { width, height, paint } = options;
  const room = Math.max(1, height - 1);
  if (view.page === 'help') return window(HELP_LINES, view.scroll, room).map((line) => fit(line, width));
  if (view.page === 'output') return outputPage(view, options);
  const rows = sortedRows(frame, view);
  const row = rows[placeOf(rows, view)];
  if (!row) return [fit('Nothing is in CLOSE_WAIT any more.', width)];
  const right = clock(frame.at, options.utcOffsetMs);
  const tab = view.page === 'process' ? '[overview]  sockets ' : ' overview  [sockets]';
  const title = fit(`${printable(row.name)}  ${tab}`, Math.max(0, width - right.length - 1));
  const head = paint('strong', `${title} ${right}`);
  if (view.page === 'process') {
    return [head, ...window(processLines(row, frame, options, sockets), view.scroll, room - 1)];
  }
  const shown = shownSockets(sockets, view);
  const note = view.socketFilter === '' ? '' : ` with "${printable(view.socketFilter)}"`;
  const first = Math.min(view.scroll, Math.max(0, shown.length - (room - 3)));
  const last = Math.min(shown.length, first + room - 3);
  const count = `${formatNumber(shown.length === 0 ? 0 : first + 1)} to ${formatNumber(last)} of ${plural(shown.length, 'socket')}${note}`;
  return [
    head,
    paint('dim', fit(count, width)),
    paint('strong', socketHeading(view.socketSort, width)),
    ...socketLines(shown.slice(first, last), width),
  ];
}

/** What a command printed has no colours, and is as wide as a pipe: 80 columns. */
function outputPage({ output, scroll }: View, { width, height, paint }: PageOptions): string[] {
  const { title = '', lines = ['It looks …'] } = output ?? {};
  const room = Math.max(1, height - 2);
  return [
    paint('strong', fit(title, width)),
    ...window(lines, scroll, room).map((line) => fit(printable(line), width)),
  ];
}

/** The part of a long page that is in view; its end stays at the end of the screen. */
function window(lines: readonly string[], scroll: number, room: number): string[] {
  const first = Math.min(scroll, Math.max(0, lines.length - room));
  return lines.slice(first, first + room);
}

const KEYS: Readonly<Record<View['page'], string>> = {
  table: '↑↓ choose  Enter details  / filter  wcgofn sort  space pause  ? help  q quit',
  process: '↑↓ scroll  Tab sockets  ←→ other  i inspect  R relieve  Esc back  ? help  q quit',
  sockets: '↑↓ scroll  Tab overview  arp sort  / filter  ←→ other  Esc back  ? help  q quit',
  output: '↑↓ scroll  Esc back  ? help  q quit',
  help: '↑↓ scroll  Esc back  q quit',
};

function footerLine({ page, prompt }: View, { width, paint }: PageOptions): string {
  if (!prompt) return paint('selected', fit(KEYS[page], width));
  const { text, problem } = prompt;
  if (problem !== undefined) return paint('warning', fit(printable(problem), width));
  const hint = page === 'sockets' ? 'address or port' : '812, -c NAME, --port 80, --peer 10.0.0.7, --unit U';
  const typed = `/${printable(text)}_`;
  return fit(`${typed}   (${hint})`, width);
}
