import assert from 'node:assert/strict';
import { test } from 'node:test';
import { older } from '../../../src/app/watch/older.ts';
import { compare, socketIds } from '../../../src/app/watch/sockets.ts';
import { diagnose } from '../../../src/diagnose/diagnose.ts';
import { aged, endpoint, holding, listener, process, snapshot, socket, times } from '../../helpers/model.ts';

/** A leak of one a minute, with exact ages: the same moments are seen from `now` on. */
function seenAt(laterMs: number) {
  const stuck = times(60, (i) =>
    socket({ inode: 1000 + i, peer: endpoint(`10.0.0.5:${40_000 + i}`), ...aged(120_000 + i * 60_000 + laterMs) }),
  );
  const whole = snapshot({
    takenAt: 1_795_000_000_000 + laterMs,
    sockets: stuck,
    listeners: [listener()],
    processes: [process({ openFds: 900, sockets: holding(...stuck, listener()) })],
  });
  return { snapshot: whole, diagnosis: diagnose(whole) };
}

test('what has not changed is the same some seconds later, only older, as a new look would have it', () => {
  const [before, after] = [seenAt(0), seenAt(4000)];
  const [made] = older(before, 4000).diagnosis.findings;
  const [looked] = after.diagnosis.findings;
  assert.deepEqual(made?.age, looked?.age);
  assert.equal(made?.cause, looked?.cause);
  assert.equal(older(before, 4000).snapshot.takenAt, after.snapshot.takenAt);
  const fullIn = before.diagnosis.findings[0]?.fds?.fullInMs;
  assert.ok(fullIn !== undefined && fullIn > 4000);
  assert.equal(made?.fds?.fullInMs, fullIn - 4000);
  assert.equal(made?.forecast[0]?.inMs, (before.diagnosis.findings[0]?.forecast[0]?.inMs ?? 0) - 4000);
});

test('nothing becomes younger than nothing, and the look before stays as it was', () => {
  const before = seenAt(0);
  const age = before.diagnosis.findings[0]?.age?.oldestMs;
  const later = older(before, 3600_000 * 24 * 365);
  assert.equal(later.diagnosis.findings[0]?.fds?.fullInMs, 0);
  assert.equal(before.diagnosis.findings[0]?.age?.oldestMs, age);
});

test('its cases are the same objects, so that nothing of them is compared again', () => {
  const before = seenAt(0);
  const [was, is] = [before, older(before, 2000)].map(({ diagnosis }) => diagnosis.findings[0]?.subject);
  assert.ok(was && was === is);
  assert.deepEqual(compare(socketIds(was), socketIds(is)), { entered: 0, left: 0 });
});
