// Servers on Node's own modules: node server.mjs CASE
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n';
const online = new Map();

const isReport = (data) => data.toString('latin1').includes('/report');

/** A protocol of its own that allows half-open connections, and forgets to end them after /report. */
function rpc(socket) {
  let faulty = false;
  online.set(socket.remotePort, socket);
  socket.on('data', (data) => {
    faulty = isReport(data);
    socket.write(OK);
  });
  socket.on('end', () => {
    if (faulty) return console.error('the client went away');
    online.delete(socket.remotePort);
    socket.end();
  });
  socket.on('error', () => socket.destroy());
}

/** Sends previews of uploads and stops reading while the disk is slow; nobody calls resume(). */
function upload(socket) {
  let taken = 0;
  socket.on('data', (data) => {
    taken += data.length;
    if (taken < 20_000) return;
    socket.pause();
    const previews = setInterval(() => {
      if (socket.writableLength > 200_000) clearInterval(previews);
      socket.write(`preview ${'.'.repeat(400_000)}\r\n`);
    }, 5);
  });
  socket.on('error', () => socket.destroy());
}

/** A tunnel: half-open on both sides, so the end of one side is passed on and the other side waits. */
function tunnel(client) {
  const server = net.connect({ port: 9000, allowHalfOpen: true });
  client.pipe(server);
  server.pipe(client);
  for (const socket of [client, server]) socket.on('error', () => socket.destroy());
}

/** Answers the whole question line by line, for clients that half-close. */
function report(socket) {
  socket.resume();
  socket.on('end', () => {
    const rows = setInterval(() => socket.write(`row,${'x'.repeat(70)}\n`), 50);
    socket.on('close', () => clearInterval(rows));
  });
  socket.on('error', () => socket.destroy());
}

/** Ends a moment after its client, when the audit log is written. */
function audited(socket) {
  socket.on('data', () => socket.write(OK));
  socket.on('end', () => setTimeout(() => socket.end(), 200));
  socket.on('error', () => socket.destroy());
}

/** An HTTP server; the request for /report makes the whole process wait. */
function website(wait) {
  return http.createServer((request, response) => {
    if (request.url?.startsWith('/report')) setTimeout(wait, 150);
    response.end('ok\n');
  });
}

const backtrack = () => /^(a+)+$/.test(`${'a'.repeat(64)}!`);
const halfOpen = { allowHalfOpen: true };

const SERVERS = {
  'missing-close': () => net.createServer(halfOpen, rpc),
  'missing-close-tls': () => {
    const pem = readFileSync(`${process.env.BUILD}/tls.pem`);
    return tls.createServer({ key: pem, cert: pem, ...halfOpen }, rpc);
  },
  'not-reading': () => net.createServer(halfOpen, upload),
  'proxy-leg': () => net.createServer(halfOpen, tunnel),
  'half-close': () => net.createServer(halfOpen, report),
  churn: () => net.createServer(halfOpen, audited),
  spin: () => website(backtrack),
  'blocking-call': () => website(() => execFileSync('sleep', ['600'])),
};

SERVERS[process.argv[2]]().listen(8000, '127.0.0.1', 256);
