import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ageOf } from '../../src/diagnose/ages.ts';
import type { SocketRow } from '../../src/model/finding.ts';
import { formatAge, renderSocketsTable } from '../../src/render/sockets-table.ts';
import { assertGolden } from '../helpers/golden.ts';
import { endpoint, socket, unaccepted } from '../helpers/model.ts';

const row = (fields: Partial<SocketRow> = {}): SocketRow => {
  const it = fields.socket ?? socket();
  return {
    socket: it,
    age: ageOf(it),
    cause: 'unknown',
    holders: [{ pid: 812, name: 'gunicorn', fds: [9] }],
    ...fields,
  };
};

test('the table is the golden one', () => {
  const rows = [
    row(),
    row({ socket: socket({ recvQueue: 263, timer: 'keepalive', timerMs: 17_000, lastAckReceivedMs: 900 }) }),
    row({
      socket: socket({
        family: 6,
        local: endpoint('[2001:db8::1]:8000'),
        peer: endpoint('[2001:db8::2]:40000'),
        timer: 'retransmit',
        timerMs: 300,
      }),
    }),
    row({ socket: unaccepted(), holders: [], cause: 'accept-backlog' }),
    row({
      holders: [
        { pid: 1, name: 'a', fds: [4, 5] },
        { pid: 2, name: 'b\u001b', fds: [4] },
      ],
    }),
    row({ age: {} }),
  ];
  assertGolden('fixtures/golden/sockets-table.txt', renderSocketsTable(rows));
});

test('each socket has one line, whatever its holder is called', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 }), (names) => {
      const page = renderSocketsTable(names.map((name) => row({ holders: [{ pid: 1, name, fds: [1] }] })));
      assert.equal(page.split('\n').length, names.length + 2);
      assert.doesNotMatch(page, /[^\n\P{Cc}]/u);
    }),
  );
});

test('the columns of all lines begin at the same place', () => {
  const lines = renderSocketsTable([row(), row({ socket: socket({ peer: endpoint('10.100.100.100:50000') }) })])
    .trimEnd()
    .split('\n');
  for (const column of [lines.map((it) => it.indexOf('812/gunicorn')), lines.map((it) => it.indexOf('unknown'))]) {
    assert.equal(column[1], column[2]);
  }
});

test('an age is one time when both bounds say the same, else what is known', () => {
  assert.equal(formatAge({ atLeastMs: 60_000, atMostMs: 60_999 }), '1 min');
  assert.equal(formatAge({ atLeastMs: 1000, atMostMs: 90_000 }), '1.0 s .. 1 min 30 s');
  assert.equal(formatAge({ atLeastMs: 60_000 }), '>= 1 min');
  assert.equal(formatAge({}), '?');
});
