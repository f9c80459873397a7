import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { parseCapture } from '../../../src/parse/captures/text.ts';
import { countStates, fixture, rowsIn, rowsOf } from './helpers.ts';

// What the tools of one machine printed of the same workloads within two seconds (scripts/captures.ts).

const FOLDER = 'linux-6.18';
type Truth = {
  case: string;
  port: number;
  side: string;
  pids: number[];
  fds: number[];
  inodes: number[];
  recv_queue: number;
};
const TRUTH: Truth[] = JSON.parse(fixture(`${FOLDER}/truth.json`));
const ALL = { LISTEN: 7, FIN_WAIT2: 20, CLOSE_WAIT: 20 };
/** Sockets by holder: three processes hold the inherited ones, and nobody those that were not accepted. */
const BY_HOLDER = { LISTEN: 9, FIN_WAIT2: 3, CLOSE_WAIT: 20 };

const WANTED: Record<string, Record<string, number>> = {
  'lsof-close-wait': { CLOSE_WAIT: 20 },
  'lsof-p': { LISTEN: 8, CLOSE_WAIT: 20, closed: 2 },
  lsfd: { none: 30 },
  'lsfd-J': { none: 30 },
  'netstat-tlnp': { LISTEN: 7 },
  'netstat-ton': { FIN_WAIT2: 20, CLOSE_WAIT: 20 },
  'ss-close-wait': { none: 20 },
  'ss-close-wait-i': { none: 20 },
  'ss-connected': { FIN_WAIT2: 20, CLOSE_WAIT: 20 },
  'ss-s': {},
  'ss-tlnp': { LISTEN: 7 },
  'ss-tn': { FIN_WAIT2: 20, CLOSE_WAIT: 20 },
  'ss-tnp': { FIN_WAIT2: 20, CLOSE_WAIT: 20 },
};

for (const file of readdirSync(new URL(`../../../fixtures/captures/${FOLDER}`, import.meta.url))) {
  if (!file.endsWith('.txt')) continue;
  const name = file.slice(0, -4);
  test(`${name}: every line is understood, and every socket is read once`, () => {
    const rows = rowsOf(fixture(`${FOLDER}/${file}`));
    assert.deepEqual(countStates(rows), WANTED[name] ?? (name.startsWith('lsof') ? BY_HOLDER : ALL));
    assert.deepEqual(
      rows.filter(({ incomplete }) => incomplete),
      [],
    );
  });
}

for (const name of ['ss-tanpieo', 'ss-tanpiemoO', 'netstat-neopa', 'lsof-Tqs', 'lsof-F', 'lsof-F0', 'lsof-FpcfnT']) {
  test(`${name}: queues, inodes, pids and descriptors are those that the workloads told`, () => {
    const rows = rowsOf(fixture(`${FOLDER}/${name}.txt`)).filter(({ state }) => state === 'CLOSE_WAIT');
    for (const { case: what, port, side, pids, fds, inodes, recv_queue } of TRUTH) {
      if (what === 'closed-but-held' || what === 'never-accepted') continue;
      const own = rows.filter((row) => row[side === 'peer' ? 'peer' : 'local']?.port === port);
      const holders = own.flatMap((row) => row.holders ?? []);
      const named = name.startsWith('netstat') ? 1 : pids.length;
      assert.equal(holders.length, fds.length * named, what);
      for (const holder of holders) assert.ok(pids.includes(holder.pid), what);
      if (!name.startsWith('netstat')) for (const { fd } of holders) assert.ok(fds.includes(fd ?? -1), what);
      for (const row of own) assert.equal(row.recvQueue, recv_queue, what);
      if (name !== 'lsof-FpcfnT') {
        assert.deepEqual([...new Set(own.map(({ inode }) => inode))].sort(), inodes.toSorted(), what);
      }
    }
  });
}

test('sockets that nobody has accepted have inode 0 where inodes are told, and no holder where holders are', () => {
  const port = TRUTH.find((it) => it.case === 'never-accepted')?.port;
  for (const name of ['ss-tanpe', 'netstat-antpe', 'proc-net-tcp', 'ss-tanpi', 'netstat-antp']) {
    const rows = rowsOf(fixture(`${FOLDER}/${name}.txt`)).filter(
      ({ local, state }) => local?.port === port && state === 'CLOSE_WAIT',
    );
    assert.equal(rows.length, 4, name);
    for (const { inode, holders } of rows) {
      assert.equal(inode, name === 'ss-tanpi' || name === 'netstat-antp' ? undefined : 0, name);
      assert.equal(holders?.length ?? 0, 0, name);
    }
  }
});

test('ss -i gives the three times that ages are made of, and ss -o the timers', () => {
  const rows = rowsOf(fixture(`${FOLDER}/ss-tanpieo.txt`)).filter(({ state }) => state === 'CLOSE_WAIT');
  for (const row of rows) {
    assert.ok(
      (row.lastAckReceivedMs ?? -1) >= 0 && (row.lastDataReceivedMs ?? -1) >= 0 && row.lastDataSentMs !== undefined,
    );
  }
  assert.equal(rows.filter(({ timer }) => timer === 'keepalive').length, 3);
});

test('all captures in one text are split by format, and none loses a row', () => {
  const names = ['ss-tanpi', 'netstat-neopa', 'lsof', 'lsof-F', 'proc-net-tcp', 'lsfd', 'lsfd-J'];
  const read = parseCapture(
    names.map((name) => `root@db-1:~# ${name}\n${fixture(`${FOLDER}/${name}.txt`)}`).join('\n'),
  );
  assert.deepEqual(read.errors, []);
  assert.deepEqual(
    read.captures.filter(({ rows }) => rows.length > 0).map(({ format }) => format),
    ['ss', 'netstat', 'lsof', 'lsof-fields', 'proc-net-tcp', 'proc-net-tcp', 'lsfd', 'lsfd-json'],
  );
  assert.equal(rowsIn(read).length, 47 + 47 + 32 + 32 + 47 + 30 + 30);
});
