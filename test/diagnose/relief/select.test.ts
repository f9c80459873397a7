import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectSockets } from '../../../src/diagnose/relief/select.ts';
import { aged, caseOf, findingOf, holding, process, socket, unaccepted } from '../../helpers/model.ts';

const HOUR = 3600_000;
const old = socket({ inode: 1, ...aged(2 * HOUR) });
const young = socket({ inode: 2, ...aged(60_000) });
const unsure = socket({ inode: 3, lastAckReceivedMs: 500, lastDataReceivedMs: 2 * HOUR, timer: 'keepalive' });
const shared = socket({ inode: 4, ...aged(2 * HOUR) });
const used = socket({ inode: 6, ...aged(2 * HOUR), lastDataSentMs: 5000 });
const elsewhere = socket({ inode: 5, ...aged(2 * HOUR) });

test('only what is older for sure, and held by this process alone, may be ended', () => {
  const subject = caseOf({
    sockets: [old, young, unsure, used, shared, elsewhere, unaccepted(aged(2 * HOUR))],
    process: process({ sockets: holding(old, young, unsure, used, shared) }),
    coHolders: [{ process: process({ pid: 900, sockets: holding(shared) }), sockets: 1 }],
  });
  const { sockets, leftOut } = selectSockets(findingOf({ subject }), HOUR);
  assert.deepEqual(
    sockets.map(({ socket: it, fd }) => [it.inode, fd]),
    [[1, 10]],
  );
  assert.deepEqual(leftOut, { young: 1, unsure: 1, used: 1, shared: 1 });
});

test('a socket in any other state is none, whoever put it into the list', () => {
  const established = socket({ inode: 1, state: 'ESTABLISHED', ...aged(2 * HOUR) });
  const subject = caseOf({ sockets: [established], process: process({ sockets: holding(established) }) });
  assert.deepEqual(selectSockets(findingOf({ subject }), 1000).sockets, []);
});
