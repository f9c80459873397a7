import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureFrom } from '../../src/app/capture.ts';
import type { CaptureOptions } from '../../src/app/search.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { RecordingMachine } from '../../src/kernel/recorder.ts';
import { ReplayingMachine } from '../../src/kernel/replayer.ts';
import { UnclosedError } from '../../src/model/errors.ts';
import type { Diagnosis } from '../../src/model/finding.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import { type FakeData, FakeMachine } from '../helpers/fake-machine.ts';
import { endpoint, holding, listener, socket, sockets, unaccepted } from '../helpers/model.ts';

const OTHER_NETNS = 4026532201;

function look(data: FakeData, options: CaptureOptions = {}): { machine: FakeMachine; snapshot: Snapshot } {
  const machine = new FakeMachine({ bpf: {}, ...data });
  return { machine, snapshot: captureFrom(machine, options) };
}

const leak = (fields: Partial<FakeData> = {}): FakeData => ({
  processes: [
    { pid: 700, name: 'cron' },
    { pid: 812, name: 'gunicorn', sockets: holding(...sockets(3), listener()) },
  ],
  namespaces: [{ sockets: sockets(3), listeners: [listener()] }],
  ...fields,
});

const verdicts = ({ findings }: Diagnosis): unknown[] =>
  findings.map(({ cause, confidence, subject: { process, sockets: held, stuck, connections, coHolders } }) => [
    cause,
    confidence,
    process?.pid,
    held.length,
    stuck,
    connections,
    coHolders.map((it) => it.process.pid),
  ]);

test('one pass gives what tables and descriptors give together', () => {
  const data = leak();
  const { machine, snapshot } = look(data);
  const { snapshot: byTables } = look({ ...data, bpf: undefined } as unknown as FakeData);
  assert.equal(snapshot.reading.source, 'bpf');
  assert.equal(byTables.reading.source, 'netlink');
  assert.deepEqual(verdicts(diagnose(snapshot)), verdicts(diagnose(byTables)));
  assert.deepEqual(snapshot.byState, { LISTEN: 1, CLOSE_WAIT: 3, ESTABLISHED: 0 });
  assert.deepEqual([machine.callsOf('dump'), machine.callsOf('openNetns'), machine.callsOf('fdTable')], [[], [], []]);
});

test('records that come twice count once', () => {
  const { snapshot } = look(leak({ bpf: { again: 2 } }));
  assert.equal(snapshot.sockets.length, 3);
  assert.deepEqual(
    snapshot.processes.get(812)?.sockets?.get(1000),
    look(leak()).snapshot.processes.get(812)?.sockets?.get(1000),
  );
});

test('that the kernel knows which descriptor is alone changes nothing but the time it takes', () => {
  const shared = sockets(40, {}, 5000);
  const data: FakeData = {
    processes: [
      { pid: 812, sockets: holding(...sockets(30), listener()) },
      { pid: 813, sockets: holding(...shared.slice(0, 20), ...sockets(20, {}, 7000)) },
      { pid: 814, sockets: holding(...shared) },
    ],
    namespaces: [{ sockets: [...sockets(30), ...shared, ...sockets(20, {}, 7000)], listeners: [listener()] }],
  };
  const known = look(data);
  const unknown = look({ ...data, bpf: { alone: () => false } });
  assert.deepEqual(verdicts(diagnose(known.snapshot)), verdicts(diagnose(unknown.snapshot)));
  assert.deepEqual(known.snapshot.byState, unknown.snapshot.byState);
  assert.equal(known.snapshot.sockets.length, 90);
  for (const { pid, sockets: held } of known.snapshot.processes.values())
    assert.deepEqual(new Set(held?.keys()), new Set(unknown.snapshot.processes.get(pid)?.sockets?.keys()));
});

/** Some sockets that two processes hold, of whose descriptors the kernel says this. */
function inTwo(count: number, bpf: NonNullable<FakeData['bpf']> = {}): Snapshot {
  const shared = sockets(count);
  const processes = [812, 813].map((pid) => ({ pid, sockets: holding(...shared) }));
  return look({ processes, namespaces: [{ sockets: shared }], bpf }).snapshot;
}

