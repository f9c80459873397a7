import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verdictOn } from '../../../src/diagnose/relief/verdict.ts';
import type { Deed, Measure, ReliefAction, ReliefPlan } from '../../../src/model/relief.ts';

const INODES = [1, 2, 3, 4];
const plan: ReliefPlan = {
  cause: 'not-reading',
  confidence: 'proven',
  stuck: 4,
  peers: [],
  decision: { kind: 'nothing', why: '' },
  selection: { sockets: [], leftOut: { young: 0, unsure: 0, used: 0, shared: 0 } },
  olderThanMs: 60_000,
  perHour: 100,
  fdLimit: { from: 1024, to: 2048 },
};
const measured = (closeWait: number[], held: number[], more: Partial<Measure> = {}): Measure => ({
  alive: true,
  openFds: held.length + 10,
  closeWait: new Set(closeWait),
  held: new Set(held),
  ...more,
});
const BEFORE = measured(INODES, INODES);
const gone: Measure = { alive: false, closeWait: new Set() };

const judge = (action: ReliefAction, after: Measure, deed: Partial<Deed> = {}, options = {}) => {
  const acted = ['shutdown', 'destroy', 'keepalive'].includes(action) ? { acted: INODES } : {};
  return verdictOn(plan, { pid: 812, action, ...acted, ...deed }, BEFORE, after, { socketsOnly: false, ...options });
};

test('it helped when the program has closed what was ended', () => {
  assert.deepEqual(judge('shutdown', measured([], [])), {
    result: 'done',
    text: 'ended 4 of 4 connections, freed 4 of 4 descriptors',
  });
});

test('descriptors that stay are told, with the time by which a restart is needed', () => {
  assert.deepEqual(judge('shutdown', measured([], INODES), {}, { deadline: '04:10' }), {
    result: 'failed',
    text: 'ended 4 of 4 connections, freed 0 of 4 descriptors: the program still holds them; only its restart frees them, before 04:10',
  });
  assert.equal(judge('shutdown', measured([], INODES), {}, { socketsOnly: true }).result, 'done');
  assert.match(judge('destroy', measured([], [4])).text, /freed 3 of 4 descriptors: the program still holds 1;/);
});

test('connections that were not ended are no success, even where only those mattered', () => {
  const { result, text } = judge('destroy', measured([3, 4], INODES), {}, { socketsOnly: true });
  assert.equal(result, 'failed');
  assert.match(text, /^ended 2 of 4 connections/);
});

test('a program that dies of it is no success', () => {
  assert.match(judge('shutdown', gone).text, /did not survive/);
  assert.equal(judge('shutdown', gone).result, 'failed');
});

test('nothing left to act on is neither', () =>
  assert.equal(judge('shutdown', BEFORE, { acted: [] }).result, 'nothing'));

test('a deed that was broken off says what was done until then', () => {
  const { result, text } = judge('destroy', measured([], []), { failed: 'pid 812 is another process now' });
  assert.equal(result, 'failed');
  assert.match(text, /broken off: pid 812 is another process now$/);
});

test('a table that cannot be read again is not called freed', () => {
  const { held: _none, ...blind } = measured([], []);
  assert.equal(judge('shutdown', blind).result, 'failed');
});

test('probes end what has no peer, and tell what answers', () => {
  const { result, text } = judge('keepalive', measured([3], INODES));
  assert.equal(result, 'done');
  assert.match(text, /3 ended, for their peers are gone; 1 stay/);
});

test('a limit is raised when it reads so, and the leak goes on', () => {
  const after = measured(INODES, INODES, { fdLimit: 2048 });
  assert.match(judge('raise-fd-limit', after).text, /2,048 descriptors now, 14 are used, full in 20 h .*leak goes on/);
  assert.equal(judge('raise-fd-limit', measured([], [], { fdLimit: 1024 })).result, 'failed');
});

test('a process that is stopped again does not run', () => {
  assert.equal(judge('resume', measured(INODES, INODES, { halted: true })).result, 'failed');
  assert.match(judge('thaw', measured([1], [1])).text, /has closed 3 of 4 connections so far/);
});

test('an end is an end only when the process is gone', () => {
  assert.match(judge('terminate', gone).text, /^pid 812 has ended: 14 descriptors freed/);
  assert.equal(judge('terminate', BEFORE, { failed: 'it has not ended' }).text, 'not done: it has not ended');
});

test('a restart is one only when something runs again', () => {
  const restarted = { name: 'shop.service', runs: true, state: 'active (running)', pid: 900 };
  assert.deepEqual(judge('restart-unit', gone, { restarted }), {
    result: 'done',
    text: 'pid 812 has ended, 14 descriptors freed; shop.service runs again (active (running), pid 900); the fault is in the program, and comes again with it',
  });
  const broken = { name: 'shop.service', runs: false, state: 'failed (failed)' };
  assert.deepEqual(judge('restart-unit', gone, { restarted: broken, failed: 'systemctl: Job failed' }), {
    result: 'failed',
    text: 'pid 812 has ended, 14 descriptors freed; shop.service does not run again, it is failed (failed): systemctl: Job failed',
  });
  assert.equal(judge('restart-unit', gone, { restarted, failed: 'timed out' }).result, 'failed');
  assert.match(judge('restart-container', gone).text, /whether it was started again is not known/);
  assert.equal(judge('restart-container', gone).result, 'failed');
});

test('a restart that was refused, or that leaves the process, is none', () => {
  const restarted = { name: 'shop.service', runs: true, state: 'active (running)' };
  assert.equal(judge('restart-unit', BEFORE, { failed: 'it is masked' }).text, 'not done: it is masked');
  assert.match(judge('restart-unit', BEFORE, { restarted }).text, /was restarted, but pid 812 was left running/);
  assert.equal(judge('restart-unit', BEFORE, { restarted }).result, 'failed');
});

test('nothing is said to be done to a process that had ended before', () => {
  const deed: Deed = { pid: 812, action: 'restart-unit', failed: 'the process has ended meanwhile' };
  assert.equal(
    verdictOn(plan, deed, gone, gone, { socketsOnly: false }).text,
    'not done: the process has ended meanwhile',
  );
});
