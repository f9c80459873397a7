import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { release } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HeldSource } from '../../src/kernel/bpf/held-source.ts';
import { HeldSocketIterator } from '../../src/kernel/bpf/iterator.ts';
import { KernelTypes } from '../../src/kernel/bpf/types.ts';
import { evenRanges } from '../../src/kernel/fd-ranges.ts';
import type { HeldAnswer } from '../../src/kernel/machine.ts';
import { HELD_SIZE, HeldRecords } from '../../src/parse/held-socket.ts';
import { stateMask } from '../../src/parse/inet-diag.ts';
import { FACTS } from '../helpers/held.ts';
import { type JsonReport, type JsonSocket, reportEverything, socketsAt, unclosed } from './cli.ts';
import { missing, startProgram, startWorkload } from './workload.ts';

const run = promisify(execFile);
const BIN = fileURLToPath(new URL('../../src/bin.ts', import.meta.url));
const WORKLOAD = fileURLToPath(new URL('../../workloads/stuck.py', import.meta.url));
const skip = missing('root', 'python3');

const [major = 0, minor = 0] = release().split('.').map(Number);
/** The typed program calls bpf_sock_from_file, which is of Linux 5.11. Before that only the generic one loads. */
const TYPED = major > 5 || (major === 5 && minor >= 11);
/** Before Linux 6.1 a pass shows all processes, also when it is asked for one. */
const LIMITED = major > 6 || (major === 6 && minor >= 1);
const PROGRAMS = TYPED ? ['bpf', 'bpf-generic'] : ['bpf-generic'];

/** What every source knows of a socket. */
const common = ({ local, peer, recv_q, send_q, inode, uid, holders }: JsonSocket): string =>
  JSON.stringify([local, peer, recv_q, send_q, inode, uid, holders.map(({ pid, fd }) => `${pid}:${fd}`).sort()]);

test('all sources agree: sockets, queues, holders and causes', { skip }, async () => {
  const workloads = [
    await startWorkload('missing-close'),
    await startWorkload('unread', { family: '6' }),
    await startWorkload('forgotten', { family: 'mapped' }),
    await startWorkload('inherited'),
    await startWorkload('never-accepted'),
    await startWorkload('keepalive'),
  ];
  const rows = (report: JsonReport): string[] =>
    workloads.flatMap(({ truth }) => socketsAt(report, truth).map(common)).sort();
  const causes = ({ findings }: JsonReport): string[] =>
    workloads.flatMap(({ truth }) =>
      findings
        .filter(({ holder, listener }) => truth.pids.includes(holder?.pid ?? -1) || listener?.port === truth.port)
        .map(({ cause, sockets, direction }) => `${truth.case} ${cause} ${sockets} ${direction}`),
    );
  try {
    const reports = new Map<string, JsonReport>();
    for (const source of [...PROGRAMS, 'netlink', 'procfs']) {
      const report = await reportEverything('--all-holders', '--source', source);
      assert.equal(report.reading.source, source);
      reports.set(source, report);
    }
    const netlink = reports.get('netlink');
    const procfs = reports.get('procfs');
    const byBpf = PROGRAMS.flatMap((source) => reports.get(source) ?? []);
    assert.ok(netlink && procfs && byBpf.length === PROGRAMS.length);
    assert.equal(rows(netlink).length, 6 * 23);
    for (const report of [...byBpf, procfs]) assert.deepEqual(rows(report), rows(netlink));
    for (const report of byBpf) {
      assert.deepEqual(causes(report), causes(netlink));
      assert.deepEqual(agesOf(report, netlink), []);
    }
    // The file of the connection says more than its place in a table does.
    const keepalive = workloads.find(({ truth }) => truth.case === 'keepalive');
    assert.ok(keepalive);
    for (const report of byBpf) assert.ok(socketsAt(report, keepalive.truth).every((socket) => socket.keepalive));
  } finally {
    for (const { stop } of workloads) await stop();
  }

  /** Sockets whose age differs by more than the time between the two reports, and a second in which a probe may renew it. */
  function agesOf(one: JsonReport, other: JsonReport): string[] {
    const apart = Math.abs(Date.parse(one.taken_at) - Date.parse(other.taken_at)) / 1000 + 1.1;
    const known = new Map(other.sockets.map((socket) => [socket.inode, socket.age]));
    return workloads
      .flatMap(({ truth }) => socketsAt(one, truth))
      .flatMap(({ inode, age }) => {
        const there = known.get(inode);
        const differ = (a: number | null = null, b: number | null = null): boolean =>
          Math.abs((a ?? -1e9) - (b ?? -1e9)) > apart;
        return inode !== null && (differ(age.at_least, there?.at_least) || differ(age.at_most, there?.at_most))
          ? `${inode}: ${JSON.stringify([age, there])}`
          : [];
      });
  }
});

