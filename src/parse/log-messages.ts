import type { LogKind } from '../model/logs.ts';
import type { Runtime } from '../model/process.ts';

/**
 * A message as programs and libraries write it. A line with one of `texts` in it (letters as they are) is one, if it has
 * `also`, where that is given. The first row that fits a line is the one.
 */
export type MessageRow = {
  id: string;
  kind: LogKind;
  texts: readonly string[];
  also?: RegExp;
  runtime?: Runtime;
  library?: string;
  says: string;
};

type Who = Pick<MessageRow, 'runtime' | 'library' | 'also'>;

const row = (id: string, kind: LogKind, says: string, texts: string[], who: Who = {}): MessageRow => ({
  id,
  kind,
  says,
  texts,
  ...who,
});

const java = (library: string): Who => ({ runtime: 'java', library });
const python = (library?: string): Who => ({ runtime: 'python', ...(library !== undefined && { library }) });
const node = (library?: string): Who => ({ runtime: 'node', ...(library !== undefined && { library }) });

const NO_MORE_FILES = 'it has used up its file descriptors, and connections that are not closed keep them';
const NOT_ACCEPTED = 'it could not accept a connection for want of descriptors: clients wait in the queue';

/** Descriptors run out. */
const DESCRIPTORS: MessageRow[] = [
  row('haproxy-fd-limit', 'descriptors', NOT_ACCEPTED, ['reached process FD limit', 'reached system FD limit'], {
    library: 'HAProxy',
  }),
  row(
    'nginx-connections',
    'descriptors',
    'every connection that a worker may have is in use: those that are not closed count',
    ['worker_connections are not enough'],
    { library: 'nginx' },
  ),
  row('asyncio-accept', 'descriptors', NOT_ACCEPTED, ['socket.accept() out of system resource'], python('asyncio')),
  row('go-accept', 'descriptors', NOT_ACCEPTED, ['http: Accept error'], { runtime: 'go' }),
  row('tomcat-accept', 'descriptors', NOT_ACCEPTED, ['Socket accept failed'], java('Tomcat')),
  row('accept-failed', 'descriptors', NOT_ACCEPTED, ['accept4', 'accept EMFILE', 'accept: '], {
    also: /too many open files|EMFILE|ENFILE/i,
  }),
  row(
    'rabbitmq-fd-alarm',
    'descriptors',
    'it accepts nobody any more, for its descriptors run out',
    ['file descriptor limit alarm set'],
    { library: 'RabbitMQ' },
  ),
  row('files-of-the-machine', 'descriptors', 'the whole machine has used up its open files', [
    'Too many open files in system',
    'too many open files in system',
    'ENFILE',
  ]),
  row('too-many-open-files', 'descriptors', NO_MORE_FILES, [
    'Too many open files',
    'too many open files',
    'EMFILE',
    'No file descriptors available', // musl
  ]),
  row('no-local-ports', 'descriptors', 'there is no local port left for another connection to that address', [
    'EADDRNOTAVAIL',
    'Cannot assign requested address',
    'cannot assign requested address',
  ]),
];

/** A library noticed that somebody keeps or has lost a connection. */
const LEAKS: MessageRow[] = [
  row(
    'hikari-leak',
    'leak',
    'a connection was not given back in time; the stack behind it shows who took it',
    ['Connection leak detection triggered for', 'Apparent connection leak detected'],
    java('HikariCP'),
  ),
  row(
    'okhttp-leak',
    'leak',
    'a response was not closed, and its connection stays open',
    ['was leaked. Did you forget to close a response body?'],
    java('OkHttp'),
  ),
  row('netty-leak', 'leak', 'a buffer was lost without being released', ['LEAK: '], {
    ...java('Netty'),
    also: /was not called before it's garbage-collected/,
  }),
  row(
    'httpclient-not-released',
    'leak',
    'a connection is taken again before it was given back: a response was not consumed or closed',
    ['connection still allocated', 'Connection is still allocated'],
    java('Apache HttpClient'),
  ),
  row(
    'c3p0-leak',
    'leak',
    'a connection was not given back in time',
    ['overdue resource', 'Overdue resource'],
    java('c3p0'),
  ),
  row(
    'tomcat-abandoned',
    'leak',
    'a connection was not given back in time; the stack behind it shows who took it',
    ['Connection has been abandoned'],
    java('Tomcat JDBC'),
  ),
  row(
    'aiohttp-unclosed',
    'leak',
    'a session or a connection was lost without being closed',
    ['Unclosed client session', 'Unclosed connector', 'Unclosed connection', 'Unclosed response'],
    python('aiohttp'),
  ),
  row('python-unclosed', 'leak', 'a socket was lost without being closed', ['ResourceWarning: unclosed'], python()),
  row(
    'sqlalchemy-not-returned',
    'leak',
    'a connection was lost without being given back',
    ['garbage collector is trying to clean up'],
    python('SQLAlchemy'),
  ),
  row(
    'node-listeners',
    'leak',
    'handlers are added to one and the same object again and again, as to a connection that is used anew',
    ['MaxListenersExceededWarning', 'Possible EventEmitter memory leak detected'],
    node(),
  ),
];

