import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptPass } from '../../../src/app/watch/kept-pass.ts';
import type { HeldAnswer } from '../../../src/kernel/machine.ts';
import { HeldRecords } from '../../../src/parse/held-socket.ts';
import { FACTS, heldRecord } from '../../helpers/held.ts';
import { socket } from '../../helpers/model.ts';

const STUCK = { states: 0x500 };

function kernel(): { read: () => HeldAnswer; passes: () => number } {
  let count = 0;
  const probing = socket({ lastAckReceivedMs: 60_000, timer: 'keepalive' });
  // 250 ticks a second: the next probe is due in 3 s.
  const bytes = heldRecord(probing, { pid: 7, fd: 3 }, { now: 1000, keepaliveExpires: 1750, lastAckReceived: -14_000 });
  const read = (): HeldAnswer => {
    count++;
    return { bytes, facts: FACTS };
  };
  return { read, passes: () => count };
}

test('while nothing comes to stay or goes, the sockets of the last pass are older and the kernel is not asked', () => {
  const { read, passes } = kernel();
  const kept = new KeptPass();
  kept.pass(STUCK, 1000, read);
  kept.isSame = true;
  const { bytes, facts } = kept.pass(STUCK, 3500, read);
  assert.equal(passes(), 1);
  const it = new HeldRecords(bytes, facts).socket(0);
  assert.equal(it.lastAckReceivedMs, 62_500);
  assert.equal(it.timerMs, 500);
});

test('the kernel is asked when something came, for other sockets, after 10 s, and when the clock was set back', () => {
  const { read, passes } = kernel();
  const kept = new KeptPass();
  kept.isSame = true;
  kept.pass(STUCK, 1000, read);
  kept.isSame = false;
  kept.pass(STUCK, 2000, read);
  assert.equal(passes(), 2);
  kept.isSame = true;
  kept.pass({ states: 0x7ff }, 2100, read);
  assert.equal(passes(), 3);
  kept.pass(STUCK, 2200, read);
  kept.pass(STUCK, 12_300, read);
  assert.equal(passes(), 5);
  kept.pass(STUCK, 12_000, read);
  assert.equal(passes(), 6);
  kept.pass({ ...STUCK, pid: 7 }, 12_001, read);
  kept.pass({ ...STUCK, pid: 7 }, 12_002, read);
  assert.equal(passes(), 8);
});