test('a socket says whether an event loop knows it, whether somebody waits on it, and what was set', {
  skip,
}, async () => {
  const { truth, stop } = await startProgram(['watched.py']);
  try {
    for (const source of PROGRAMS) {
      const report = await reportEverything('--source', source);
      const byFd = new Map(
        report.sockets.flatMap((socket) => socket.holders.map(({ pid, fd }) => [`${pid} ${fd}`, socket] as const)),
      );
      const seen = Object.fromEntries(
        Object.entries((truth as unknown as { kinds: Record<string, number> }).kinds).map(([kind, fd]) => {
          const socket = byFd.get(`${truth.pid} ${fd}`);
          assert.ok(socket, kind);
          const { in_epoll, awaited, keepalive, linger, shutdown } = socket;
          return [kind, { in_epoll, awaited, keepalive, linger, shutdown }];
        }),
      );
      const plain = { in_epoll: false, awaited: false, keepalive: false, linger: false, shutdown: 'receive' };
      assert.deepEqual(seen, {
        plain,
        polled: { ...plain, in_epoll: true, awaited: true },
        options: { ...plain, keepalive: true, linger: true },
      });
    }
  } finally {
    await stop();
  }
});

test('closed sockets are found in the same pass, and new ones are not taken for them', { skip }, async () => {
  const { truth, stop } = await startWorkload('closed-but-held', { count: 11 });
  try {
    for (const source of [...PROGRAMS, 'netlink']) {
      const report = await reportEverything('--source', source, '--held', 'always', String(truth.pid));
      const closed = report.findings.find(({ cause }) => cause === 'closed-but-held');
      assert.equal(closed?.sockets, 11, source);
      assert.equal(closed?.confidence, source === 'netlink' ? 'likely' : 'proven');
    }
  } finally {
    await stop();
  }
});

test('a pass can be made again and again, sees what is new, and can be limited to a process', { skip }, async () => {
  const states = stateMask('CLOSE_WAIT');
  for (const kind of TYPED ? (['typed', 'generic'] as const) : (['generic'] as const)) {
    const source = new HeldSource([kind]);
    const holds = (pid: number, request = {}): number => {
      const { bytes, facts } = source.read({ states, ...request });
      const records = new HeldRecords(bytes, facts);
      return Array.from({ length: records.count }, (_, record) => record).filter((it) => records.pid(it) === pid)
        .length;
    };
    const first = await startWorkload('missing-close', { count: 5 });
    try {
      assert.equal(holds(first.truth.pid), 5);
      const second = await startWorkload('missing-close', { count: 6 });
      try {
        assert.equal(holds(second.truth.pid), 6);
        assert.equal(holds(second.truth.pid, { pid: second.truth.pid }), 6);
        assert.equal(holds(first.truth.pid, { pid: second.truth.pid }), LIMITED ? 0 : 5);
      } finally {
        await second.stop();
      }
      assert.equal(holds(second.truth.pid), 0);
    } finally {
      await first.stop();
    }
  }
});