const POOL_EMPTY = 'nobody gave a connection back in time: the pool is too small, or connections leak';

/** A pool has no connection left. */
const POOLS: MessageRow[] = [
  row(
    'hikari-exhausted',
    'pool',
    POOL_EMPTY,
    ['Connection is not available, request timed out after'],
    java('HikariCP'),
  ),
  row(
    'httpclient-exhausted',
    'pool',
    POOL_EMPTY,
    ['Timeout waiting for connection from pool', 'ConnectionPoolTimeoutException', 'ConnectionRequestTimeoutException'],
    java('Apache HttpClient'),
  ),
  row(
    'httpclient-shut-down',
    'pool',
    'a client is used that somebody has closed',
    ['Connection pool shut down'],
    java('Apache HttpClient'),
  ),
  row(
    'reactor-exhausted',
    'pool',
    POOL_EMPTY,
    ['Pool#acquire(Duration) has been pending', 'Pending acquire queue has reached its maximum size'],
    java('Reactor Netty'),
  ),
  row(
    'tomcat-pool-exhausted',
    'pool',
    POOL_EMPTY,
    ['Timeout: Pool empty. Unable to fetch a connection'],
    java('Tomcat JDBC'),
  ),
  row(
    'commons-pool-exhausted',
    'pool',
    POOL_EMPTY,
    [
      'Timeout waiting for idle object',
      'Cannot get a connection, pool error',
      'Could not get a resource from the pool',
    ],
    java('Commons Pool'),
  ),
  row('c3p0-exhausted', 'pool', POOL_EMPTY, ['attempt by a client to checkout a'], java('c3p0')),
  row(
    'urllib3-discards',
    'pool',
    'more connections are in use at once than the pool keeps: the surplus is closed after use',
    ['Connection pool is full, discarding connection'],
    python('urllib3'),
  ),
  row('sqlalchemy-exhausted', 'pool', POOL_EMPTY, ['QueuePool limit of size'], python('SQLAlchemy')),
  row('psycopg-exhausted', 'pool', POOL_EMPTY, ["couldn't get a connection after"], python('psycopg_pool')),
  row(
    'knex-exhausted',
    'pool',
    POOL_EMPTY,
    ['Timeout acquiring a connection. The pool is probably full'],
    node('knex'),
  ),
  row('node-postgres-exhausted', 'pool', POOL_EMPTY, ['timeout exceeded when trying to connect'], node('pg')),
  row('generic-pool-exhausted', 'pool', POOL_EMPTY, ['ResourceRequest timed out'], node('generic-pool')),
  row('active-record-exhausted', 'pool', POOL_EMPTY, ['could not obtain a connection from the pool within'], {
    runtime: 'ruby',
    library: 'Active Record',
  }),
  row('connection-pool-exhausted', 'pool', POOL_EMPTY, ['ConnectionPool::TimeoutError'], {
    runtime: 'ruby',
    library: 'connection_pool',
  }),
  row(
    'dotnet-exhausted',
    'pool',
    POOL_EMPTY,
    ['prior to obtaining a connection from the pool', 'The connection pool has been exhausted'],
    { runtime: 'dotnet' },
  ),
  row(
    'postgres-full',
    'pool',
    'the database has no connection left: its clients keep more than they use',
    ['remaining connection slots are reserved', 'sorry, too many clients already'],
    { library: 'PostgreSQL' },
  ),
  row('mysql-full', 'pool', 'the database has no connection left', ['Too many connections'], { library: 'MySQL' }),
  row('redis-full', 'pool', 'the server has no connection left', ['max number of clients reached'], {
    library: 'Redis',
  }),
];

const ALL_BUSY = 'all workers are busy, or stuck: new connections wait until their clients go away';

