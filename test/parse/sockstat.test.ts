import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSockstat } from '../../src/parse/sockstat.ts';

// Linux 6.18
const SOCKSTAT = `sockets: used 121
TCP: inuse 14 orphan 1 tw 27 alloc 19 mem 3
UDP: inuse 5 mem 2
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 0 memory 0
`;

test('sockstat gives the sockets in use, without a file, in TIME_WAIT, and allocated on the whole machine', () => {
  assert.deepEqual(parseSockstat(SOCKSTAT), { inuse: 14, orphan: 1, timeWait: 27, alloc: 19 });
});

test('sockstat6 knows only the sockets in use', () => {
  assert.deepEqual(parseSockstat('TCP6: inuse 3\nUDP6: inuse 1\n'), { inuse: 3 });
});

test('a text without a line for TCP gives no counter, and none is made up', () => {
  assert.deepEqual(parseSockstat(''), {});
  assert.deepEqual(parseSockstat('UDP: inuse 5 mem 2\n'), {});
});

test('a counter that is no number is absent', () => {
  assert.deepEqual(parseSockstat('TCP: inuse x orphan 1 tw -1 alloc 19'), { orphan: 1, alloc: 19 });
});

test('random text never throws', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseSockstat(`TCP: ${text}`)));
});