test('threads that read a range of descriptors each find together what one pass finds', { skip }, async () => {
  const request = { states: stateMask('CLOSE_WAIT', 'LISTEN') };
  const workloads = [
    await startWorkload('missing-close', { count: 300 }),
    await startWorkload('inherited', { count: 50 }),
    await startWorkload('unread', { count: 40, family: '6' }),
  ];
  const pids = new Set(workloads.flatMap(({ truth }) => truth.pids));
  const found = ({ bytes, facts }: HeldAnswer): string[] => {
    const records = new HeldRecords(bytes, facts);
    return Array.from({ length: records.count }, (_, it) => it)
      .filter((it) => pids.has(records.pid(it)))
      .map((it) => `${records.pid(it)} ${records.fd(it)} ${records.inode(it)}`)
      .sort();
  };
  try {
    for (const kind of TYPED ? (['typed', 'generic'] as const) : (['generic'] as const)) {
      const source = new HeldSource([kind]);
      const expected = found(source.read(request));
      assert.ok(expected.length >= 300 + 2 * 50 + 40, kind);
      for (const ranges of [[{ from: 0 }], [{ from: 0, to: 40 }, { from: 40 }], evenRanges([300, 50, 40], 4)]) {
        // Also where more come than were counted.
        await source.readAhead(request, ranges, ranges.length === 1 ? 0 : 400);
        assert.deepEqual(found(source.read(request)), expected, `${kind} ${ranges.length}`);
      }
      source.close();
      assert.deepEqual(found(source.read(request)), expected);
      source.close();
    }
  } finally {
    for (const { stop } of workloads) await stop();
  }
});

test('what does not fit into the room that was made comes in further pieces', { skip }, async () => {
  const { truth, stop } = await startWorkload('missing-close', { count: 700 });
  try {
    const types = new KernelTypes();
    const kind = TYPED ? ('typed' as const) : ('generic' as const);
    const iterator = new HeldSocketIterator({ kind, states: stateMask('CLOSE_WAIT'), translatePids: false }, types);
    const pieces = await iterator.readInThread(Buffer.alloc(300 * HELD_SIZE));
    iterator.close();
    assert.ok(pieces.length >= 3);
    const records = new HeldRecords(new Uint8Array(Buffer.concat(pieces)), FACTS);
    const fds = Array.from({ length: records.count }, (_, it) => it)
      .filter((it) => records.pid(it) === truth.pid)
      .map((it) => records.fd(it));
    assert.equal(new Set(fds).size, 700);
  } finally {
    await stop();
  }
});

test('a descriptor is alone unless it was inherited, duplicated or passed on', { skip }, async () => {
  const source = new HeldSource(TYPED ? ['typed'] : ['generic']);
  const alone = { 'missing-close': true, inherited: false } as const;
  for (const [name, expected] of Object.entries(alone)) {
    const { truth, stop } = await startWorkload(name, { count: 5 });
    try {
      const { bytes, facts } = source.read({ states: stateMask('CLOSE_WAIT') });
      const records = new HeldRecords(bytes, facts);
      const seen = Array.from({ length: records.count }, (_, it) => it)
        .filter((it) => truth.pids.includes(records.pid(it)))
        .map((it) => records.isAlone(it));
      assert.ok(seen.length >= 5, name);
      assert.deepEqual(new Set(seen), new Set([expected]), name);
    } finally {
      await stop();
    }
  }
  source.close();
});

test('a report on one process knows the listeners of others', { skip }, async () => {
  const { truth, stop } = await startWorkload('passed', { count: 5 });
  try {
    for (const source of [...PROGRAMS, 'netlink']) {
      const { findings } = await reportEverything('--source', source, '-p', String(truth.pid));
      assert.deepEqual(
        findings.map(({ sockets, direction, listener }) => [sockets, direction, listener?.port]),
        [[5, 'inbound', truth.port]],
        source,
      );
    }
  } finally {
    await stop();
  }
});

