import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TCP_STATE, type TcpSocket } from '../../src/model/socket.ts';
import { COLUMNS, SocketRows, SocketTable, UNKNOWN } from '../../src/model/socket-table.ts';
import { HELD_FIELD, HELD_SIZE, HeldRecords } from '../../src/parse/held-socket.ts';
import { FACTS } from '../helpers/held.ts';
import { endpoint, socket, sockets } from '../helpers/model.ts';

const columnsOf = (table: SocketTable, row: number): Record<string, number> =>
  Object.fromEntries(
    COLUMNS.flatMap((name) => (['record', 'holder', 'fd'].includes(name) ? [] : [[name, table[name][row] ?? NaN]])),
  );

const states = Object.values(TCP_STATE);

function twice(record: Uint8Array): Uint8Array[] {
  const other = record.slice();
  other[HELD_FIELD.fd.offset + 3] = 0xff;
  return [record, other];
}

test('a record gives the same row as the socket that is made of it', () => {
  const record = fc
    .tuple(fc.uint8Array({ minLength: HELD_SIZE, maxLength: HELD_SIZE }), fc.constantFrom(...states), fc.boolean())
    .map(([bytes, state, isV4]) => {
      bytes[HELD_FIELD.state.offset] = state;
      bytes[HELD_FIELD.family.offset] = isV4 ? 2 : 10;
      return bytes;
    });
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), fc.boolean(), (made, knowsEpoll) => {
      const facts = { ...FACTS, absent: knowsEpoll ? [] : ['inEpoll', 'awaited'] };
      // Each twice, as a leak has many sockets that are alike: the second by a higher descriptor.
      const records = new HeldRecords(new Uint8Array(Buffer.concat(made.flatMap(twice))), facts);
      const table = new SocketTable();
      const again = new SocketTable();
      const holders: number[] = [];
      for (let from = 0, to = 0; from < records.count; from = to) {
        to = records.endOfLike(from);
        assert.equal(records.addTo(table, from, to, from % 2 === 0 ? 812 : undefined).row, from);
        holders.length = to;
        holders.fill(from % 2 === 0 ? 812 : UNKNOWN, from);
      }
      assert.equal(table.length, records.count);
      for (let row = 0; row < records.count; row++) {
        const it = records.socket(row);
        again.push(it);
        assert.deepEqual(columnsOf(table, row), columnsOf(again, row));
        assert.deepEqual(table.ends[table.end[row] ?? -1], again.ends[again.end[row] ?? -1]);
        assert.equal(table.addresses[table.peer[row] ?? -1], it.peer.address);
        assert.deepEqual(table.at(row)?.local, it.local);
        assert.deepEqual([table.holder[row], table.fd[row]], [holders[row], records.fd(row)]);
      }
    }),
  );
});

test('what a socket does not tell is unknown in its row, and not 0', () => {
  const bare: TcpSocket = {
    netns: 0,
    family: 4,
    state: 'CLOSE_WAIT',
    local: endpoint('10.0.0.1:80'),
    peer: { address: '10.0.0.2', port: -3 },
  };
  const { table } = SocketRows.of([bare]);
  const { inode, peerPort, marks, state, end, peer, ...others } = columnsOf(table, 0);
  assert.deepEqual(new Set(Object.values(others)), new Set([UNKNOWN]));
  assert.deepEqual([inode, marks, state, end, peer, table.peerPortAt(0)], [0, 0, TCP_STATE.CLOSE_WAIT, 0, 0, -3]);
  assert.equal(peerPort, 2 ** 32 - 3);
});

test('a table that grows and shrinks keeps what it has', () => {
  const all = sockets(1000);
  const table = new SocketTable();
  for (const it of all) table.push(it);
  assert.deepEqual([...table.list()], all);
  table.retain((row) => row % 7 === 0);
  const kept = all.filter((_, row) => row % 7 === 0);
  assert.deepEqual([...table.list()], kept);
  kept.forEach((it, row) => {
    assert.equal(table.inode[row], it.inode);
    assert.equal(table.rowOf(it.inode ?? 0), row);
  });
  assert.equal(table.rowOf(all[1]?.inode ?? 0), -1);
  table.push(socket({ inode: 5 }));
  assert.equal(table.list().at(-1)?.inode, 5);
});

test('rows answer as an array of the same sockets does', () => {
  const all = sockets(9);
  const rows = SocketRows.of(all);
  const isOdd = ({ inode = 0 }: TcpSocket): boolean => inode % 2 === 1;
  assert.equal(SocketRows.of(rows), rows);
  assert.deepEqual([...rows.filter(isOdd)], all.filter(isOdd));
  assert.deepEqual([rows.some(isOdd), rows.every(isOdd)], [all.some(isOdd), all.every(isOdd)]);
  assert.deepEqual(
    rows.map(({ inode }) => inode),
    all.map(({ inode }) => inode),
  );
  assert.deepEqual(
    rows.flatMap(({ peer }) => [peer.port, 0]),
    all.flatMap(({ peer }) => [peer.port, 0]),
  );
  assert.deepEqual([rows.at(0), rows.at(-1), rows.at(9)], [all[0], all[8], undefined]);
});