/** Nobody is left to take up connections. */
const WORKERS: MessageRow[] = [
  row('php-fpm-max-children', 'workers', ALL_BUSY, ['server reached pm.max_children'], {
    runtime: 'php',
    library: 'PHP-FPM',
  }),
  row('httpd-max-workers', 'workers', ALL_BUSY, ['server reached MaxRequestWorkers', 'server reached MaxClients'], {
    library: 'Apache httpd',
  }),
  row('uwsgi-queue-full', 'workers', ALL_BUSY, ['uWSGI listen queue of socket'], python('uWSGI')),
  row(
    'gunicorn-timeout',
    'workers',
    'a worker did not answer for so long that it was killed: it was stuck',
    ['WORKER TIMEOUT (pid:'],
    python('gunicorn'),
  ),
  row('tomcat-threads', 'workers', ALL_BUSY, ['currently busy, waiting. Increase maxThreads'], java('Tomcat')),
  row('java-rejected', 'workers', 'a pool of threads takes no more work', ['RejectedExecutionException'], {
    runtime: 'java',
  }),
  row(
    'hikari-starved',
    'workers',
    'the process stood still for long, or its clock was set',
    ['Thread starvation or clock leap detected'],
    java('HikariCP'),
  ),
];

/** The other side went away. */
const PEERS: MessageRow[] = [
  row(
    'reactor-premature-close',
    'peer',
    'a server closed a connection that the pool kept',
    ['Connection prematurely closed'],
    java('Reactor Netty'),
  ),
  row('node-hang-up', 'peer', 'the other side closed a connection before it answered', ['socket hang up'], node()),
  row(
    'undici-socket',
    'peer',
    'the other side closed a connection that was in use',
    ['UND_ERR_SOCKET', 'other side closed'],
    node('undici'),
  ),
  row(
    'python-remote-disconnected',
    'peer',
    'a server closed a connection that was kept, before it answered',
    ['Remote end closed connection without response'],
    python(),
  ),
  row(
    'nginx-upstream-closed',
    'peer',
    'the service behind it closed a connection before it answered',
    ['upstream prematurely closed connection'],
    { library: 'nginx' },
  ),
  row(
    'connection-reset',
    'peer',
    'the other side ended connections with a reset; what was open on this side is left to close',
    [
      'ECONNRESET',
      'Connection reset by peer',
      'connection reset by peer',
      'SocketException: Connection reset',
      'Connection reset',
      '(104: ',
    ],
  ),
  row('broken-pipe', 'peer', 'it wrote to connections that the other side had closed', [
    'EPIPE',
    'Broken pipe',
    'broken pipe',
  ]),
  row('use-after-close', 'peer', 'it goes on with connections that it has closed itself', [
    'use of closed network connection',
    'SocketException: Socket closed',
    'Socket is closed',
  ]),
  row(
    'write-after-end',
    'peer',
    'it writes to connections that it has ended itself',
    ['ERR_STREAM_WRITE_AFTER_END', 'ERR_STREAM_DESTROYED', 'write after end'],
    node(),
  ),
];

/** No answer comes. */
const SILENCE: MessageRow[] = [
  row('nginx-upstream-timeout', 'silence', 'the service behind it does not answer in time', ['upstream timed out'], {
    library: 'nginx',
  }),
  row('nginx-no-upstreams', 'silence', 'no service behind it is left that answers', ['no live upstreams'], {
    library: 'nginx',
  }),
  row(
    'undici-timeout',
    'silence',
    'another service does not answer in time',
    ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'],
    node('undici'),
  ),
  row('timed-out', 'silence', 'another service does not answer in time', [
    'ETIMEDOUT',
    'Connection timed out',
    'connection timed out',
    'Read timed out',
    'connect timed out',
    'i/o timeout',
    'Client.Timeout exceeded while awaiting headers',
  ]),
  row('refused', 'silence', 'another service does not listen, or its queue is full', [
    'ECONNREFUSED',
    'Connection refused',
    'connection refused',
  ]),
];

/** Every message that is looked for. Who reads this table knows what is found in logs, and what is not. */
export const MESSAGES: readonly MessageRow[] = [...DESCRIPTORS, ...LEAKS, ...POOLS, ...WORKERS, ...PEERS, ...SILENCE];

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** All texts as one pattern of plain alternatives: it looks at each character once or a few times. */
const ANY_TEXT = new RegExp(MESSAGES.flatMap(({ texts }) => texts.map(escaped)).join('|'), 'g');

/** Calls `each` with the place of each text in a log; the same line can be found again and again. */
export function findTexts(log: string, from: number, each: (at: number) => number): void {
  ANY_TEXT.lastIndex = from;
  for (let match = ANY_TEXT.exec(log); match; match = ANY_TEXT.exec(log)) ANY_TEXT.lastIndex = each(match.index);
}

/** The first row that fits the line. */
export const messageOf = (line: string): MessageRow | undefined =>
  MESSAGES.find(({ texts, also }) => texts.some((text) => line.includes(text)) && (also?.test(line) ?? true));
