import { randomBytes } from 'node:crypto';
import { type ClientRequest, request } from 'node:http';
import type { Socket } from 'node:net';
import { encodeFrame, MessageReader, OPCODE } from '../../parse/node/websocket.ts';
import type { Dial } from './dial.ts';

/** An answer that was not given in time, or will not come. */
export class NoAnswer extends Error {}

type Pending = { resolve(result: unknown): void; reject(error: Error): void; timer: NodeJS.Timeout };
type Listener = (params: unknown) => void;

/** Something that answers commands of the Chrome DevTools Protocol: a main thread, or a worker by way of it. */
export interface Session {
  send<T>(method: string, params: object, timeoutMs: number): Promise<T>;
  /** Calls `listener` with what comes under this name, until what it gives is called. */
  on(event: string, listener: Listener): () => void;
}

/** Numbers commands and finds whose answer a message is. */
export class Commands implements Session {
  readonly #write: (text: string) => void;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Map<string, Set<Listener>>();
  #last = 0;
  #ended: NoAnswer | undefined;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  send<T>(method: string, params: object, timeoutMs: number): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      const id = ++this.#last;
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new NoAnswer(`no answer to ${method} within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      this.#pending.set(id, { resolve: resolve as Pending['resolve'], reject, timer });
      this.#write(JSON.stringify({ id, method, params }));
    });
  }

  on(event: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Takes one message. What is no JSON is nobody's answer. */
  receive(text: string): void {
    let message: { id?: number; method?: string; params?: unknown; result?: unknown; error?: { message?: string } };
    try {
      message = JSON.parse(text);
    } catch {
      this.end(`an answer that is no JSON: ${text.slice(0, 80)}`);
      return;
    }
    if (message.method !== undefined) {
      for (const listener of this.#listeners.get(message.method) ?? []) listener(message.params);
      return;
    }
    const pending = this.#pending.get(message.id ?? -1);
    if (!pending) return;
    this.#pending.delete(message.id ?? -1);
    clearTimeout(pending.timer);
    if (message.error) pending.reject(new NoAnswer(message.error.message ?? 'an error without a message'));
    else pending.resolve(message.result);
  }

  end(why: string): void {
    this.#ended ??= new NoAnswer(why);
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(this.#ended);
    }
    this.#pending.clear();
  }
}

const GET_MS = 3000;

/** What an inspector says of itself at /json/version or /json/list. Undefined when there is none at this port. */
export async function getJson(dial: Dial, path: string): Promise<unknown> {
  const socket = await dial();
  return new Promise((resolve) => {
    const get = request({ path, createConnection: () => socket, headers: HOST, timeout: GET_MS });
    const done = (value?: unknown): void => {
      get.destroy();
      resolve(value);
    };
    get.on('error', () => done());
    get.on('timeout', () => done());
    get.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('error', () => done());
      response.on('data', (piece: string) => {
        text += piece;
        if (text.length > 1e6) done();
      });
      response.on('end', () => done(parsed(text)));
    });
    get.end();
  });
}

/** The inspector answers only to an address or localhost, against DNS rebinding. */
const HOST = { host: 'localhost' };

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * A connection to the inspector of a process. It is told to close by `close`, which also waits for the other side to
 * have done so: src/runtimes/node/closing.ts says why that matters.
 */
export class Inspector extends Commands {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #saidGoodbye = false;

  private constructor(socket: Socket) {
    super((text) => this.#write(OPCODE.text, Buffer.from(text)));
    this.#socket = socket;
    const reader = new MessageReader();
    this.#closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.end('the process has closed the connection');
        resolve();
      });
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('data', (piece: Buffer) => {
      try {
        for (const { opcode, payload } of reader.push(piece)) this.#take(opcode, payload);
      } catch (error) {
        this.end((error as Error).message);
        socket.destroy();
      }
    });
  }

  /** Opens the WebSocket at /`id`, as /json/list names it. */
  static async connect(dial: Dial, id: string): Promise<Inspector> {
    const socket = await dial();
    const headers = {
      ...HOST,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
    };
    const get = request({ path: `/${id}`, createConnection: () => socket, headers });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail('no answer to the WebSocket handshake'), GET_MS);
      const fail = (why: string): void => {
        clearTimeout(timer);
        get.destroy();
        reject(new NoAnswer(why));
      };
      get.on('error', (error) => fail(error.message));
      get.on('response', ({ statusCode }) => fail(`HTTP status ${statusCode} to the WebSocket handshake`));
      get.on('upgrade', (_response, upgraded: Socket, head: Buffer) => {
        clearTimeout(timer);
        const inspector = new Inspector(upgraded);
        if (head.length > 0) upgraded.emit('data', head);
        resolve(inspector);
      });
      (get as ClientRequest).end();
    });
  }

  #write(opcode: number, payload: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(encodeFrame(opcode, payload, randomBytes(4)));
  }

  #take(opcode: number, payload: Uint8Array): void {
    if (opcode === OPCODE.text) this.receive(Buffer.from(payload).toString());
    if (opcode === OPCODE.ping) this.#write(OPCODE.pong, payload);
    // Where it is the first to close it waits for our end. After our own goodbye we wait for its end.
    if (opcode === OPCODE.close && !this.#saidGoodbye) this.#socket.end();
  }

  /** Says that it is over, and waits until the other side has said so too. True when it has. */
  async close(timeoutMs: number): Promise<boolean> {
    this.#saidGoodbye = true;
    this.#write(OPCODE.close, Buffer.from([0x03, 0xe8])); // 1000: normal closure
    return this.ended(timeoutMs);
  }

  /** Waits for the other side to close, and takes the connection away when it does not. True when it has. */
  async ended(timeoutMs: number): Promise<boolean> {
    const timer = new Promise<boolean>((resolve) => setTimeout(resolve, timeoutMs, false).unref());
    const ended = await Promise.race([this.#closed.then(() => true), timer]);
    this.#socket.destroy();
    return ended;
  }
}
