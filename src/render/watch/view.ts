import type { SocketRow } from '../../model/finding.ts';
import type { WatchFrame, WatchRow } from '../../model/watch.ts';
import { formatEndpoint } from '../../model/words.ts';
import type { ReportOptions } from '../options.ts';

/** What a page is drawn for. */
export type PageOptions = Omit<ReportOptions, 'all' | 'verbose'> & { height: number; utcOffsetMs: number };

/** What somebody looks at, and how: everything on the screen that does not come from the machine. */
export type View = {
  page: 'table' | 'process' | 'sockets' | 'output' | 'help';
  /** Key of a row; the first one when absent, or when there is none of that key any more. */
  selected?: string;
  sort: Sort;
  socketSort: SocketSort;
  /** Sockets with this text in one of their ends. */
  socketFilter: string;
  /** First line that is shown of a page that may be longer than the screen. */
  scroll: number;
  paused: boolean;
  /** Of the page `output`: a command of ours that was run on the selected process, and what it printed so far. */
  output?: Output;
  /** What is being typed after `/`, and what is wrong with it. */
  prompt?: { text: string; problem?: string };
  /** The filter in force, as it was typed. */
  filter: string;
};

/** `lines` are absent as long as it runs. */
export type Output = { title: string; lines?: readonly string[] };

export const FIRST_VIEW: View = {
  page: 'table',
  sort: 'worst',
  socketSort: 'age',
  socketFilter: '',
  scroll: 0,
  paused: false,
  filter: '',
};

export type Sort = 'worst' | 'count' | 'growth' | 'oldest' | 'fds' | 'name';
export type SocketSort = 'age' | 'recvq' | 'peer';

const growth = ({ flow }: WatchRow): number => (flow.enteredPerMinute ?? 0) - (flow.leftPerMinute ?? 0);
const fdShare = ({ finding: { fds } }: WatchRow): number => (fds?.limit === undefined ? -1 : fds.open / fds.limit);

const ORDER: Readonly<Record<Exclude<Sort, 'worst'>, (a: WatchRow, b: WatchRow) => number>> = {
  count: (a, b) => b.count - a.count,
  growth: (a, b) => growth(b) - growth(a),
  oldest: (a, b) => (b.finding.age?.oldestMs ?? -1) - (a.finding.age?.oldestMs ?? -1),
  fds: (a, b) => fdShare(b) - fdShare(a),
  name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
};

/** Rows come with the worst first, and stay so among equals. */
export const sortedRows = ({ rows }: WatchFrame, { sort }: View): readonly WatchRow[] =>
  sort === 'worst' ? rows : rows.toSorted(ORDER[sort]);

/** Place of the selected row; 0 when it is gone. */
export const placeOf = (rows: readonly WatchRow[], { selected }: View): number =>
  Math.max(
    0,
    rows.findIndex(({ key }) => key === selected),
  );

const SOCKET_ORDER: Readonly<Record<Exclude<SocketSort, 'age'>, (a: SocketRow, b: SocketRow) => number>> = {
  recvq: (a, b) => (b.socket.recvQueue ?? -1) - (a.socket.recvQueue ?? -1),
  peer: (a, b) => comparePeers(a.socket.peer, b.socket.peer),
};

function comparePeers(a: SocketRow['socket']['peer'], b: SocketRow['socket']['peer']): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port;
}

/** Sockets come with the oldest first. */
export function shownSockets(sockets: readonly SocketRow[], { socketSort, socketFilter }: View): readonly SocketRow[] {
  const matching =
    socketFilter === ''
      ? sockets
      : sockets.filter(({ socket: { local, peer } }) =>
          `${formatEndpoint(local)} ${formatEndpoint(peer)}`.includes(socketFilter),
        );
  return socketSort === 'age' ? matching : matching.toSorted(SOCKET_ORDER[socketSort]);
}
