import type { Advice } from './fix.ts';

// The server was the first to let go of idle connections. The pool has to be earlier, or to look after them.
export const stalePool: Advice = {
  fixes: [
    {
      for: 'HikariCP',
      text: 'HikariCP: maxLifetime some seconds below the limit of the database or firewall; keepaliveTime tests idle connections',
    },
    {
      for: 'Apache HttpClient 5',
      text: 'HttpClient 5: HttpClientBuilder.evictIdleConnections(TimeValue.ofSeconds(20)), below the time-out of the server',
    },
    {
      for: 'Apache HttpClient 4',
      text: 'HttpClient 4: HttpClientBuilder.evictIdleConnections(20, TimeUnit.SECONDS), below the time-out of the server',
    },
    {
      for: 'OkHttp',
      text: 'OkHttp: new ConnectionPool(5, 20, TimeUnit.SECONDS), with a time below that of the server (5 min by default)',
    },
    {
      for: 'Reactor Netty',
      text: 'Reactor Netty: ConnectionProvider maxIdleTime below the time-out of the server, and evictInBackground',
    },
    {
      for: 'Commons Pool',
      text: 'Commons Pool: testWhileIdle and a time between eviction runs (plain GenericObjectPoolConfig has neither), idle time to evict below that of the server',
    },
    {
      for: 'requests',
      text: 'requests, urllib3: idle connections have no time-out there and are replaced at their next use; close the Session when a burst is over',
    },
    {
      for: 'aiohttp',
      text: 'aiohttp: TCPConnector(keepalive_timeout=...) below the time-out of the server (15 s by default)',
    },
    {
      for: 'nginx',
      text: 'nginx: keepalive_timeout in the upstream block below that of the backend (60 s by default)',
    },
    {
      for: 'HAProxy',
      text: 'HAProxy: pool-purge-delay on the server lines (5 s by default), or a lower pool-max-conn',
    },
    {
      for: 'java',
      text: 'Java: java.net.http: -Djdk.httpclient.keepalive.timeout=20 (seconds); in other pools a maximum idle time below that of the server',
    },
    {
      for: 'node',
      text: 'Node.js: undici: keepAliveTimeout below the time-out of the server; http.Agent: timeout, and fewer maxFreeSockets',
    },
    {
      for: 'go',
      text: 'Go: http.Transport.IdleConnTimeout, for databases db.SetConnMaxIdleTime(), below the time-out of the server',
    },
    {
      for: 'dotnet',
      text: '.NET: SocketsHttpHandler.PooledConnectionIdleTimeout below the time-out of the server',
    },
    { for: 'php', text: 'PHP: persistent connections stay as long as their worker: pm.max_requests bounds that' },
    {
      for: 'any',
      text: 'give the pool a maximum idle time below the time-out of the server, and a test of idle connections',
    },
  ],
  inVain: 'TCP keepalive: the server has closed already, and the pool does not look',
};
