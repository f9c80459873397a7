import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InodeMap } from '../../src/model/inode-map.ts';
import { TCP_STATE, type TcpSocket } from '../../src/model/socket.ts';
import { COLUMNS, SocketRows, SocketTable, UNKNOWN } from '../../src/model/socket-table.ts';
import { HELD_FIELD, HELD_SIZE, HeldRecords } from '../../src/parse/held-socket.ts';
import { FACTS } from '../helpers/held.ts';
import { endpoint, socket, sockets } from '../helpers/model.ts';

const columnsOf = (table: SocketTable, row: number): Record<string, number> =>
  Object.fromEntries(
    COLUMNS.flatMap((name) => (name === 'record' || name === 'holder' ? [] : [[name, table[name][row] ?? NaN]])),
  );

const states = Object.values(TCP_STATE);

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
      // Each twice, as a leak has many sockets with equal ends.
      const records = new HeldRecords(new Uint8Array(Buffer.concat(made.flatMap((it) => [it, it]))), facts);
      const table = new SocketTable();
      const again = new SocketTable();
      const numbers = Uint32Array.from({ length: records.count }, (_, number) => number);
      const shared = new InodeMap();
      shared.add(records.inode(0), 0);
      assert.equal(records.addTo(table, numbers, shared), 0);
      assert.equal(table.length, records.count);
      for (const row of numbers) {
        const it = records.socket(row);
        again.push(it);
        assert.deepEqual(columnsOf(table, row), columnsOf(again, row));
        assert.deepEqual(table.ends[table.end[row] ?? -1], again.ends[again.end[row] ?? -1]);
        assert.equal(table.addresses[table.peer[row] ?? -1], it.peer.address);
        assert.deepEqual(table.at(row)?.local, it.local);
        const holder = records.isAlone(row) && !shared.has(it.inode ?? 0) ? records.pid(row) : UNKNOWN;
        assert.equal(table.holder[row], holder);
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
