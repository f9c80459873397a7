import type { ClassCount, Strand } from '../../model/inside.ts';

/**
 * How a pool of connections shows: by its own class and that of what it keeps, by the name of a thread of its own, and by
 * the method in which threads wait for a connection. Names as in the sources of the libraries.
 */
type PoolSigns = { name: string; pool: string[]; kept: string[]; thread?: RegExp; waitsIn?: RegExp };

const POOLS: PoolSigns[] = [
  {
    name: 'HikariCP',
    pool: ['com.zaxxer.hikari.pool.HikariPool'],
    kept: ['com.zaxxer.hikari.pool.PoolEntry'],
    thread: /^HikariPool-[0-9]+ |:housekeeper$|:connection-adder$/,
    waitsIn: /^com\.zaxxer\.hikari\.(?:pool\.HikariPool\.getConnection|util\.ConcurrentBag\.borrow)$/,
  },
  {
    name: 'Commons DBCP',
    pool: ['org.apache.commons.dbcp2.BasicDataSource', 'org.apache.commons.dbcp.BasicDataSource'],
    kept: ['org.apache.commons.dbcp2.PoolableConnection', 'org.apache.commons.dbcp.PoolableConnection'],
    waitsIn: /^org\.apache\.commons\.dbcp2?\.PoolingDataSource\.getConnection$/,
  },
  {
    name: 'Commons Pool',
    pool: ['org.apache.commons.pool2.impl.GenericObjectPool', 'org.apache.commons.pool2.impl.GenericKeyedObjectPool'],
    kept: ['org.apache.commons.pool2.impl.DefaultPooledObject', 'org.apache.commons.pool2.impl.PooledSoftReference'],
    thread: /^commons-pool-evict(?:or|ion-timer)/,
    waitsIn: /^org\.apache\.commons\.pool2\.impl\.Generic(?:Keyed)?ObjectPool\.borrowObject$/,
  },
  {
    name: 'Tomcat JDBC Pool',
    pool: ['org.apache.tomcat.jdbc.pool.ConnectionPool'],
    kept: ['org.apache.tomcat.jdbc.pool.PooledConnection'],
    thread: /^Tomcat JDBC Pool Cleaner/,
    waitsIn: /^org\.apache\.tomcat\.jdbc\.pool\.ConnectionPool\.borrowConnection$/,
  },
  {
    name: 'Druid',
    pool: ['com.alibaba.druid.pool.DruidDataSource'],
    kept: ['com.alibaba.druid.pool.DruidConnectionHolder'],
    thread: /^Druid-ConnectionPool-/,
    waitsIn: /^com\.alibaba\.druid\.pool\.DruidDataSource\.(?:pollLast|takeLast)$/,
  },
  {
    name: 'c3p0',
    pool: ['com.mchange.v2.resourcepool.BasicResourcePool'],
    kept: ['com.mchange.v2.c3p0.impl.NewPooledConnection'],
    thread: /^C3P0PooledConnectionPoolManager/,
    waitsIn: /^com\.mchange\.v2\.resourcepool\.BasicResourcePool\.awaitAvailable$/,
  },
  {
    name: 'Apache HttpClient 4',
    pool: ['org.apache.http.impl.conn.PoolingHttpClientConnectionManager', 'org.apache.http.impl.conn.CPool'],
    kept: ['org.apache.http.impl.conn.CPoolEntry'],
    waitsIn: /^org\.apache\.http\.pool\.AbstractConnPool(?:\$[0-9]+)?\.(?:getPoolEntryBlocking|get)$/,
  },
  {
    name: 'Apache HttpClient 5',
    pool: ['org.apache.hc.client5.http.impl.io.PoolingHttpClientConnectionManager'],
    kept: ['org.apache.hc.core5.pool.PoolEntry'],
    waitsIn: /^org\.apache\.hc\.client5\.http\.impl\.io\.PoolingHttpClientConnectionManager(?:\$[0-9]+)?\.get$/,
  },
  {
    name: 'OkHttp',
    pool: ['okhttp3.ConnectionPool', 'okhttp3.internal.connection.RealConnectionPool'],
    kept: ['okhttp3.internal.connection.RealConnection'],
    thread: /^OkHttp (?:ConnectionPool|TaskRunner)/,
  },
  {
    name: 'Reactor Netty',
    pool: ['reactor.netty.resources.DefaultPooledConnectionProvider'],
    kept: ['reactor.netty.resources.DefaultPooledConnectionProvider$PooledConnection'],
    thread: /^reactor-http-/,
  },
  {
    name: 'Netty',
    pool: ['io.netty.channel.pool.FixedChannelPool', 'io.netty.channel.pool.SimpleChannelPool'],
    kept: ['io.netty.channel.socket.nio.NioSocketChannel', 'io.netty.channel.epoll.EpollSocketChannel'],
    thread: /^(?:nioEventLoopGroup|epollEventLoopGroup|multiThreadIoEventLoopGroup)-/,
  },
  {
    name: 'java.net.http.HttpClient',
    pool: ['jdk.internal.net.http.ConnectionPool'],
    kept: ['jdk.internal.net.http.PlainHttpConnection', 'jdk.internal.net.http.AsyncSSLConnection'],
    thread: /^HttpClient-[0-9]+-SelectorManager$/,
  },
];

/** Classes of pools, and of the connections that they keep. */
export const POOL_CLASSES: ReadonlySet<string> = new Set(POOLS.flatMap(({ pool, kept }) => [...pool, ...kept]));

/** The pools of connections that a program has, as its threads and its objects show them. */
export function recognisePools(
  strands: readonly Strand[],
  classes: readonly ClassCount[],
): { name: string; detail?: string }[] {
  return POOLS.flatMap(({ name, pool, kept, thread, waitsIn }) => {
    const found = (names: string[]): ClassCount[] => classes.filter((entry) => names.includes(entry.name));
    const objects = found([...pool, ...kept]);
    const waiting = waitsIn ? strands.filter((strand) => isWaiting(strand, waitsIn)) : [];
    const shows = objects.length > 0 || waiting.length > 0 || strands.some((strand) => thread?.test(strand.name ?? ''));
    if (!shows) return [];
    const facts = [
      ...objects.map((entry) => `${entry.count} ${entry.name}`),
      ...(waiting.length > 0
        ? [`${waiting.length} ${waiting.length === 1 ? 'thread waits' : 'threads wait'} in it for a connection`]
        : []),
    ];
    return [{ name, ...(facts.length > 0 && { detail: facts.join(', ') }) }];
  });
}

/** It stands in the method, and not in what that calls to make a new connection. */
function isWaiting({ state, frames }: Strand, method: RegExp): boolean {
  if (state !== 'WAITING' && state !== 'TIMED_WAITING') return false;
  const inner = frames.findIndex(({ function: name }) => method.test(name));
  return (
    inner >= 0 &&
    frames.slice(0, inner).every(({ function: name, origin }) => origin === 'runtime' || IN_POOL.test(name))
  );
}

const IN_POOL =
  /^(?:com\.zaxxer\.hikari|org\.apache\.commons\.(?:pool2?|dbcp2?)|org\.apache\.tomcat\.jdbc\.pool|org\.apache\.http\.pool|org\.apache\.hc\.core5\.(?:pool|concurrent))\./;
