import type { Advice, Fix } from './fix.ts';

const HTTP_CLIENTS: readonly Fix[] = [
  {
    for: 'requests',
    text: 'requests: with requests.get(url, stream=True) as r: ... closes it on every path; without "with", call r.close()',
  },
  {
    for: 'aiohttp',
    text: 'aiohttp: async with session.get(url) as r: ..., and one ClientSession for the program, closed with await session.close()',
  },
  {
    for: 'Apache HttpClient 5',
    text: 'HttpClient 5: client.execute(request, handler) releases the connection by itself; else close the response in a try (...)',
  },
  {
    for: 'Apache HttpClient 4',
    text: 'HttpClient 4: try (CloseableHttpResponse r = client.execute(request)) { ... EntityUtils.consume(r.getEntity()); }',
  },
  {
    for: 'OkHttp',
    text: 'OkHttp: try (Response r = call.execute()) { ... }, for error answers and unread bodies too',
  },
];

// The program has seen the end of the connection and goes on without closing its side.
export const missingClose: Advice = {
  fixes: [
    ...HTTP_CLIENTS,
    {
      for: 'HikariCP',
      text: 'HikariCP: try (Connection c = dataSource.getConnection()) { ... }; leakDetectionThreshold=60000 logs who did not give one back',
    },
    {
      for: 'Netty',
      text: 'Netty: leave ALLOW_HALF_CLOSURE off, or close the channel at ChannelInputShutdownEvent',
    },
    {
      for: 'python',
      when: 'inbound',
      text: 'Python: with conn: ... around the handler, or conn.close() in a finally; asyncio: writer.close() in a finally',
    },
    {
      for: 'python',
      when: 'outbound',
      text: 'Python: with socket.create_connection(...) as s: ..., or close() in a finally; python -X dev names what was not closed',
    },
    {
      for: 'java',
      when: 'inbound',
      text: 'Java: close the socket in a finally of its handler, or try (Socket s = ...); with NIO, close the channel when read() gives -1',
    },
    {
      for: 'java',
      when: 'outbound',
      text: 'Java: try (...) around every socket, stream and response; with HttpURLConnection close getErrorStream() too',
    },
    {
      for: 'node',
      when: 'inbound',
      text: "Node.js: leave allowHalfOpen off, or call socket.end() on 'end'; socket.destroy() on errors and time-outs",
    },
    {
      for: 'node',
      when: 'outbound',
      text: 'Node.js: read or drop every answer, whatever its status: res.resume() or res.destroy(); with fetch: await res.body?.cancel()',
    },
    {
      for: 'go',
      when: 'inbound',
      text: 'Go: defer conn.Close() first thing in the goroutine that serves the connection',
    },
    {
      for: 'go',
      when: 'outbound',
      text: 'Go: defer resp.Body.Close() right after the error check of every request, whatever its status',
    },
    {
      for: 'ruby',
      text: 'Ruby: TCPSocket.open(...) { |s| ... } and Net::HTTP.start(...) { |http| ... } close at the end of the block; else close in an ensure',
    },
    { for: 'php', text: 'PHP: fclose() or socket_close() in a finally, and no pfsockopen() where nothing is reused' },
    {
      for: 'perl',
      text: 'Perl: close the handle on every path; a global variable or a circle of references keeps it open',
    },
    {
      for: 'dotnet',
      text: '.NET: using on every TcpClient, stream and HttpResponseMessage, and one HttpClient for the program',
    },
    {
      for: 'native',
      text: 'close() it after read() has returned 0 and after every error: look at the early returns between',
    },
    { for: 'any', text: 'close the connection when a read gives its end, and on every path that ends with an error' },
  ],
  inVain: 'sysctl (tcp_keepalive_*, tcp_fin_timeout): only close() gives the descriptor back',
};
