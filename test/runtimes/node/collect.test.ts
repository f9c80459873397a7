import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo, type Server } from 'node:net';
import { after, test } from 'node:test';
import tls from 'node:tls';
import type { Frame } from '../../../src/model/inside.ts';
import { parseReport, type Report } from '../../../src/parse/node/report.ts';
import { collect } from '../../../src/runtimes/node/collect.ts';

// The collector in this very process, on connections that it makes itself.

const OPTIONS = { wanted: [] as number[], most: 1000, budgetMs: 1000 };
const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

function ask(options = OPTIONS, candidates?: unknown[]): Report {
  const { report, functions } = collect((name) => process.getBuiltinModule(name), options, candidates);
  const places = functions.map((it): Frame => ({ function: (it as { name: string }).name, origin: 'application' }));
  return parseReport(report, places);
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** The socket of a server in which a connection ends that came from this port. */
const servedTo = ({ objects }: Report, port: number | undefined) => objects.find(({ peer }) => peer?.port === port);

test('of a socket below HTTP/2 nothing is told of reading', async () => {
  const server = http2.createServer((_request, response) => response.end('ok'));
  const client = http2.connect(`http://127.0.0.1:${await portOf(server)}`);
  ends.push(() => client.destroy());
  const stream = client.request({ ':path': '/' }).resume();
  await once(stream, 'end');
  const served = servedTo(ask(), client.socket.localPort);
  assert.ok(served?.fd);
  assert.deepEqual([served.neverRead, served.endDelivered, served.paused], [undefined, undefined, undefined]);
});

test('of a connection of TLS the upper of its two sockets is told, where it can be reached', async () => {
  const psk = Buffer.alloc(16, 7);
  const common = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const;
  const server = tls.createServer({ ...common, pskCallback: () => psk, allowHalfOpen: true });
  const accepted = once(server, 'secureConnection');
  const raw = once(server, 'connection');
  const port = await portOf(server);
  const check = { checkServerIdentity: () => undefined, pskCallback: () => ({ psk, identity: 'test' }) };
  const client = tls.connect({ port, ...common, ...check });
  ends.push(() => client.destroy());
  await once(client, 'secureConnect');
  const [upper] = (await accepted) as [tls.TLSSocket];
  const [lower] = (await raw) as [net.Socket];
  server.on('secureConnection', function serves() {});
  upper.on('end', function forgets() {}).resume();
  client.end();
  await once(upper, 'end');

  const reached = servedTo(ask(), client.localPort ?? upper.remotePort);
  assert.equal(reached?.type, 'net.Socket');
  assert.equal(reached.endDelivered, undefined);
  assert.ok(reached.handlers?.some((it) => it.event === 'server secureConnection' && it.place.function === 'serves'));

  const { objects } = ask(OPTIONS, [lower, upper]);
  const whole = objects.filter(({ fd }) => fd === reached.fd);
  assert.equal(whole.length, 1);
  assert.equal(whole[0]?.type, 'tls.TLSSocket');
  assert.equal(whole[0]?.endDelivered, true);
  assert.ok(whole[0]?.handlers?.some((it) => it.event === 'end' && it.place.function === 'forgets'));
  upper.destroy();
});

test('sockets that are wanted come first, and the others are counted when they are too many', async () => {
  const sockets: net.Socket[] = [];
  const port = await portOf(net.createServer((socket) => sockets.push(socket)));
  for (let count = 0; count < 5; count++) {
    const client = net.connect(port, '127.0.0.1');
    ends.push(() => client.destroy());
    await once(client, 'connect');
  }
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  const { objects } = ask();
  const wanted = objects.at(-1)?.fd ?? -1;
  const few = ask({ ...OPTIONS, wanted: [wanted], most: 2 });
  assert.deepEqual([few.objects.length, few.objects[0]?.fd, few.left], [2, wanted, objects.length - 2]);
  assert.equal(ask({ ...OPTIONS, budgetMs: -1 }).objects.length, 0);
});
