import assert from 'node:assert/strict';
import { test } from 'node:test';
import { step, type WatchState } from '../../../src/app/watch/state.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import type { TcpSocket } from '../../../src/model/socket.ts';
import {
  aged,
  endpoint,
  holding,
  listener,
  NOW,
  process,
  snapshot,
  socket,
  sockets,
  unaccepted,
} from '../../helpers/model.ts';
import { sight, watchAll } from '../../helpers/watch.ts';

/** gunicorn 812 with these sockets. */
const holds = (...held: TcpSocket[]): Snapshot =>
  snapshot({ sockets: held, listeners: [listener()], processes: [process({ sockets: holding(...held, listener()) })] });

const texts = ({ frame }: WatchState): string[] => frame.log.map(({ who, what }) => `${who}: ${what}`);

test('what is there at the first look is neither entered nor news', () => {
  const { frame } = watchAll([holds(...sockets(40))]);
  assert.deepEqual(frame.flow, { entered: 0, left: 0 });
  assert.deepEqual(frame.events, []);
  assert.equal(frame.rows[0]?.name, 'gunicorn 812');
  assert.equal(frame.rows[0]?.count, 40);
  assert.equal(frame.intervalMs, undefined);
});

test('entries and exits are told apart, also when the count stays the same', () => {
  const { frame } = watchAll([holds(...sockets(40)), holds(...sockets(40, {}, 1015))]);
  assert.deepEqual(frame.rows[0]?.flow, { entered: 15, left: 15 });
  assert.deepEqual(frame.rows[0]?.history, [40, 40]);
  assert.equal(frame.intervalMs, 2000);
});

test('rates are per minute, of the last minute, and unknown in the first ten seconds', () => {
  const growing = Array.from({ length: 60 }, (_, look) => holds(...sockets(10 + look)));
  assert.equal(watchAll(growing.slice(0, 5)).frame.flow.enteredPerMinute, undefined);
  const { flow } = watchAll(growing).frame;
  assert.equal(flow.enteredPerMinute, 30);
  assert.equal(flow.leftPerMinute, 0);
});

test('a jump is one line that says from where', () => {
  const before = Array.from({ length: 6 }, () => holds(...sockets(20)));
  const state = watchAll([...before, holds(...sockets(20), ...sockets(40, { peer: endpoint('10.0.0.9:1') }, 5000))]);
  assert.deepEqual(texts(state), ['gunicorn 812: +40 in 12 s, all from 10.0.0.9']);
  assert.equal(state.frame.events[0]?.at, NOW + 12_000);
});

test('a slow leak is told in steps, not socket by socket', () => {
  const looks = Array.from({ length: 100 }, (_, look) => holds(...sockets(10 + look, aged(90_000))));
  const lines = texts(watchAll(looks)).filter((line) => !line.includes('warning'));
  assert.ok(lines.length >= 5 && lines.length <= 10, lines.join('\n'));
  assert.ok(lines.every((line) => line.startsWith('gunicorn 812: +') && line.endsWith('all from 10.0.0.5')));
});

test('churn is counted and makes no lines', () => {
  const looks = Array.from({ length: 30 }, (_, look) =>
    holds(...sockets(30, { ...aged(100), timer: 'none' }, 1000 + look * 30)),
  );
  const state = watchAll(looks);
  assert.equal(state.frame.rows[0]?.finding.cause, 'churn');
  assert.deepEqual(texts(state), []);
  assert.deepEqual([state.frame.flow.enteredPerMinute, state.frame.flow.leftPerMinute], [30 * 30, 30 * 30]);
});

test('what passed between two looks belongs to the process that closed it, or to none', () => {
  const first = step(undefined, sight(holds(...sockets(3))));
  const { frame } = step(
    first,
    sight(holds(...sockets(4)), {
      at: NOW + 2000,
      passed: new Map([
        [812, 100],
        [77, 5],
      ]),
    }),
  );
  assert.deepEqual(frame.rows[0]?.flow, { entered: 101, left: 100 });
  assert.deepEqual([frame.flow.entered, frame.flow.left], [106, 105]);
});

