import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standingOf } from '../../src/diagnose/ages.ts';
import { arrivalsOf } from '../../src/diagnose/arrivals.ts';
import type { TcpSocket } from '../../src/model/socket.ts';
import { aged, socket, times } from '../helpers/model.ts';
import { random } from '../helpers/random.ts';

const MINUTE = 60_000;
const HOUR = 3600_000;
const LIMIT = MINUTE;

/** The arrivals of sockets of these ages, the oldest first as a case has them. */
const rateOf = (ages: number[]) => rateOfSockets(ages.toSorted((a, b) => b - a).map((age) => socket(aged(age))));

function rateOfSockets(sockets: TcpSocket[]) {
  const standing = sockets.map((it) => standingOf(it, LIMIT));
  const stuck = standing.filter((it) => it === 'stuck').length;
  const maybeStuck = standing.filter((it) => it === 'maybe').length;
  return arrivalsOf({ sockets, stuck, maybeStuck }, LIMIT);
}

/** Ages of sockets that came at random, `perHour` on average, over the last `hours`. */
function poisson(seed: number, perHour: number, hours: number): number[] {
  const next = random(seed);
  const ages: number[] = [];
  for (let age = 0; age < hours * HOUR; age += (-Math.log(1 - next()) * HOUR) / perHour) ages.push(age);
  return ages;
}

test('one socket a minute is 60 an hour', () => {
  const rate = rateOf(times(100, (i) => LIMIT + (i + 1) * MINUTE));
  assert.deepEqual(rate, { perHour: 60, windowMs: 100 * MINUTE });
});

test('a steady random leak is measured within three standard deviations, and is seldom taken for a pause', () => {
  const rates = times(50, (seed) => rateOf(poisson(seed + 1, 75, 8))?.perHour).filter((rate) => rate !== undefined);
  assert.ok(rates.length >= 48, `${rates.length} of 50`); // 0.7 % are taken for a pause
  for (const rate of rates) assert.ok(Math.abs(rate - 75) < (3 * 75) / Math.sqrt(600), String(rate));
});

test('sockets younger than the limit do not count, so that healthy traffic is no leak', () => {
  const leak = times(50, (i) => LIMIT + (i + 1) * MINUTE);
  const traffic = times(500, (i) => i * 100);
  assert.deepEqual(rateOf([...leak, ...traffic]), rateOf(leak));
});

test('nine sockets say nothing about a rate, ten do', () => {
  const ages = times(10, (i) => LIMIT + (i + 1) * MINUTE);
  assert.equal(rateOf(ages.slice(0, 9)), undefined);
  assert.notEqual(rateOf(ages), undefined);
});

test('less than a minute of watching says nothing about a rate', () => {
  const within = (span: number) => times(20, (i) => LIMIT + ((i + 1) * span) / 20);
  assert.equal(rateOf(within(MINUTE - 1)), undefined);
  assert.notEqual(rateOf(within(MINUTE)), undefined);
});

test('a burst long ago is no rate', () => {
  assert.equal(rateOf(times(200, (i) => 2 * HOUR + i * 10)), undefined);
});

test('a leak that has paused for more than five mean gaps is no rate, one of less is', () => {
  const since = (pause: number) => rateOf(times(21, (i) => LIMIT + pause + i * MINUTE));
  assert.equal(since(5 * MINUTE + 1), undefined);
  assert.notEqual(since(5 * MINUTE), undefined);
});

test('sockets whose age is only a range do not count', () => {
  const ranges = times(100, (i) => socket({ lastAckReceivedMs: LIMIT + i * MINUTE, lastDataReceivedMs: 1e9 - i }));
  assert.equal(rateOfSockets(ranges), undefined);
});

test('no sockets have no rate', () => {
  assert.equal(rateOf([]), undefined);
});
