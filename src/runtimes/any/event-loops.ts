import { EpollReader } from '../../kernel/epoll.ts';
import type { EpollSet, Inside } from '../../model/inside.ts';
import type { Subject } from '../subject.ts';
import { epollCut } from './gaps.ts';

/**
 * For one process that somebody asks about: its event loop waits 0.3 microseconds for each entry of a set that is listed, and
 * with this many, 12 ms in all.
 */
const LIMITS = { sockets: 20_000, linksEach: 20_000, links: 20_000 };

/** Which of the stuck sockets the event loops know, and which none knows. */
export function readEventLoops({ machine, process, sockets }: Subject): Pick<Inside, 'epoll' | 'unwatched' | 'gaps'> {
  const found = new EpollReader(machine, LIMITS).read(process);
  const held = process.sockets?.size ?? 0;
  if (!found) return { gaps: held > LIMITS.sockets ? [epollCut(held)] : [] };
  const stuck = sockets.flatMap(({ state, inode }) => (state === 'CLOSE_WAIT' && inode !== undefined ? [inode] : []));
  const epoll = found.sets.map(({ fd, sockets: inSet }): EpollSet => {
    const known = stuck.flatMap((inode) => {
      const events = inSet.get(inode);
      return events === undefined ? [] : [{ inode, events }];
    });
    return { fd, watched: inSet.size, stuck: known };
  });
  if (!found.complete) return { epoll, gaps: [] };
  return { epoll, unwatched: stuck.filter((inode) => !found.sets.some((set) => set.sockets.has(inode))), gaps: [] };
}
