import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ageAtLeast, ageOf, ageSpanOf, agesOf, countStandings, isExact, standingOf } from '../../src/diagnose/ages.ts';
import type { TcpSocket } from '../../src/model/socket.ts';
import { SocketRows } from '../../src/model/socket-table.ts';
import { aged, socket } from '../helpers/model.ts';

const LIMIT = 60_000;

/** A socket with these three times of tcp_info. */
const withTimes = (acknowledged: number, received: number, sent: number, more: Partial<TcpSocket> = {}): TcpSocket =>
  socket({ lastAckReceivedMs: acknowledged, lastDataReceivedMs: received, lastDataSentMs: sent, ...more });

function ageless(): TcpSocket {
  const { lastAckReceivedMs: _a, lastDataReceivedMs: _d, lastDataSentMs: _s, ...rest } = socket();
  return rest;
}

test('the age is exact when the last acknowledgement came with the last data', () => {
  const age = ageOf(withTimes(5000, 5000, 5001));
  assert.deepEqual(age, { atLeastMs: 5000, atMostMs: 5000 });
  assert.equal(isExact(age), true);
});

test('a tenth of a second between both is the same moment, more is not', () => {
  assert.equal(isExact(ageOf(withTimes(5000, 5100, 0))), true);
  assert.equal(isExact(ageOf(withTimes(5000, 5101, 0))), false);
});

test('an acknowledgement after the FIN leaves a range', () => {
  assert.deepEqual(ageOf(withTimes(1000, 90_000, 1020)), { atLeastMs: 1000, atMostMs: 90_000 });
});

test('the lower bound is never above the upper one', () => {
  assert.deepEqual(ageOf(withTimes(5004, 5000, 0)), { atLeastMs: 5000, atMostMs: 5000 });
});

test('without tcp_info no bound is known', () => {
  assert.deepEqual(ageOf(ageless()), {});
  assert.equal(isExact({}), false);
  assert.equal(isExact({ atLeastMs: 1 }), false);
});

for (const [what, standing, it] of [
  ['exactly at the limit', 'stuck', socket(aged(LIMIT))],
  ['a millisecond below the limit', 'young', socket(aged(LIMIT - 1))],
  ['of unknown age', 'maybe', ageless()],
  ['whose peer answers keepalive probes', 'maybe', withTimes(900, 3600_000, 3600_000, { timer: 'keepalive' })],
  [
    'with a keepalive timer, whose range begins above the limit',
    'stuck',
    withTimes(LIMIT, 9e6, 9e6, { timer: 'keepalive' }),
  ],
  [
    'with a keepalive timer, whose range ends below the limit',
    'young',
    withTimes(900, LIMIT - 1, 9e6, { timer: 'keepalive' }),
  ],
  ['to which data was sent after the FIN, and acknowledged', 'maybe', withTimes(1000, 90_000, 1020)],
  ['that waits for an acknowledgement', 'maybe', withTimes(1000, 90_000, 500, { timer: 'retransmit' })],
  ['of an idle connection whose peer has just closed', 'young', withTimes(1000, 3600_000, 3600_001)],
  // Its reader may have said since that it has read it (a window update), which is an acknowledgement too.
  ['to whose peer data was sent after its last', 'maybe', withTimes(1000, 3600_000, 50_000)],
] as const) {
  test(`a socket ${what} is ${standing}`, () => assert.equal(standingOf(it, LIMIT), standing));
}

test('the forms for many sockets agree with the plain ones', () => {
  const time = fc.option(fc.nat(200_000), { nil: undefined });
  fc.assert(
    fc.property(time, time, fc.nat(300), (acknowledged, received, apart) => {
      for (const ack of [acknowledged, received === undefined ? undefined : received - Math.min(apart, received)]) {
        const it = {
          ...ageless(),
          ...(ack !== undefined && { lastAckReceivedMs: ack }),
          ...(received !== undefined && { lastDataReceivedMs: received }),
        };
        const age = ageOf(it);
        const rows = SocketRows.of([it]);
        assert.equal(ageSpanOf(rows).exact, isExact(age));
        assert.equal(agesOf(rows).atLeast[0], ageAtLeast(it));
        for (const limit of [0, 1000, 60_000]) {
          const { stuck, maybe } = countStandings(rows.table, limit, rows.rows);
          assert.equal(stuck === 1 ? 'stuck' : maybe === 1 ? 'maybe' : 'young', standingOf(it, limit));
        }
        if (age.atLeastMs !== undefined) assert.equal(ageAtLeast(it), age.atLeastMs);
        if (isExact(age) && age.atLeastMs !== undefined) {
          assert.equal(standingOf(it, LIMIT) === 'stuck', age.atLeastMs >= LIMIT);
        }
      }
    }),
  );
});
