import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { SocketObject } from '../../../src/model/inside.ts';
import { NoAnswer, type Session } from '../../../src/runtimes/node/inspector.ts';
import { askSockets, loopTurns, runningFrames } from '../../../src/runtimes/node/questions.ts';

// fixtures/node/ holds answers of real inspectors, written by scripts/node-answers.ts.

const FOLDER = fileURLToPath(new URL('../../../fixtures/node/', import.meta.url));
const OPTIONS = { wanted: [], most: 1000, budgetMs: 1000 };
const APP = '/srv/shop/workloads/node/inside.mjs';
const lines = readFileSync(`${FOLDER}inside.mjs`, 'utf8').split('\n');

/** The line of the program in which this stands, counted from 1. */
const lineOf = (text: string): number => {
  const found = lines.flatMap((line, index) => (line.includes(text) ? [index + 1] : []));
  assert.equal(found.length, 1, `"${text}" stands in ${found.length} lines`);
  return found[0] ?? 0;
};

type Entry = { method: string; result?: unknown; error?: string; events?: { method: string; params: unknown }[] };

/** Gives the recorded answers, those to one method in their order. */
function replay(file: string): Session {
  const entries = readFileSync(`${FOLDER}${file}`, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Entry);
  const listeners = new Map<string, (params: unknown) => void>();
  const take = (method: string): Entry | undefined => {
    const index = entries.findIndex((entry) => entry.method === method);
    return index < 0 ? undefined : entries.splice(index, 1)[0];
  };
  return {
    on: (event, listener) => {
      listeners.set(event, listener);
      return () => listeners.delete(event);
    },
    async send<T>(method: string): Promise<T> {
      const entry = take(method);
      if (!entry || entry.error !== undefined) throw new NoAnswer(entry?.error ?? `no ${method} was recorded`);
      for (const event of entry.events ?? []) listeners.get(event.method)?.(event.params);
      if (method === 'Debugger.pause') listeners.get('Debugger.paused')?.(take('paused')?.result);
      return entry.result as T;
    },
  };
}

const recordings = (name: string): string[] => readdirSync(FOLDER).filter((file) => file.endsWith(`-${name}.json`));
const handler = ({ handlers = [] }: SocketObject, event: string) => handlers.find((it) => it.event === event)?.place;

async function socketsIn(file: string): Promise<SocketObject[]> {
  const session = replay(file);
  assert.equal(await loopTurns(session), true);
  return (await askSockets(session, OPTIONS, file.includes('everywhere'))).objects;
}

test('each of the recorded versions is there', () => {
  for (const name of ['pooled', 'unread', 'paused', 'busy'])
    assert.deepEqual(
      recordings(name),
      ['v20', 'v22', 'v24', 'v26'].map((version) => `${version}-${name}.json`),
    );
});

test('a half-open socket that was told of the end names the handler that forgets to end it', async () => {
  for (const file of recordings('pooled')) {
    const leaked = (await socketsIn(file)).filter(({ endDelivered }) => endDelivered);
    assert.equal(leaked.length, 3, file);
    for (const socket of leaked) {
      assert.equal(socket.type, 'net.Socket');
      assert.equal(socket.allowHalfOpen, true);
      assert.equal(socket.writableEnded, false);
      const line = lineOf("socket.on('end', () => kept.push(socket))");
      assert.deepEqual(handler(socket, 'end'), { function: '(anonymous)', file: APP, line, origin: 'application' });
    }
  }
});

test('idle connections of the global agent and of fetch are told from those in use', async () => {
  for (const file of recordings('pooled')) {
    const pools = (await socketsIn(file)).flatMap(({ pool }) => pool ?? []);
    assert.deepEqual(
      pools.map(({ name, idle }) => `${name} ${idle}`).sort(),
      ['http.globalAgent true', 'http.globalAgent true', 'undici true'],
      file,
    );
  }
});

test('the whole heap also gives the idle connections of an agent that only the program knows', async () => {
  const [file = ''] = recordings('pooled-everywhere');
  const own = (await socketsIn(file)).filter(({ pool }) => pool?.name === 'http.Agent');
  assert.deepEqual(
    own.map(({ pool }) => pool?.idle),
    [true, true, true],
  );
});

test('a response that nobody reads names the request, without its secrets, and the handler of its errors', async () => {
  for (const file of recordings('unread')) {
    const [socket, ...others] = (await socketsIn(file)).filter(({ referredBy }) => referredBy);
    assert.ok(socket && others.length === 0);
    assert.deepEqual(socket.referredBy, ['http.ClientRequest GET /prices']);
    assert.equal(socket.neverRead, true);
    assert.ok((socket.bufferedBytes ?? 0) > 0);
    assert.equal(handler(socket, 'request error')?.line, lineOf('console.error(error)'));
  }
});

test('a socket that was paused names the handler that paused it', async () => {
  for (const file of recordings('paused')) {
    const [socket, ...others] = (await socketsIn(file)).filter(({ paused }) => paused);
    assert.ok(socket && others.length === 0);
    assert.equal(socket.endDelivered, false);
    assert.equal(socket.neverRead, undefined);
    assert.equal(handler(socket, 'data')?.line, lineOf('socket.pause()'));
  }
});

test('where the event loop does not come round, the stack names the line that runs', async () => {
  for (const file of recordings('busy')) {
    const session = replay(file);
    assert.equal(await loopTurns(session), false);
    const [first, caller] = (await runningFrames(session)) ?? [];
    assert.deepEqual(first, {
      function: 'busyLoop',
      file: APP,
      line: lineOf('Math.sqrt(round)'),
      origin: 'application',
    });
    assert.equal(caller?.function, 'busy', file);
  }
});

test('an inspector that answers nothing more is an error that was expected', async () => {
  const silent: Session = { on: () => () => {}, send: () => Promise.reject(new NoAnswer('gone')) };
  await assert.rejects(askSockets(silent, OPTIONS, false), NoAnswer);
  await assert.rejects(loopTurns(silent), NoAnswer);
});
