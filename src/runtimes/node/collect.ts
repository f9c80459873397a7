// What runs inside of the process that is looked into. It is sent as source, so it stands for itself alone, in the language
// of Node.js 16; it changes nothing there, and reads fields rather than calling what a program may have replaced.

// biome-ignore-all lint/suspicious/noExplicitAny: objects of another program, of any version of Node.js

/** `wanted` are descriptors that are read first; after `budgetMs` no further socket is. */
export type CollectOptions = { wanted: number[]; most: number; budgetMs: number };

/**
 * Reads the sockets in `candidates`, or else those that keep the process alive, those in pools of agents that can be
 * reached, and those of undici. Gives JSON (`Report` in src/parse/node/report.ts), and the functions whose places are to be looked up.
 */
export function collect(
  load: (name: string) => any,
  options: CollectOptions,
  candidates?: unknown[],
): { report: string; functions: unknown[] } {
  const net = load('net');
  const http = load('http');
  const https = load('https');
  const EventEmitter = load('events').EventEmitter;
  const begun = process.hrtime.bigint();
  const spentMs = (): number => Number(process.hrtime.bigint() - begun) / 1e6;
  const attempt = (read: () => any): any => {
    try {
      return read();
    } catch {
      return undefined;
    }
  };
  const own = (object: any, key: PropertyKey): any => {
    const property = attempt(() => Object.getOwnPropertyDescriptor(object, key));
    return property ? property.value : undefined;
  };
  const bySymbol = (object: any, description: string): any => {
    const symbols: symbol[] = attempt(() => Object.getOwnPropertySymbols(object)) || [];
    const symbol = symbols.find((it) => it.description === description);
    return symbol === undefined ? undefined : own(object, symbol);
  };
  const isSocket = (it: any): boolean =>
    attempt(() => it instanceof net.Socket && !Object.hasOwn(it, 'constructor')) === true;
  const connectionOf = (socket: any): any => {
    const handle = attempt(() => socket._handle);
    const kind = attempt(() => handle.constructor.name);
    return kind === 'TCP' || kind === 'TLSWrap' ? handle : undefined;
  };

  // Agents, and the sockets in their pools.
  const pools = new Map<any, { name: string; idle: boolean; agent: any }>();
  const agents = new Map<any, string>();
  const addAgent = (agent: any, name: string): void => {
    if (!agent || agents.has(agent)) return;
    agents.set(agent, name);
    for (const field of ['sockets', 'freeSockets']) {
      const lists = own(agent, field) || {};
      for (const key of Object.keys(lists))
        for (const socket of Array.isArray(lists[key]) ? lists[key] : [])
          pools.set(socket, { name, idle: field === 'freeSockets', agent });
    }
  };
  const agentName = (agent: any): string => {
    const name = attempt(() => agent.constructor.name) || 'Agent';
    if (name !== 'Agent') return String(name);
    return attempt(() => agent instanceof https.Agent) ? 'https.Agent' : 'http.Agent';
  };
  addAgent(http.globalAgent, 'http.globalAgent');
  addAgent(https.globalAgent, 'https.globalAgent');

  // Sockets of undici, which fetch uses: whatever can be reached from its dispatcher, a few steps deep.
  const reachFrom = (root: any): void => {
    let level = [root];
    const seen = new Set<any>(level);
    for (let depth = 0; depth < 8 && seen.size < 5000; depth++) {
      const next: any[] = [];
      for (const object of level) {
        if (isSocket(object)) {
          if (!pools.has(object)) pools.set(object, { name: 'undici', idle: false, agent: undefined });
          continue;
        }
        const values: any[] =
          object instanceof Map || object instanceof Set
            ? Array.from(object.values())
            : object instanceof WeakRef
              ? [object.deref()]
              : Reflect.ownKeys(object).map((key) => own(object, key));
        for (const value of values) {
          if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) continue;
          seen.add(value);
          next.push(value);
        }
      }
      level = next;
    }
  };
  for (const symbol of Object.getOwnPropertySymbols(globalThis))
    if (symbol.description?.startsWith('undici.globalDispatcher')) attempt(() => reachFrom(own(globalThis, symbol)));

  const active: any[] = attempt(() => (process as any)._getActiveHandles()) || [];
  const listed: any[] = (candidates || active).filter(isSocket);
  for (const socket of listed) {
    const agent = attempt(() => socket._httpMessage.agent);
    if (agent) addAgent(agent, agentName(agent));
  }
  // A server of HTTPS knows its connections, of which only the sockets below TLS keep the program alive.
  const served: any[] = [];
  for (const server of new Set(listed.map((socket) => attempt(() => socket.server)).filter(Boolean)))
    for (const parser of attempt(() => bySymbol(server, 'http.server.connections').all()) || [])
      if (isSocket(attempt(() => parser.socket))) served.push(parser.socket);
  const byFd = new Map<any, { socket: any; handle: any; fd: any }>();
  for (const socket of listed.concat(Array.from(pools.keys()), served)) {
    const handle = connectionOf(socket);
    if (!handle) continue;
    const fd = attempt(() => handle.fd);
    const key = typeof fd === 'number' && fd >= 0 ? fd : socket;
    if (!byFd.has(key) || handle.constructor.name === 'TLSWrap') byFd.set(key, { socket, handle, fd });
  }
  const wanted = new Set(options.wanted);
  const connections = Array.from(byFd.values());
  const ordered = connections
    .filter(({ fd }) => wanted.has(fd))
    .concat(connections.filter(({ fd }) => !wanted.has(fd)));

  // Functions are told apart by their text, and of each text some are looked up: a program makes the same ones for each socket.
  const functions: unknown[] = [];
  const texts: number[][] = [];
  const textIndex = new Map<string, number>();
  const places = new Map<unknown, [text: number, exact: number]>();
  const SAMPLES = 16;
  const place = (listener: any): [number, number] => {
    const known = places.get(listener);
    if (known) return known;
    const source = String(attempt(() => Function.prototype.toString.call(listener)));
    const key = `${attempt(() => own(listener, 'name'))} ${source}`;
    const isNative = source.indexOf('[native code]') >= 0;
    let text = isNative ? undefined : textIndex.get(key);
    if (text === undefined) {
      text = texts.push([]) - 1;
      if (!isNative) textIndex.set(key, text);
    }
    const samples = texts[text] as number[];
    const exact = samples.length < SAMPLES && functions.length < 2000 ? functions.push(listener) - 1 : -1;
    if (exact >= 0) samples.push(exact);
    places.set(listener, [text, exact]);
    return [text, exact];
  };
  const handlersOf = (emitter: any, events: string[], prefix: string): unknown[] =>
    events.flatMap((event) => {
      if (attempt(() => emitter._events[event]) === undefined) return [];
      const listeners = attempt(() => EventEmitter.prototype.listeners.call(emitter, event)) || [];
      return listeners.slice(0, 8).map((it: any) => [prefix + event, ...place(it)]);
    });

  const endpoint = (name: any): unknown =>
    name && typeof name.address === 'string' ? { address: name.address, port: name.port } : undefined;
  const streamState = (stream: any): any => ({
    flowing: attempt(() => stream.readableFlowing),
    paused: attempt(() => stream.isPaused()),
    length: attempt(() => stream.readableLength),
    ended: attempt(() => stream.readableEnded),
    readers: attempt(() => EventEmitter.prototype.listenerCount.call(stream, 'readable')),
  });
  const poolOf = (socket: any): any => {
    const pool = pools.get(socket);
    if (pool && pool.name !== 'undici') return { name: pool.name, idle: pool.idle };
    const client = bySymbol(socket, 'client');
    if (pool || (client && bySymbol(socket, 'parser'))) {
      let proto = client;
      let size: any;
      while (proto && size === undefined) {
        const symbol = Object.getOwnPropertySymbols(proto).find((it) => it.description === 'size');
        if (symbol) size = attempt(() => client[symbol]);
        proto = Object.getPrototypeOf(proto);
      }
      return { name: 'undici', idle: typeof size === 'number' ? size === 0 : undefined };
    }
    // An agent that cannot be reached from here has left its listener.
    if (attempt(() => EventEmitter.prototype.listenerCount.call(socket, 'agentRemove')) > 0)
      return {
        name: attempt(() => connectionOf(socket).constructor.name) === 'TLSWrap' ? 'https.Agent' : 'http.Agent',
        idle: !attempt(() => socket._httpMessage),
      };
    return undefined;
  };
  // Who takes the bytes before the stream sees them: the parser of HTTP, or a layer above (TLS, HTTP/2).
  const consumerOf = (socket: any, handle: any): string | undefined => {
    if (attempt(() => handle._consumed) === true) return 'parser';
    const past = attempt(() => socket.readableFlowing === null && handle.bytesRead > socket.readableLength);
    return past === true ? 'layer' : undefined;
  };
  const serverHandlers = new Map<any, unknown[]>();
  const handlersOfServer = (server: any): unknown[] => {
    const known = server ? serverHandlers.get(server) : [];
    if (known) return known;
    const found = handlersOf(server, ['connection', 'secureConnection', 'request', 'stream'], 'server ');
    serverHandlers.set(server, found);
    return found;
  };
  const describe = ({ socket, handle, fd }: { socket: any; handle: any; fd: any }): any => {
    const ends: any = { local: {}, peer: {} };
    attempt(() => handle.getsockname(ends.local));
    attempt(() => handle.getpeername(ends.peer));
    const message = attempt(() => socket._httpMessage);
    const request = message && attempt(() => message instanceof http.ClientRequest) ? message : undefined;
    const response = request && (attempt(() => request.res) || undefined);
    const server = attempt(() => socket.server) || attempt(() => socket._server);
    return {
      type: attempt(() => socket.constructor.name),
      fd,
      local: endpoint(ends.local),
      peer: endpoint(ends.peer),
      stream: streamState(socket),
      response: response ? streamState(response) : undefined,
      consumed: consumerOf(socket, handle),
      request: request && attempt(() => `${request.method} ${String(request.path).split('?')[0]}`.slice(0, 100)),
      writableEnded: attempt(() => socket.writableEnded),
      allowHalfOpen: attempt(() => socket.allowHalfOpen),
      destroyed: attempt(() => socket.destroyed),
      pool: poolOf(socket),
      handlers: handlersOf(socket, ['end', 'close', 'error', 'data', 'readable', 'timeout', 'connect'], '')
        .concat(request ? handlersOf(request, ['response', 'error', 'timeout', 'close', 'upgrade'], 'request ') : [])
        .concat(response ? handlersOf(response, ['end', 'data', 'readable', 'error', 'close'], 'response ') : [])
        .concat(handlersOfServer(server)),
    };
  };
  const rows: any[] = [];
  const reading = spentMs();
  for (const connection of ordered) {
    if (rows.length >= options.most || (rows.length % 16 === 0 && spentMs() - reading > options.budgetMs)) break;
    rows.push(describe(connection));
  }
  const report = {
    version: process.version,
    found: ordered.length,
    rows,
    texts,
    agents: Array.from(agents, ([agent, name]) => {
      const size = (field: string): number =>
        Object.values(own(agent, field) || {}).reduce((sum: number, list: any) => sum + (list.length || 0), 0);
      const limit = (field: string): any => (Number.isFinite(own(agent, field)) ? own(agent, field) : undefined);
      return {
        name,
        idle: size('freeSockets'),
        used: size('sockets'),
        waiting: size('requests'),
        keepAlive: own(agent, 'keepAlive'),
        maxSockets: limit('maxSockets'),
        maxFreeSockets: limit('maxFreeSockets'),
        timeoutMs: attempt(() => agent.options.timeout),
      };
    }),
    undici: Array.from(pools.values()).filter(({ name }) => name === 'undici').length,
    tookMs: spentMs(),
  };
  return { report: JSON.stringify(report), functions };
}
