import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isGrowing, patternsOf } from '../../src/diagnose/patterns.ts';
import type { Pattern } from '../../src/model/finding.ts';
import type { TcpSocket } from '../../src/model/socket.ts';
import { aged, endpoint, socket, times } from '../helpers/model.ts';
import { random } from '../helpers/random.ts';

const SECOND = 1000;
const MINUTE = 60_000;
const HOUR = 3600_000;
const LIMIT = MINUTE;

type Arrival = { age: number; address?: string };

const socketsOf = (arrivals: Arrival[]): TcpSocket[] =>
  arrivals
    .toSorted((a, b) => b.age - a.age)
    .map(({ age, address = '10.0.0.5' }, i) => socket({ ...aged(age), peer: endpoint(`${address}:${20_000 + i}`) }));
const found = (arrivals: Arrival[]) => patternsOf({ sockets: socketsOf(arrivals), direction: 'inbound' }, LIMIT);
const factsOf = (arrivals: Arrival[]): string =>
  found(arrivals)
    .evidence.map(({ fact }) => fact)
    .join('\n');

/** Arrivals at random over `span`, at an even rate. */
function poisson(seed: number, count: number, span: number): Arrival[] {
  const next = random(seed);
  return times(count, () => ({ age: LIMIT + next() * span }));
}

/** Arrivals whose rate grows in proportion to time: the later, the more. */
function growing(seed: number, count: number, span: number): Arrival[] {
  const next = random(seed);
  return times(count, () => ({ age: LIMIT + (1 - Math.sqrt(next())) * span }));
}

function periodic(seed: number, count: number, period: number, jitter: number, address = '10.0.0.5'): Arrival[] {
  const next = random(seed);
  return times(count, (i) => ({ age: LIMIT + i * period + (next() - 0.5) * jitter * period, address }));
}

/** How many of so many simulations show a pattern. */
const share = (pattern: Pattern, make: (seed: number) => Arrival[], of = 500): number =>
  times(of, (seed) => found(make(seed + 1)).patterns.includes(pattern)).filter(Boolean).length / of;

test('random arrivals at an even rate are seldom taken for anything else', () => {
  for (const count of [10, 20, 50, 200]) {
    const make = (seed: number): Arrival[] => poisson(seed, count, 2 * HOUR);
    for (const pattern of ['probe', 'burst', 'accelerating', 'plateau'] as const) {
      const wrong = share(pattern, make);
      assert.ok(wrong <= 0.01, `${count} arrivals taken for ${pattern}: ${wrong}`);
    }
  }
});

test('random arrivals at an even rate are called steady more often than not, from 20 on', () => {
  assert.equal(
    share('steady', (seed) => poisson(seed, 19, 2 * HOUR)),
    0,
  );
  assert.ok(share('steady', (seed) => poisson(seed, 100, 2 * HOUR)) > 0.7);
});

test('a rate that grows all the time is accelerating, the surer the more there are, and seldom called steady', () => {
  assert.ok(share('accelerating', (seed) => growing(seed, 100, 2 * HOUR)) > 0.95);
  assert.ok(share('accelerating', (seed) => growing(seed, 70, 2 * HOUR)) > 0.7);
  assert.ok(share('steady', (seed) => growing(seed, 100, 2 * HOUR)) <= 0.01);
});

test('a rate that falls is not called steady, and not accelerating', () => {
  const falling = (seed: number): Arrival[] =>
    growing(seed, 100, 2 * HOUR).map(({ age }) => ({ age: 2 * HOUR + 2 * LIMIT - age }));
  assert.ok(share('steady', falling) <= 0.01);
  assert.equal(share('accelerating', falling), 0);
});

test('a fixed interval from one address is a probe, with its period, jitter and missed ones allowed', () => {
  const all = periodic(7, 40, 10 * SECOND, 0.05);
  assert.deepEqual(found(all).patterns, ['probe']);
  assert.match(factsOf(all), /^one every 10 s from 10\.0\.0\.5$|^one every (9\.[0-9]|10) s from 10\.0\.0\.5$/m);
  assert.deepEqual(found(all.filter((_, i) => i % 7 !== 3)).patterns, ['probe']);
  assert.ok(share('probe', (seed) => periodic(seed, 20, 10 * SECOND, 0.08)) > 0.95);
});

