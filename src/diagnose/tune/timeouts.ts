import type { Process, Runtime } from '../../model/process.ts';
import type { TimeoutAdvice } from '../../model/tune.ts';

// What a program sets itself does what kernel parameters are asked for in vain. One line each for connect, read, idle
// connections and pools, in the words of the runtime's own interface.
const TIMEOUTS: Partial<Record<Runtime, readonly string[]>> = {
  java: [
    'connect, read: Socket.connect(address, ms) and setSoTimeout(ms); HttpClient.connectTimeout, HttpRequest.timeout',
    'pool: evict idle connections sooner than the server closes them; limit their lifetime',
  ],
  node: [
    'server: server.keepAliveTimeout, server.requestTimeout, socket.setTimeout(ms) with a handler that calls destroy()',
    'client: http.Agent({ keepAlive, timeout }), AbortSignal.timeout(ms) for fetch',
  ],
  python: [
    'connect, read: socket.create_connection(address, timeout), settimeout(s); timeout= of every requests call',
    'asyncio: asyncio.timeout(s) around reads; close the writer in finally',
  ],
  go: [
    'server: http.Server ReadTimeout, WriteTimeout, IdleTimeout; conn.SetDeadline for raw connections',
    'client: http.Client.Timeout, Transport.IdleConnTimeout; always resp.Body.Close()',
  ],
  ruby: ['connect, read: Net::HTTP open_timeout, read_timeout; keep_alive_timeout below that of the server'],
  php: ['connect, read: default_socket_timeout, stream_set_timeout; request_terminate_timeout of PHP-FPM'],
  perl: ['connect, read: IO::Socket::INET Timeout covers connect only: alarm, or IO::Select before reads'],
  dotnet: [
    'HttpClient.Timeout, SocketsHttpHandler.PooledConnectionIdleTimeout and ConnectTimeout',
    'server: Kestrel Limits.KeepAliveTimeout, Limits.RequestHeadersTimeout',
  ],
  native: [
    'read, write: SO_RCVTIMEO, SO_SNDTIMEO, or poll with a time-out; TCP_USER_TIMEOUT for data that is not acknowledged',
  ],
};

/** Time-outs for the runtimes of these processes, in the order in which they come. */
export function timeoutsFor(processes: readonly Process[]): TimeoutAdvice[] {
  const byRuntime = new Map<Runtime, number[]>();
  for (const { pid, runtime } of processes) {
    if (runtime === undefined) continue;
    byRuntime.set(runtime, [...(byRuntime.get(runtime) ?? []), pid]);
  }
  return [...byRuntime].flatMap(([runtime, pids]) => {
    const lines = TIMEOUTS[runtime];
    return lines ? [{ runtime, processes: pids, lines: [...lines] }] : [];
  });
}
