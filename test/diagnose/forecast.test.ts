import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forecastOf } from '../../src/diagnose/forecast.ts';
import type { Arrivals, Case } from '../../src/model/finding.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import { caseOf, endpoint, HOST_NETNS, listener, snapshot, socket, times, unaccepted } from '../helpers/model.ts';

const HOUR = 3600_000;
const RATE: Arrivals = { perHour: 60, windowMs: 2 * HOUR };
const fds = (open: number, limit: number) => ({ open, limit });

const outbound: Case = caseOf({
  direction: 'outbound',
  sockets: times(50, (i) => socket({ local: endpoint(`10.0.0.1:${50_000 + i}`), peer: endpoint('10.0.4.7:443') })),
  peers: [{ address: '10.0.4.7', port: 443, sockets: 50 }],
});
const withPorts = (localPorts: number, fields: Partial<Omit<Snapshot, 'processes'>> = {}): Snapshot =>
  snapshot({
    namespaces: [{ id: HOST_NETNS, read: true, own: true, localPorts }],
    sockets: outbound.sockets,
    ...fields,
  });

test('descriptors are used up when the rate has filled what is left of the soft limit', () => {
  assert.deepEqual(forecastOf(caseOf(), 'missing-close', fds(904, 1024), RATE, snapshot()), [
    { resource: 'descriptors', inMs: 2 * HOUR },
  ]);
});

test('a full table is full now', () => {
  assert.equal(forecastOf(caseOf(), 'forgotten', fds(1024, 1024), RATE, snapshot())[0]?.inMs, 0);
});

test('without a rate, or for what is bounded, there is no forecast', () => {
  assert.deepEqual(forecastOf(caseOf(), 'missing-close', fds(904, 1024), undefined, snapshot()), []);
  for (const cause of ['churn', 'half-close', 'stale-pool'] as const) {
    assert.deepEqual(forecastOf(caseOf(), cause, fds(904, 1024), RATE, snapshot()), []);
  }
});

test('no date is told that lies a hundred times further than was watched', () => {
  const limit = (left: number) => forecastOf(caseOf(), 'forgotten', fds(100, 100 + left), RATE, snapshot());
  assert.equal(limit(60 * 200).length, 1);
  assert.equal(limit(60 * 200 + 1).length, 0);
});

test('ports run out by destination, and all connections to it count', () => {
  const others = times(30, (i) =>
    socket({ state: 'ESTABLISHED', local: endpoint(`10.0.0.1:${i + 1}`), peer: endpoint('10.0.4.7:443') }),
  );
  const seen = withPorts(200, { sockets: [...outbound.sockets, ...others] });
  assert.deepEqual(forecastOf(outbound, 'forgotten', undefined, RATE, seen), [{ resource: 'ports', inMs: 2 * HOUR }]);
});

test('ports of another namespace, or other connections that were not counted, allow no forecast', () => {
  const { ESTABLISHED: _none, ...byState } = snapshot().byState;
  for (const seen of [withPorts(200, { byState }), snapshot({ sockets: outbound.sockets })]) {
    assert.deepEqual(forecastOf(outbound, 'forgotten', undefined, RATE, seen), []);
  }
  assert.deepEqual(forecastOf(caseOf(), 'forgotten', undefined, RATE, withPorts(200)), []);
});

test('an accept queue takes one more than its limit', () => {
  const one = listener({ queue: 9, limit: 128 });
  const waiting = caseOf({ kind: 'backlog', listener: one, sockets: [unaccepted()] });
  const alone = forecastOf(waiting, 'accept-backlog', undefined, RATE, snapshot({ listeners: [one] }));
  assert.deepEqual(alone, [{ resource: 'accept-queue', inMs: 2 * HOUR }]);
  const shared = snapshot({ listeners: [one, listener({ inode: 901 })] });
  assert.deepEqual(forecastOf(waiting, 'accept-backlog', undefined, RATE, shared), []);
});

test('files of the whole machine count too, and the earliest comes first', () => {
  const seen = snapshot({ files: { open: 9940, limit: 10_000 } });
  assert.deepEqual(
    forecastOf(caseOf(), 'forgotten', fds(904, 1024), RATE, seen).map(({ resource }) => resource),
    ['files', 'descriptors'],
  );
  const unlimited = snapshot({ files: { open: 9940, limit: Number.POSITIVE_INFINITY } });
  assert.deepEqual(forecastOf(caseOf(), 'forgotten', undefined, RATE, unlimited), []);
});