test('where a process was asked for, what passed through others is not counted', () => {
  const first = step(undefined, sight(holds(...sockets(3))));
  const passed = new Map([[77, 5]]);
  const { frame } = step(first, sight(holds(...sockets(3)), { at: NOW + 2000, passed, wholeMachine: false }));
  assert.deepEqual([frame.flow.entered, frame.flow.left], [0, 0]);
});

test('a row of which nothing is left says so, stays a minute, and goes', () => {
  const gone = Array.from({ length: 40 }, () => snapshot());
  const soon = watchAll([holds(...sockets(40)), ...gone.slice(0, 3)]);
  assert.deepEqual(texts(soon), ['gunicorn 812: none left (40 sockets before)']);
  assert.equal(soon.frame.rows[0]?.count, 0);
  assert.deepEqual(soon.frame.rows[0]?.history, [40, 0, 0, 0]);
  const later = watchAll([holds(...sockets(40)), ...gone]);
  assert.deepEqual(later.frame.rows, []);
  assert.equal(texts(later).length, 1);
});

test('a process that comes with stuck sockets is news, and so is one that becomes worse', () => {
  const state = watchAll([snapshot(), holds(...sockets(50, aged(70_000))), holds(...sockets(50, aged(400_000)))]);
  assert.deepEqual(texts(state), ['gunicorn 812: 50 in CLOSE_WAIT', 'gunicorn 812: warning: older than 5 min']);
});

test('the same pid with another start is another process', () => {
  const other = snapshot({ ...holds(...sockets(40)), processes: [] });
  other.processes.set(812, process({ startedAt: NOW / 1000, sockets: holding(...sockets(40)) }));
  const { frame } = watchAll([holds(...sockets(40)), other]);
  assert.equal(frame.rows.length, 2);
});

test('an accept queue is a row of its own, with its own entries', () => {
  const waiting = (count: number): Snapshot =>
    snapshot({
      listeners: [listener({ queue: count })],
      sockets: Array.from({ length: count }, (_, i) => unaccepted({ peer: endpoint(`10.0.0.5:${i + 1}`) })),
    });
  const { frame } = watchAll([waiting(12), waiting(15)]);
  assert.equal(frame.rows[0]?.name, 'queue 0.0.0.0:8000');
  assert.deepEqual(frame.rows[0]?.flow, { entered: 3, left: 0 });
});

test('after another filter the log goes on, and nothing is compared with before', () => {
  const state = watchAll([snapshot(), holds(...sockets(50))]);
  const after = step({ ...state, rows: new Map(), isFirst: true }, sight(holds(socket()), { at: NOW + 4000 }));
  assert.deepEqual(after.frame.flow, { entered: 0, left: 0 });
  assert.deepEqual(texts(after), texts(state));
});

/** Everything that a state keeps, in characters: typed arrays and maps included. */
const sizeOf = (state: WatchState): number =>
  JSON.stringify(state, (_key, value) => (value instanceof Map || value instanceof Set ? [...value] : value)).length;

test('hours of churn and growth leave no more than minutes do', () => {
  let state: WatchState | undefined;
  const sizes: number[] = [];
  const looks = (6 * 3600) / 2;
  for (let look = 0; look < looks; look++) {
    // Every look other processes, every minute a jump, and all the while churn.
    const pid = 1000 + (look % 500);
    const some = sockets(20 + ((look >> 5) % 2) * 30, aged(90_000), 1000 + look * 7);
    const of = process({ pid, startedAt: look, sockets: holding(...some) });
    const at = NOW + look * 2000;
    state = step(
      state,
      sight(snapshot({ sockets: some, processes: [of], takenAt: at }), { at, passed: new Map([[pid, 9]]) }),
    );
    if (look % 320 === 319) sizes.push(sizeOf(state));
  }
  // Ten minutes fill the log.
  const early = sizes[3] ?? 0;
  assert.equal(sizes.length, Math.floor(looks / 320));
  assert.ok(Math.max(...sizes.slice(4)) < 1.1 * early, `${early} characters became ${Math.max(...sizes)}`);
  assert.ok((state?.frame.log.length ?? 0) <= 200);
  assert.ok((state?.frame.rows.length ?? 0) <= 32);
});
