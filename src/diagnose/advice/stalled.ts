import type { Advice } from './fix.ts';

// What would have ended the waiting. For a process that somebody stopped there is nothing to change in its code.
export const stalled: Advice = {
  fixes: [
    {
      for: 'HikariCP',
      text: "HikariCP: set the driver's socketTimeout (PostgreSQL counts seconds, MySQL milliseconds) and connectionTimeout of the pool",
    },
    {
      for: 'Apache HttpClient 5',
      text: 'HttpClient 5: RequestConfig.setResponseTimeout() and setConnectionRequestTimeout()',
    },
    {
      for: 'Apache HttpClient 4',
      text: 'HttpClient 4: RequestConfig.setSocketTimeout(), setConnectTimeout() and setConnectionRequestTimeout()',
    },
    { for: 'OkHttp', text: 'OkHttp: callTimeout() bounds a whole call (none by default), readTimeout() each read' },
    {
      for: 'Reactor Netty',
      text: 'Reactor Netty: HttpClient.responseTimeout(Duration), and no block() in its threads',
    },
    { for: 'requests', text: 'requests: timeout=(3, 30) in every call: without it a call waits for ever' },
    { for: 'aiohttp', text: 'aiohttp: ClientSession(timeout=ClientTimeout(total=30)): the default is 5 min' },
    {
      for: 'Commons Pool',
      text: 'Commons Pool (Jedis, DBCP): a maximum wait (by default callers wait for ever for a free connection), and a socket time-out',
    },
    { for: 'Netty', text: 'Netty: nothing that blocks in a handler; ReadTimeoutHandler for ends that say nothing' },
    {
      for: 'gunicorn',
      text: 'gunicorn: --timeout above 0 replaces sync workers that hang; it is no substitute for time-outs in the calls',
    },
    {
      for: 'uvicorn',
      text: 'uvicorn: nothing that blocks in an async def: await asyncio.to_thread(...) for it, with a time-out',
    },
    {
      for: 'PHP-FPM',
      text: 'PHP-FPM: request_terminate_timeout ends hung requests; request_slowlog_timeout and slowlog show where they hang',
    },
    {
      for: 'java',
      text: 'Java: Socket.setSoTimeout(), HttpRequest.Builder.timeout(), URLConnection.setReadTimeout(): none is set by default',
    },
    {
      for: 'python',
      text: 'Python: socket.settimeout(), or the option of the client (redis: socket_timeout): none is set by default',
    },
    {
      for: 'node',
      text: 'Node.js: AbortSignal.timeout(ms) for fetch, req.setTimeout(ms, () => req.destroy()) for http; long work to a worker thread',
    },
    { for: 'go', text: 'Go: http.Client{Timeout: ...} (none by default), context.WithTimeout(), conn.SetDeadline()' },
    { for: 'ruby', text: 'Ruby: open_timeout and read_timeout of Net::HTTP, and those of the database client' },
    {
      for: 'php',
      text: 'PHP: CURLOPT_TIMEOUT (none by default), default_socket_timeout, and the time-outs of the database client',
    },
    {
      for: 'perl',
      text: 'Perl: the Timeout option of IO::Socket, timeout of LWP::UserAgent, and those of the database client',
    },
    {
      for: 'dotnet',
      text: '.NET: HttpClient.Timeout (100 s by default), and a CancellationToken for every read of a raw socket',
    },
    { for: 'native', text: 'SO_RCVTIMEO and SO_SNDTIMEO, or poll() with a time-out before each blocking call' },
    { for: 'any', text: 'give every blocking call a time-out' },
  ],
  inVain: 'more workers or threads: they will wait as well',
};