test('a descriptor that was alone when it was seen, and is shared by the time the other one is, has two holders', () => {
  const snapshot = inTwo(3, { alone: seenFirst() });
  assert.equal(snapshot.sockets.length, 3);
  const [finding] = diagnose(snapshot).findings;
  assert.deepEqual([finding?.subject.process?.pid, finding?.subject.coHolders[0]?.sockets], [812, 3]);
});

test('two processes with one descriptor table hold each of its sockets once, although the kernel knows of one reference', () => {
  const snapshot = inTwo(40, { alone: () => true });
  assert.equal(snapshot.sockets.length, 40);
  const [finding, ...more] = diagnose(snapshot).findings;
  assert.deepEqual([finding?.subject.coHolders[0]?.sockets, more.length], [40, 0]);
});

/** True for the first descriptor of each socket. */
function seenFirst(): (inode: number) => boolean {
  const seen = new Set<number>();
  return (inode) => !seen.has(inode) && seen.add(inode) !== undefined;
}

test('a socket that two processes hold is one socket with two holders', () => {
  const snapshot = inTwo(3);
  assert.equal(snapshot.sockets.length, 3);
  const [finding] = diagnose(snapshot).findings;
  assert.equal(finding?.subject.coHolders[0]?.sockets, 3);
});

test('connections that nobody has accepted come over netlink, only because a listener has a queue', () => {
  const queued = [unaccepted({ peer: endpoint('10.0.0.5:1') }), unaccepted({ peer: endpoint('10.0.0.5:2') })];
  const busy = listener({ queue: 2 });
  const { machine, snapshot } = look({
    processes: [{ pid: 812, sockets: holding(busy) }],
    namespaces: [{ sockets: queued, listeners: [busy] }],
  });
  assert.equal(machine.callsOf('dump').length, 1);
  const [finding] = diagnose(snapshot).findings;
  assert.equal(finding?.cause, 'accept-backlog');
  assert.equal(finding?.subject.process?.pid, 812);
  assert.equal(finding?.subject.sockets.length, 2);
});

test('a socket on its way between two processes is found because the kernel counts more than anybody holds', () => {
  const { snapshot } = look({ processes: [{ pid: 812 }], namespaces: [{ sockets: [socket({ inode: 77 })] }] });
  assert.equal(snapshot.sockets.length, 1);
  assert.deepEqual(
    snapshot.gaps.map(({ code }) => code),
    ['HOLDER_UNKNOWN'],
  );
});

test('sockets of a namespace that no process is in any more are seen, and the namespace counted', () => {
  const elsewhere = sockets(2, { netns: OTHER_NETNS }, 2000);
  const { snapshot } = look({
    processes: [{ pid: 812, sockets: holding(...elsewhere) }],
    namespaces: [{ id: OTHER_NETNS, sockets: elsewhere }],
  });
  assert.equal(snapshot.sockets.length, 2);
  assert.deepEqual(
    snapshot.namespaces.map(({ id, read }) => [id, read]),
    [
      [4026531840, true],
      [OTHER_NETNS, true],
    ],
  );
});

test('a process whose first thread has ended is named as the holder, though no list of processes has it', () => {
  const machine = new FakeMachine({ bpf: {}, ...leak() });
  const all = machine.processes();
  machine.processes = () => all.filter(({ pid }) => pid !== 812);
  const [finding] = diagnose(captureFrom(machine, {})).findings;
  assert.deepEqual([finding?.subject.kind, finding?.subject.process?.pid], ['held', 812]);
});

test('a look at one process finds the listeners of others, by which its connections are inbound', () => {
  const data = leak({
    processes: [
      { pid: 700, name: 'master', sockets: holding(listener()) },
      { pid: 812, name: 'worker', sockets: holding(...sockets(3)) },
    ],
  });
  const { snapshot } = look(data, { pids: [812] });
  assert.equal(snapshot.listeners.length, 1);
  assert.equal(snapshot.byState.LISTEN, 1);
  const [finding] = diagnose(snapshot).findings;
  assert.deepEqual(finding?.subject.listener?.local, listener().local);
});

