import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ageEvidence, holderEvidence, receiveQueueEvidence } from '../../src/diagnose/evidence.ts';
import { caseOf, process, socket, sockets, times } from '../helpers/model.ts';

const queueFacts = (...queues: number[]): string[] =>
  receiveQueueEvidence(caseOf({ sockets: queues.map((recvQueue) => socket({ recvQueue })) })).map(({ fact }) => fact);

test('Recv-Q 0, 1 and more are told apart, each with its count', () => {
  assert.deepEqual(queueFacts(0, 0, 1, 263, 263), ['Recv-Q 0 on 2 of 5', 'Recv-Q 1 on 1 of 5', 'Recv-Q 263 on 2 of 5']);
});

test('when all are alike one fact says so', () => {
  assert.deepEqual(queueFacts(1, 1, 1), ['Recv-Q 1 on all 3']);
});

test('different amounts of unread data are told as a range', () => {
  assert.deepEqual(queueFacts(12_345, 2, 300), ['Recv-Q 2 to 12,345 on all 3']);
});

test('Recv-Q of 150,000 sockets is told without overflowing the stack', () => {
  assert.equal(receiveQueueEvidence(caseOf({ sockets: sockets(150_000, { recvQueue: 5 }) })).length, 1);
});

test('Recv-Q says nothing of sockets that nobody has accepted, or of none', () => {
  assert.deepEqual(receiveQueueEvidence(caseOf({ kind: 'backlog' })), []);
  assert.deepEqual(receiveQueueEvidence(caseOf({ kind: 'closed', sockets: [] })), []);
});

test('sizes are hints: a TLS goodbye, a ClientHello, a request that came in', () => {
  const said = (recvQueue: number, direction: 'inbound' | 'outbound' = 'inbound'): string =>
    receiveQueueEvidence(caseOf({ direction, sockets: [socket({ recvQueue })] }))[0]?.says ?? '';
  assert.match(said(25), /as large as an unread TLS goodbye \(close_notify\)/);
  assert.match(said(518), /as much as a TLS ClientHello/);
  assert.match(said(263), /as much as one HTTP request/);
  assert.doesNotMatch(said(263, 'outbound') + said(99) + said(40_000), /as much as/);
});

const coHolders = (count: number) =>
  times(count, (i) => ({ process: process({ pid: 900 + i, name: `w${i}` }), sockets: 7 }));

test('a single holder is no evidence, further ones are, and more than three are counted', () => {
  assert.deepEqual(holderEvidence(caseOf(), 'unknown'), []);
  assert.match(
    holderEvidence(caseOf({ coHolders: coHolders(1) }), 'unknown')[0]?.fact ?? '',
    /also open in w0 900 \(7 sockets\)/,
  );
  assert.match(
    holderEvidence(caseOf({ coHolders: coHolders(5) }), 'unknown')[0]?.fact ?? '',
    /w0 900, w1 901, w2 902 and 2 more/,
  );
});

test('an age that is not known is told, with keepalive as the reason only where it is on', () => {
  assert.deepEqual(ageEvidence(caseOf()), []);
  assert.doesNotMatch(ageEvidence(caseOf({ maybeStuck: 2 }))[0]?.says ?? '', /keepalive/);
  const [evidence] = ageEvidence(caseOf({ maybeStuck: 2, sockets: [socket({ timer: 'keepalive' })] }));
  assert.match(evidence?.fact ?? '', /2 sockets/);
  assert.match(evidence?.says ?? '', /keepalive/);
});
