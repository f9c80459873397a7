// Programs that leak connections, to be looked into: node inside.mjs CASE. Each is its own peer, prints READY when the leak
// is there, and ends with its standard input.
import { execFileSync } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const kept = [];
const READY = `READY ${JSON.stringify({ pid: process.pid })}`;

const ready = () => process.stdout.write(`${READY}\n`);

const listen = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A client that says something and hangs up, and stays that way. */
const hangUp = (port, words = 'hello') =>
  new Promise((resolve) => {
    const client = net.connect(port, '127.0.0.1', () => client.end(words));
    client.on('finish', () => setTimeout(resolve, 50));
    kept.push(client);
  });

/** The handler of 'end' forgets to end its own side. */
async function halfOpen() {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', () => {});
    socket.on('end', () => kept.push(socket));
  });
  const port = await listen(server);
  for (let count = 0; count < 3; count++) await hangUp(port);
}

/** Reading is switched off for a moment that never ends. */
async function paused() {
  const server = net.createServer((socket) => {
    socket.on('data', () => socket.pause());
  });
  await hangUp(await listen(server), 'x'.repeat(100_000));
}

/** An answer that is no success is put aside, with its body. */
async function unread() {
  const body = 'x'.repeat(200_000);
  const backend = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(`HTTP/1.1 503 Busy\r\nContent-Length: ${body.length}\r\n\r\n${body}`));
  });
  const port = await listen(backend);
  await new Promise((resolve) => {
    const request = http.get({ port, path: '/prices?key=secret', agent: false }, (response) => {
      kept.push(response);
      setTimeout(resolve, 100);
    });
    request.on('error', (error) => console.error(error));
  });
}

/** Connections that lie idle: in the global pool, in one of its own that nothing refers to but this array, and of fetch. */
async function pooled() {
  await halfOpen();
  const port = await listen(http.createServer((_, response) => response.end('ok')));
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 8 });
  const get = (options) =>
    new Promise((resolve, reject) => {
      http.get({ port, ...options }, (response) => response.resume().on('end', resolve)).on('error', reject);
    });
  await Promise.all([get({}), get({}), get({ agent }), get({ agent }), get({ agent })]);
  await (await fetch(`http://127.0.0.1:${port}/`)).text();
  kept.push(agent);
  await pause(50);
}

function busyLoop() {
  for (let round = 0; ; round++) Math.sqrt(round);
}

async function busy() {
  await halfOpen();
  ready();
  busyLoop();
}

async function native() {
  await halfOpen();
  try {
    execFileSync('sh', ['-c', 'echo "$READY"; exec sleep 600'], { env: { READY }, stdio: 'inherit' });
  } catch {} // whoever tires of it ends the child
}

async function worker() {
  const started = new Worker(new URL(import.meta.url), { workerData: 'halfOpen', name: 'mail' });
  await new Promise((resolve) => started.once('message', resolve));
}

async function ownHandler() {
  process.on('SIGUSR1', () => process.stdout.write('HANDLER CALLED\n'));
  await halfOpen();
}

const CASES = { halfOpen, paused, unread, pooled, busy, native, worker, ownHandler };

if (isMainThread) {
  process.stdin.on('end', () => process.exit()).resume();
  await CASES[process.argv.at(-1)]();
  ready();
} else {
  const { parentPort } = await import('node:worker_threads');
  await CASES[workerData]();
  parentPort.postMessage('READY');
  setInterval(() => {}, 1000);
}