test('without root, CAP_BPF and CAP_PERFMON are enough to see the holders of all sockets', {
  skip: missing('root', 'python3', 'setpriv'),
}, async () => {
  const { truth, stop } = await startWorkload('missing-close');
  const capabilities = ['--inh-caps', '+bpf,+perfmon', '--ambient-caps', '+bpf,+perfmon'];
  const asNobody = ['--reuid', '65534', '--regid', '65534', '--clear-groups', ...capabilities];
  const asked = [BIN, '--json', '--sockets', '--stuck-after', '0s', '--port', String(truth.port)];
  try {
    const seen = await run('setpriv', [...asNobody, process.execPath, ...asked]).catch((error) => error);
    const report = JSON.parse(seen.stdout) as JsonReport;
    assert.equal(report.reading.source, PROGRAMS[0]);
    // Inodes of namespaces have ten digits. A smaller one is the inode of something that is none (Linux 5.10.262).
    const foreign = report.gaps.filter(({ what }) => /^network namespace \d{1,9} /.test(what));
    assert.deepEqual(foreign, []);
    assert.equal(report.findings[0]?.holder?.pid, truth.pid);
    assert.equal(socketsAt(report, truth).length, truth.count);
  } finally {
    await stop();
  }
});

test('without the rights it says so and reads tables, or refuses when BPF was asked for', {
  skip: missing('root', 'python3', 'setpriv'),
}, async () => {
  const without = ['--bounding-set', '-bpf,-sys_admin', process.execPath, BIN];
  const auto = await run('setpriv', [...without, '--json']).catch((error) => error);
  const { reading } = JSON.parse(auto.stdout) as JsonReport;
  assert.equal(reading.source, 'netlink');
  assert.match(reading.bpf_refused ?? '', /CAP_BPF/);
  const forced = await run('setpriv', [...without, '--source', 'bpf']).catch((error) => error);
  assert.equal(forced.code, 2);
  assert.match(forced.stderr, /\[SOURCE_UNAVAILABLE\]/);
  const doctor = await run('setpriv', [...without, 'doctor']).catch((error) => error);
  assert.equal(doctor.code, 1);
  assert.match(doctor.stdout, /^no {2}BPF iterator/m);
  assert.match(doctor.stdout, /^A report uses: netlink$/m);
});

test('the doctor finds everything that this kernel has', { skip }, async () => {
  const { code, stdout } = await unclosed('doctor');
  assert.equal(code, TYPED ? 0 : 1);
  assert.match(stdout, TYPED ? /^yes BPF iterator /m : /^no {2}BPF iterator .*invalid func/m);
  assert.match(stdout, /^yes BPF iterator, generic /m);
  assert.match(stdout, TYPED ? /^A report uses: BPF iterator$/m : /^A report uses: BPF iterator, generic$/m);
});

test('processes have the numbers of the pid namespace in which they are looked at', {
  skip: missing('root', 'python3', 'unshare'),
}, async () => {
  const script = `ip link set lo up
    exec 3< <(python3 ${WORKLOAD} missing-close < <(sleep 30)); read -r ready <&3; echo "$ready"
    for source in ${PROGRAMS.join(' ')} netlink; do
      ${process.execPath} ${BIN} --json --stuck-after 0s --source $source | tr -d '\\n'; echo
    done`;
  const inside = ['-n', '-p', '-f', '--mount-proc', '--kill-child', 'bash', '-c', script];
  const { stdout } = await run('unshare', inside, { timeout: 60_000 }).catch((error) => error);
  const [ready = '', ...reports] = String(stdout).trim().split('\n');
  const { pid } = JSON.parse(ready.replace(/^READY /, '')) as { pid: number };
  assert.equal(reports.length, PROGRAMS.length + 1);
  for (const report of reports) {
    const { findings } = JSON.parse(report) as JsonReport;
    assert.deepEqual(
      findings.map(({ holder, sockets }) => [holder?.pid, sockets]),
      [[pid, 23]],
    );
  }
});
