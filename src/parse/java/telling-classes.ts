import type { ClassCount } from '../../model/inside.ts';
import { originOf } from './origin.ts';
import { POOL_CLASSES } from './pools.ts';

/** Objects by class, and the sockets of the process in CLOSE_WAIT at that moment. */
export type Counted = { classes: ReadonlyMap<string, number>; stuck?: number };

/** What stands for a connection in the JDK, from 8 on. */
const SOCKET_CLASSES = new Set([
  'java.net.Socket',
  'java.net.PlainSocketImpl',
  'java.net.SocksSocketImpl',
  'sun.nio.ch.NioSocketImpl',
  'sun.nio.ch.SocketChannelImpl',
  'sun.nio.ch.SocketAdaptor',
  'sun.nio.ch.UnixAsynchronousSocketChannelImpl',
  'sun.security.ssl.SSLSocketImpl',
  'sun.security.ssl.SSLEngineImpl',
  'jdk.internal.net.http.PlainHttpConnection',
  'jdk.internal.net.http.AsyncSSLConnection',
  'sun.net.www.http.HttpClient',
  'io.netty.channel.socket.nio.NioSocketChannel',
  'io.netty.channel.epoll.EpollSocketChannel',
]);

/** With fewer new stuck sockets many classes grow by as many by chance. */
const FEWEST = 5;
/** A stuck socket keeps one object of a class, or up to three ... */
const MOST_EACH = 3;
/** ... and connections come and go between the two counts. */
const SLACK = 0.1;
const MOST_SUSPECTS = 20;

/** Classes that stand for connections or keep them, and those that grew as the stuck sockets did, from the most on. */
export function tellingClasses(before: Counted, after: Counted | undefined): ClassCount[] {
  const now = after ?? before;
  const grown = after?.stuck === undefined || before.stuck === undefined ? 0 : after.stuck - before.stuck;
  const known: ClassCount[] = [];
  const suspects: ClassCount[] = [];
  for (const [name, count] of now.classes) {
    const change = after && count - (before.classes.get(name) ?? 0);
    const entry = { name, count, ...(change !== undefined && { change }) };
    if (SOCKET_CLASSES.has(name) || POOL_CLASSES.has(name)) known.push(entry);
    else if (change !== undefined && grewAlike(change, grown) && originOf(name) !== 'runtime' && !name.startsWith('['))
      suspects.push(entry);
  }
  const byCount = (one: ClassCount, other: ClassCount): number => other.count - one.count;
  return [...known.sort(byCount), ...suspects.sort(byCount).slice(0, MOST_SUSPECTS)];
}

function grewAlike(change: number, grown: number): boolean {
  if (grown < FEWEST) return false;
  for (let each = 1; each <= MOST_EACH; each++)
    if (Math.abs(change - each * grown) <= SLACK * each * grown) return true;
  return false;
}