test('a fixed interval of outbound connections is a timer of the program', () => {
  const sockets = socketsOf(periodic(7, 40, 10 * SECOND, 0.05));
  const [evidence] = patternsOf({ sockets, direction: 'outbound' }, LIMIT).evidence;
  assert.match(evidence?.fact ?? '', /^one every \S+ s to 10\.0\.0\.5$/);
  assert.match(evidence?.says ?? '', /a timer of this program/);
});

test('two balancers with an interval of their own each are a probe', () => {
  const both = [...periodic(1, 30, 10 * SECOND, 0.02), ...periodic(2, 30, 10 * SECOND, 0.02, '10.0.0.6')];
  assert.match(factsOf(both), /one every \S+ s from 10\.0\.0\.\d and 1 more address/);
});

test('a probe among as much other traffic is not called the pattern of all', () => {
  const mixed = [
    ...periodic(1, 30, 10 * SECOND, 0.02),
    ...poisson(2, 30, 300 * SECOND).map((it) => ({ ...it, address: '10.0.0.6' })),
  ];
  assert.ok(!found(mixed).patterns.includes('probe'));
});

test('nearly all at one moment, long ago, is a burst', () => {
  const next = random(3);
  const burst = times(100, () => ({ age: 2 * HOUR + next() * 20 * SECOND }));
  assert.deepEqual(found(burst).patterns, ['burst']);
  assert.deepEqual(found([...burst, ...poisson(4, 9, 2 * HOUR)]).patterns, ['burst']);
  assert.match(factsOf(times(10, () => ({ age: HOUR }))), /came at once, 1 h ago/);
});

test('arrivals that stopped long ago, after a while, are a plateau', () => {
  const stopped = poisson(5, 50, HOUR).map(({ age }) => ({ age: age + 30 * MINUTE }));
  assert.deepEqual(found(stopped).patterns, ['plateau']);
  assert.match(factsOf(stopped), /none came in the last 3\d min/);
});

test('fewer than ten sockets, or unknown ages, allow no statement', () => {
  assert.deepEqual(found(poisson(1, 9, HOUR)).patterns, []);
  assert.deepEqual(found(times(9, () => ({ age: HOUR }))).patterns, []);
  const unknown = times(50, (i) =>
    socket({ timer: 'keepalive', lastAckReceivedMs: 100, lastDataReceivedMs: HOUR + i }),
  );
  assert.deepEqual(patternsOf({ sockets: unknown, direction: 'inbound' }, LIMIT), { patterns: [], evidence: [] });
  assert.deepEqual(patternsOf({ sockets: [], direction: 'inbound' }, LIMIT), { patterns: [], evidence: [] });
});

test('whatever the ages, there is one line of evidence for each pattern, and not two shapes at once', () => {
  const ages = fc.array(fc.record({ age: fc.nat(10 * HOUR), address: fc.constantFrom('10.0.0.5', '10.0.0.6') }));
  fc.assert(
    fc.property(ages, (arrivals) => {
      const { patterns, evidence } = found(arrivals);
      assert.equal(patterns.length, evidence.length);
      assert.ok(patterns.filter((it) => it !== 'probe').length <= 1);
      for (const { fact } of evidence) assert.doesNotMatch(fact, /NaN|Infinity|undefined/);
    }),
  );
});

test('what comes one after the other until now grows; a burst, a stop, or a few do not', () => {
  assert.equal(isGrowing(socketsOf(poisson(1, 50, HOUR))), true);
  assert.equal(isGrowing(socketsOf(times(50, (i) => ({ age: HOUR + i })))), false);
  assert.equal(isGrowing(socketsOf(poisson(1, 50, HOUR).map(({ age }) => ({ age: age + HOUR })))), false);
  assert.equal(isGrowing(socketsOf(poisson(1, 9, HOUR))), false);
});
