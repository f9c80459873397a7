import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Finding } from '../../src/model/finding.ts';
import type { Process, Thread, Wait } from '../../src/model/process.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import type { TcpSocket } from '../../src/model/socket.ts';
import { aged, endpoint, holding, listener, process, snapshot, socket, times } from './model.ts';

// A program with stuck connections, and what /proc tells of it: small changes of it make the cases of the rules.

export const LISTENER = listener({ inode: 900 });
/** Descriptors: 3 the epoll set, 4 the listener, from 10 on the stuck sockets, from 500 on the others. */
const EPOLL_FD = 3;
export const EPOLLIN = 0x19; // with EPOLLERR and EPOLLHUP, which the kernel adds
export const EPOLLOUT = 0x1c;
export const EPOLLET = 0x80000000;

export const thread = (kind?: Wait['kind'], fd?: number, fields: Partial<Thread> = {}): Thread => ({
  tid: 812,
  ...(kind && { wait: { call: kind, kind, ...(fd !== undefined && { fd }) } }),
  ...fields,
});
/** In epoll_wait on the set that knows the listener. */
export const LOOP = thread('events', EPOLL_FD);
export const ACCEPTOR = thread('accept', 4);
export const LOCKED = thread('lock');

export const inbound = (count: number, fields: Partial<TcpSocket> = {}): TcpSocket[] =>
  times(count, (i) =>
    socket({ inode: 1000 + i, peer: endpoint(`10.0.0.5:${40_000 + i}`), ...irregular(i), ...fields }),
  );

export const outbound = (count: number, fields: Partial<TcpSocket> = {}): TcpSocket[] =>
  times(count, (i) =>
    socket({
      inode: 1500 + i,
      local: endpoint(`10.0.0.1:${50_000 + i}`),
      peer: endpoint('10.0.4.7:443'),
      ...irregular(i),
      ...fields,
    }),
  );

/** One after the other, but in no pattern. */
const irregular = (i: number): Partial<TcpSocket> => aged(600_000 + i * 30_000 + ((i * 7919) % 29_000));

export type Scene = {
  stuck: TcpSocket[];
  /** Other connections of the process. */
  others?: TcpSocket[];
  threads?: Thread[];
  /** Events asked for, of all stuck sockets; absent when the set does not know them; `unread` when nobody looked. */
  events?: number | 'unread';
  holder?: Partial<Process>;
  more?: Partial<Omit<Snapshot, 'processes'>> & { processes?: Process[] };
};

function holderOf({ stuck, others = [], threads = [LOOP], events, holder = {} }: Scene): Process {
  const known: [number, number][] =
    events === undefined || events === 'unread' ? [] : stuck.map((it) => [it.inode ?? 0, events]);
  return process({
    threadList: threads,
    ...(events !== 'unread' && {
      epoll: { sets: [{ fd: EPOLL_FD, sockets: new Map([[900, EPOLLIN], ...known]) }], complete: true },
    }),
    sockets: new Map([
      ...holding(...stuck),
      [900, [4]] as [number, number[]],
      ...others.map(({ inode = 0 }, i): [number, number[]] => [inode, [500 + i]]),
    ]),
    ...holder,
  });
}

export function snapshotOf(scene: Scene): Snapshot {
  const { processes = [], ...more } = scene.more ?? {};
  return snapshot({
    sockets: [...scene.stuck, ...(scene.others ?? [])],
    listeners: [LISTENER],
    processes: [holderOf(scene), ...processes],
    ...more,
  });
}

export const findingsOf = (scene: Scene): Finding[] => diagnose(snapshotOf(scene)).findings;

/** `cause confidence count`, of each finding. */
export const told = (scene: Scene): string[] =>
  findingsOf(scene).map(({ cause, confidence, subject }) => `${cause} ${confidence} ${subject.sockets.length}`);

export const facts = (scene: Scene): string =>
  findingsOf(scene)
    .flatMap(({ evidence }) => evidence.map(({ fact, says }) => `${fact}: ${says}`))
    .join('\n');