test('a namespace that cannot be entered costs only what no descriptor holds', () => {
  const busy = listener({ queue: 1, netns: OTHER_NETNS });
  const { snapshot } = look({
    processes: [{ pid: 812, netns: OTHER_NETNS, sockets: holding(busy, ...sockets(2, { netns: OTHER_NETNS }, 2000)) }],
    namespaces: [{ id: OTHER_NETNS, sockets: [...sockets(2, { netns: OTHER_NETNS }, 2000)], listeners: [busy] }],
    refuse: { [`openNetns ${OTHER_NETNS}`]: 'EPERM' },
  });
  assert.equal(snapshot.sockets.length, 2);
  const [gap, ...more] = snapshot.gaps;
  assert.deepEqual(more, []);
  assert.equal(gap?.code, 'NETNS_DENIED');
  assert.match(gap?.effect ?? '', /nobody has accepted/);
});

test('a queue in a namespace that nobody showed the way to is a gap', () => {
  const busy = listener({ queue: 1, netns: OTHER_NETNS });
  const { snapshot } = look({
    processes: [{ pid: 812, netns: undefined, sockets: holding(busy) }],
    namespaces: [{ listeners: [busy] }],
  });
  assert.deepEqual(
    snapshot.gaps.map(({ code }) => code),
    ['NETNS_DENIED'],
  );
});

test('closed sockets that were connections are proven, and those that never were are not shown', () => {
  const closed = [
    socket({ state: 'CLOSE', inode: 50 }),
    socket({ state: 'CLOSE', inode: 51 }),
    socket({ state: 'CLOSE', inode: 52, peer: endpoint('0.0.0.0:0') }),
  ];
  const data: FakeData = { processes: [{ pid: 812, sockets: holding(...closed) }], closed };
  const { findings } = diagnose(look(data).snapshot);
  assert.deepEqual(
    findings.map(({ cause, confidence, subject }) => [cause, confidence, subject.closedFds]),
    [['closed-but-held', 'proven', 2]],
  );
  assert.deepEqual(diagnose(look(data, { closedButHeld: 'never' }).snapshot).findings, []);
});

test('a second pass drops what was only passing through', () => {
  const passing = socket({ lastAckReceivedMs: 5, lastDataReceivedMs: 600_000, lastDataSentMs: 6, inode: 77 });
  const { snapshot, machine } = look({
    processes: [{ pid: 812, sockets: holding(passing) }],
    namespaces: [{ sockets: [passing] }],
    before: (call, data) => {
      if (call.startsWith('pause')) data.namespaces = [];
    },
  });
  assert.equal(machine.callsOf('heldSockets').length, 2);
  assert.equal(snapshot.sockets.length, 0);
});

test('one process alone is asked for where only one is wanted', () => {
  const { machine, snapshot } = look(leak(), { pids: [812] });
  assert.deepEqual(machine.callsOf('heldSockets'), ['heldSockets ALL 812']);
  assert.equal(snapshot.sockets.length, 3);
});

test('refused, the tables are read and the reason is told; asked for alone, it is an error', () => {
  const refuse = { 'heldSockets ALL': 'EPERM' };
  const { snapshot } = look(leak({ refuse }));
  assert.equal(snapshot.reading.source, 'netlink');
  assert.equal(snapshot.reading.bpfRefused, 'bpf(PROG_LOAD): EPERM');
  assert.equal(snapshot.sockets.length, 3);
  assert.throws(
    () => look(leak({ refuse }), { only: 'bpf' }),
    (error) => error instanceof UnclosedError && error.code === 'SOURCE_UNAVAILABLE',
  );
});

test('a recording holds the raw records, and its replay gives the same', () => {
  const recorder = new RecordingMachine(new FakeMachine({ ...leak(), bpf: {} }));
  const first = captureFrom(recorder, {});
  const again = captureFrom(new ReplayingMachine(recorder.tape, 'x'), {});
  assert.deepEqual(verdicts(diagnose(again)), verdicts(diagnose(first)));
  assert.equal(again.reading.source, 'bpf');
});

test('a recording answers a narrower question, and that of another look too', () => {
  const recorder = new RecordingMachine(new FakeMachine({ ...leak(), bpf: {} }));
  captureFrom(recorder, { pids: [812], closedButHeld: 'always' });
  for (const options of [{}, { closedButHeld: 'never' as const }, { pids: [812] }]) {
    const again = captureFrom(new ReplayingMachine(recorder.tape, 'x'), options);
    assert.equal(again.reading.source, 'bpf');
    assert.equal(again.sockets.length, 3);
  }
});
