import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { type JsonReport, type JsonSocket, reportEverything, socketsAt } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

const skip = missing('root', 'python3', 'ss');

/** One row, in the words of ss: `Recv-Q Send-Q local peer inode pid:fd,...`. */
type Row = string;

/** ss sees one namespace, unclosed all of them. */
const ownNetns = String(statSync('/proc/self/ns/net').ino);

const endpoint = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** ss prints what we print, but for the mapped addresses and the order of holders. */
function rowsOfSs(): Set<Row> {
  const text = execFileSync('ss', ['-H', '-O', '-t', '-a', '-n', '-p', '-e', 'state', 'close-wait'], {
    encoding: 'utf8',
  });
  return new Set(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [recvQ, sendQ, local = '', peer = ''] = line.trim().split(/\s+/);
        const inode = /\bino:([0-9]+)/.exec(line)?.[1] ?? '0';
        const holders = [...line.matchAll(/pid=([0-9]+),fd=([0-9]+)/g)].map((match) => `${match[1]}:${match[2]}`);
        return [recvQ, sendQ, unmapped(local), unmapped(peer), inode, holders.sort().join(',')].join(' ');
      }),
  );
}

const unmapped = (text: string): string => text.replace(/^\[::ffff:([0-9.]+)\]/, '$1');

const rowOf = ({ recv_q, send_q, local, peer, inode, holders }: JsonSocket): Row =>
  [
    recv_q,
    send_q,
    endpoint(local.address, local.port),
    endpoint(peer.address, peer.port),
    inode ?? 0,
    holders
      .map(({ pid, fd }) => `${pid}:${fd}`)
      .sort()
      .join(','),
  ].join(' ');

test('the list equals that of ss: addresses, queues, inode, pid and descriptor', { skip }, async () => {
  const workloads = [
    await startWorkload('missing-close'),
    await startWorkload('unread', { family: '6' }),
    await startWorkload('forgotten', { family: 'mapped' }),
    await startWorkload('inherited'),
    await startWorkload('never-accepted'),
  ];
  try {
    const before = rowsOfSs();
    const { sockets } = await reportEverything('--all-holders', '--netns', ownNetns);
    const after = rowsOfSs();
    const ours = new Set(sockets.map(rowOf));
    const stable = [...before].filter((row) => after.has(row));
    assert.ok(stable.length >= 5 * 23);
    assert.deepEqual(
      stable.filter((row) => !ours.has(row)),
      [],
      'rows of ss that we do not have',
    );
    assert.deepEqual(
      [...ours].filter((row) => !before.has(row) && !after.has(row)),
      [],
      'rows that ss does not have',
    );
  } finally {
    for (const { stop } of workloads) await stop();
  }
});

test('text files of /proc give the same sockets and holders, without ages', { skip }, async () => {
  const workloads = [
    await startWorkload('missing-close'),
    await startWorkload('unread', { family: 'mapped' }),
    await startWorkload('never-accepted'),
  ];
  const rows = (report: JsonReport): Row[] =>
    workloads.flatMap(({ truth }) => socketsAt(report, truth).map(rowOf)).sort();
  try {
    const netlink = await reportEverything();
    const text = await reportEverything('--source', 'procfs');
    assert.equal(rows(text).length, 3 * 23);
    assert.deepEqual(rows(text), rows(netlink));
    assert.ok(
      text.sockets.every(({ age, cookie }) => age.at_least === null && age.at_most === null && cookie === null),
    );
    assert.ok(text.gaps.some(({ code }) => code === 'NETLINK_UNAVAILABLE'));
  } finally {
    for (const { stop } of workloads) await stop();
  }
});
