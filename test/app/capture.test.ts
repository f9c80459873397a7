import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureFrom } from '../../src/app/capture.ts';
import type { CaptureOptions } from '../../src/app/search.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { RecordingMachine } from '../../src/kernel/recorder.ts';
import { ReplayingMachine } from '../../src/kernel/replayer.ts';
import { UnclosedError } from '../../src/model/errors.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import { type FakeData, FakeMachine } from '../helpers/fake-machine.ts';
import { aged, endpoint, HOST_NETNS, holding, listener, socket, sockets, times, unaccepted } from '../helpers/model.ts';

const OTHER_NETNS = 4026532201;
const UNREADABLE_PROC = { 'read /proc/self/net/tcp': 'EACCES', 'read /proc/self/net/tcp6': 'EACCES' };

function look(data: FakeData, options: CaptureOptions = {}): { machine: FakeMachine; snapshot: Snapshot } {
  const machine = new FakeMachine(data);
  return { machine, snapshot: captureFrom(machine, options) };
}

const codes = ({ gaps }: Snapshot): string[] => gaps.map(({ code }) => code);
const stuckIn = (snapshot: Snapshot): number => snapshot.sockets.filter(({ state }) => state === 'CLOSE_WAIT').length;
const failsWith = (code: string, data: FakeData, options: CaptureOptions = {}): void =>
  assert.throws(
    () => look(data, options),
    (error) => error instanceof UnclosedError && error.code === code,
  );

/** One process that holds three stuck sockets and their listener, and one that holds nothing. */
const leak = (fields: Partial<FakeData> = {}): FakeData => ({
  processes: [
    { pid: 700, name: 'cron' },
    { pid: 812, name: 'gunicorn', sockets: holding(...sockets(3), listener()) },
  ],
  namespaces: [{ sockets: sockets(3), listeners: [listener()] }],
  ...fields,
});

/** The leak, and a second namespace with two stuck sockets of its own, which pid 900 holds. */
function twoNamespaces(refuse: Record<string, string> = {}): FakeData {
  const inside = sockets(2, { netns: OTHER_NETNS }, 2000);
  const { processes = [], namespaces = [] } = leak();
  return {
    processes: [...processes, { pid: 900, name: 'inside', netns: OTHER_NETNS, sockets: holding(...inside) }],
    namespaces: [...namespaces, { id: OTHER_NETNS, sockets: inside }],
    refuse,
  };
}

test('a leak is found with its holder, its listener and everything counted', () => {
  const { snapshot } = look(leak());
  assert.deepEqual(
    [...snapshot.sockets],
    sockets(3).map((it) => ({ ...it, cookie: 0n })),
  );
  assert.deepEqual(snapshot.listeners, [listener()]);
  assert.deepEqual([...snapshot.processes.keys()], [812]);
  assert.deepEqual(snapshot.byState, { ESTABLISHED: 0, LISTEN: 1, CLOSE_WAIT: 3 });
  assert.equal(snapshot.tcpSockets, 4);
  assert.equal(snapshot.processCount, 2);
  assert.equal(snapshot.tookMs, 2 * 93);
  assert.deepEqual(snapshot.gaps, []);
  assert.deepEqual(snapshot.reading, { source: 'netlink', netlink: 1, text: 0, lookedAt: 2, leftOut: 0, asRoot: true });
});

test('the holder is described from its files in /proc', () => {
  const holder = look(leak({ files: { '/etc/passwd': 'www:x:33:33::/:/bin/false\n' } })).snapshot.processes.get(812);
  assert.deepEqual(
    { ...holder, sockets: holder?.sockets?.size },
    {
      pid: 812,
      name: 'gunicorn',
      command: '/usr/bin/gunicorn',
      parent: 1,
      uid: 33,
      user: 'www',
      startedAt: 1_795_000_058.12,
      state: 'sleeping',
      threads: 4,
      openFds: 7,
      fdLimit: 1024,
      fdHardLimit: 4096,
      runtime: 'native',
      libraries: [{ name: 'gunicorn' }],
      unit: 'gunicorn.service',
      netns: HOST_NETNS,
      sockets: 4,
    },
  );
});

test('a status file that cannot be read costs what it tells, and no other fact', () => {
  const { snapshot } = look(leak({ files: { '/proc/812/status': 'Uid:\tx\tx\tx\tx\n' } }));
  assert.equal(snapshot.processes.get(812)?.name, 'gunicorn');
});

test('with nothing stuck, no descriptor table and no other file of a process is read', () => {
  for (const all of [[], sockets(3, { state: 'ESTABLISHED' }), sockets(3, aged(59_000))]) {
    const { machine, snapshot } = look(leak({ namespaces: [{ sockets: all, listeners: [listener()] }] }));
    assert.deepEqual(machine.callsOf('fdTable'), []);
    assert.deepEqual(machine.callsOf('read /proc/8'), []);
    assert.equal(snapshot.processes.size, 0);
    assert.equal('closedButHeld' in snapshot ? snapshot.closedButHeld?.length : undefined, 0);
  }
});

test('young sockets get holders only when they are asked for', () => {
  const data = leak({ namespaces: [{ sockets: sockets(3, aged(2000)), listeners: [listener()] }] });
  assert.equal(look(data).snapshot.processes.size, 0);
  assert.equal(look(data, { young: true }).snapshot.processes.size, 1);
  assert.equal(look(data, { stuckAfterMs: 1000 }).snapshot.processes.size, 1);
});

test('only namespaces with connections are asked for CLOSE_WAIT sockets, and only those with sockets for listeners', () => {
  const data = twoNamespaces();
  const quiet = { id: 4026532300, listeners: [listener({ netns: 4026532300, inode: 901 })] };
  data.namespaces?.push(quiet, { id: 4026532400 });
  data.processes?.push({ pid: 1000, netns: quiet.id }, { pid: 1001, netns: 4026532400 });
  const { machine, snapshot } = look(data);
  assert.deepEqual(
    machine.callsOf('dump').filter((call) => call.endsWith('CLOSE_WAIT')),
    [`dump ${HOST_NETNS} CLOSE_WAIT`, `dump ${OTHER_NETNS} CLOSE_WAIT`],
  );
  assert.equal(machine.callsOf('dump 4026532400').length, 0);
  assert.equal(snapshot.namespaces.length, 4);
  assert.equal(machine.callsOf('close').length, 4);
});

test('a namespace without a process is found by its bind mount, and named', () => {
  const mountinfo = `412 24 0:4 net:[${OTHER_NETNS}] /run/netns/blue rw shared:219 - nsfs nsfs rw\n`;
  const data = leak({ files: { '/proc/self/mountinfo': mountinfo } });
  data.namespaces?.push({ id: OTHER_NETNS, sockets: sockets(1, { netns: OTHER_NETNS }, 2000) });
  const { snapshot } = look(data);
  assert.deepEqual(snapshot.namespaces[1], { id: OTHER_NETNS, read: true, name: 'blue', sockets: 1 });
  assert.equal(stuckIn(snapshot), 4);
});

test('the likely holders are looked at first: the cgroup, then user and namespace, then the rest', () => {
  const all = sockets(1, { cgroupId: 77n });
  const data: FakeData = {
    processes: [
      { pid: 1, uid: 0, netns: OTHER_NETNS, fdCount: 9000 },
      { pid: 2, uid: 0, fdCount: 50 },
      { pid: 3, uid: 33, fdCount: 10 },
      { pid: 4, uid: 33, fdCount: 20 },
      { pid: 5, uid: 0, netns: OTHER_NETNS, sockets: holding(...all) },
    ],
    namespaces: [{ sockets: all }],
    cgroups: new Map([[77n, [5]]]),
  };
  assert.deepEqual(
    look(data).machine.callsOf('fdTable'),
    [5, 4, 3, 2, 1].map((pid) => `fdTable ${pid}`),
  );
});

test('once every holder is found, only so many further descriptors are looked at', () => {
  const data = leak();
  data.processes?.push(...times(10, (i) => ({ pid: 2000 + i, uid: 0, fdCount: 6000 })));
  const { machine, snapshot } = look(data);
  assert.equal(machine.callsOf('fdTable 2').length, 3); // 20,000 descriptors: three times 6,000, not four
  assert.equal(snapshot.reading.leftOut, 7);
  assert.equal(look(data, { allHolders: true }).snapshot.reading.leftOut, 0);
});

test('kernel threads, which have no descriptors, are not looked at', () => {
  const data = leak();
  data.processes?.push({ pid: 2, fdCount: 0 });
  assert.deepEqual(look(data).machine.callsOf('fdTable 2'), []);
});

test('a descriptor table that may not be read is a gap with the pid, and costs no other holder', () => {
  const data = leak({ refuse: { 'fdTable 813': 'EACCES' } });
  const unowned = socket({ inode: 5000 });
  data.namespaces?.[0]?.sockets?.push(unowned);
  data.processes?.push({ pid: 813 });
  const { snapshot } = look(data);
  assert.deepEqual(codes(snapshot), ['FDS_DENIED']);
  assert.match(snapshot.gaps[0]?.what ?? '', /1 process \(pid 813\)/);
  assert.match(snapshot.gaps[0]?.effect ?? '', /1 socket/);
  assert.deepEqual([...snapshot.processes.keys()], [812]);
});

test('a socket that nobody holds, with every table read, has an unknown holder', () => {
  const data = leak();
  data.namespaces?.[0]?.sockets?.push(socket({ inode: 5000 }));
  assert.deepEqual(codes(look(data).snapshot), ['HOLDER_UNKNOWN']);
});

test('a process that vanishes before its descriptors are read is no gap', () => {
  const { snapshot } = look(
    leak({
      before: (call, data) => {
        if (call === 'fdTable 700') data.processes?.shift();
      },
    }),
  );
  assert.deepEqual(snapshot.gaps, []);
  assert.deepEqual([...snapshot.processes.keys()], [812]);
});

test('a holder that vanishes before it is described leaves its sockets without a process', () => {
  const { snapshot } = look(
    leak({
      before: (call, data) => {
        if (call === 'read /proc/812/stat') data.processes?.pop();
      },
    }),
  );
  assert.equal(snapshot.processes.size, 0);
  assert.equal(stuckIn(snapshot), 3);
});

test('a namespace that cannot be entered is a gap, and read from text files without ages', () => {
  const { snapshot } = look(twoNamespaces({ [`openNetns ${OTHER_NETNS}`]: 'EPERM' }));
  assert.deepEqual(codes(snapshot), ['NETNS_DENIED']);
  assert.match(snapshot.gaps[0]?.effect ?? '', /without ages/);
  const inside = snapshot.sockets.filter(({ netns }) => netns === OTHER_NETNS);
  assert.equal(inside.length, 2);
  const [first] = inside;
  assert.equal(first && 'lastAckReceivedMs' in first, false);
  assert.deepEqual([...snapshot.processes.keys()], [812, 900]);
  assert.deepEqual(snapshot.reading, { source: 'netlink', netlink: 1, text: 1, lookedAt: 3, leftOut: 0, asRoot: true });
});

test('a namespace that cannot be read at all is a gap that says so', () => {
  const refuse = { [`openNetns ${OTHER_NETNS}`]: 'EPERM', 'read /proc/900/net/tcp': 'EACCES' };
  const { snapshot } = look(twoNamespaces(refuse));
  assert.deepEqual(codes(snapshot), ['NETNS_DENIED']);
  assert.match(snapshot.gaps[0]?.effect ?? '', /not in this report/);
  assert.equal(stuckIn(snapshot), 3);
  assert.equal('tcpSockets' in snapshot, false);
});

test('connections in a namespace that could not be read are not taken for closed ones', () => {
  const refuse = { [`openNetns ${OTHER_NETNS}`]: 'EPERM', 'read /proc/900/net/tcp': 'EACCES' };
  const { snapshot } = look(twoNamespaces(refuse));
  assert.deepEqual(snapshot.closedButHeld ?? [], []);
});

test('the gaps of a replayed recording are those of the machine it was made on', () => {
  const recorder = new RecordingMachine(new FakeMachine(twoNamespaces({ [`openNetns ${OTHER_NETNS}`]: 'EPERM' })));
  const live = captureFrom(recorder);
  const replayed = captureFrom(new ReplayingMachine(recorder.tape, '/rec'));
  assert.deepEqual(codes(replayed), codes(live));
  assert.deepEqual(replayed.gaps, live.gaps);
  assert.deepEqual({ ...replayed, processes: [], source: live.source }, { ...live, processes: [] });
  assert.deepEqual([...replayed.processes.keys()], [...live.processes.keys()]);
});

test('a namespace that ended together with its only process is no gap', () => {
  const { snapshot } = look({
    ...twoNamespaces({ [`openNetns ${OTHER_NETNS}`]: 'ENOENT' }),
    before: (call, data) => {
      if (call === `openNetns ${OTHER_NETNS}`) data.processes = data.processes?.filter(({ pid }) => pid !== 900) ?? [];
    },
  });
  assert.deepEqual(codes(snapshot), []);
});

test('a process whose namespace may not be seen is a gap, but a kernel thread is not', () => {
  const data = leak();
  data.processes?.push({ pid: 77, netns: undefined }, { pid: 2, netns: undefined, fdCount: 0 });
  const { snapshot } = look({ ...data, ownUid: 1000 });
  assert.deepEqual(codes(snapshot), ['NETNS_UNKNOWN']);
  assert.match(snapshot.gaps[0]?.what ?? '', /1 process \(pid 77\)/);
  assert.match(snapshot.gaps[0]?.remedy ?? '', /run as root/);
});

test('without netlink the text files are read, with one gap', () => {
  for (const call of [`openNetns ${HOST_NETNS}`, `dump ${HOST_NETNS} LISTEN`]) {
    const { snapshot } = look(leak({ refuse: { [call]: 'EACCES' } }));
    assert.equal(snapshot.gaps.length, 1, call);
    assert.equal(stuckIn(snapshot), 3);
    assert.deepEqual(snapshot.reading, {
      source: 'procfs',
      netlink: 0,
      text: 1,
      lookedAt: 2,
      leftOut: 0,
      asRoot: true,
    });
    assert.equal(diagnose(snapshot).totals.maybeStuck, 3);
  }
});

test('netlink that is refused is named as what is missing', () => {
  assert.deepEqual(codes(look(leak({ refuse: { [`dump ${HOST_NETNS} LISTEN`]: 'EACCES' } })).snapshot), [
    'NETLINK_UNAVAILABLE',
  ]);
});

test('netlink that fails after the listeners gives each listener once', () => {
  const { snapshot } = look(leak({ refuse: { [`dump ${HOST_NETNS} CLOSE_WAIT`]: 'EAGAIN' } }));
  assert.equal(snapshot.listeners.length, 1);
  assert.equal(snapshot.byState.LISTEN, 1);
});

test('a kernel that knows no dump of both families is asked for one after the other', () => {
  const data = leak();
  data.namespaces?.[0]?.sockets?.push(
    socket({ family: 6, inode: 3000, local: endpoint('[::1]:9'), peer: endpoint('[::1]:8') }),
  );
  data.processes?.[1]?.sockets?.set(3000, [99]);
  let refused = 0;
  const machine = new FakeMachine({
    ...data,
    before: (call, it) => {
      const first = call.endsWith('CLOSE_WAIT') && refused++ === 0;
      it.refuse = first ? { [call]: 'EINVAL' } : {};
    },
  });
  assert.equal(stuckIn(captureFrom(machine)), 4);
  assert.equal(machine.callsOf(`dump ${HOST_NETNS} CLOSE_WAIT`).length, 3);
});

test('when no table can be read there is an error, and not a healthy machine', () => {
  failsWith('NOTHING_READABLE', leak({ refuse: { [`openNetns ${HOST_NETNS}`]: 'EPERM', ...UNREADABLE_PROC } }));
});

test('a counter that could be read does not make up for tables that could not', () => {
  failsWith('NOTHING_READABLE', leak({ refuse: { [`dump ${HOST_NETNS} LISTEN`]: 'EACCES', ...UNREADABLE_PROC } }));
});

for (const [interrupted, tries, gaps] of [
  [0, 1, []],
  [1, 2, []],
  [2, 3, []],
  [3, 3, ['NETLINK_INTERRUPTED']],
] as const) {
  test(`a table that changes during ${interrupted} reads is read ${tries} times${gaps.length ? ', then told with a gap' : ''}`, () => {
    const data = leak();
    Object.assign(data.namespaces?.[0] ?? {}, { interrupted });
    const { machine, snapshot } = look(data);
    assert.equal(machine.callsOf(`dump ${HOST_NETNS} CLOSE_WAIT`).length, tries);
    assert.deepEqual(codes(snapshot), gaps);
    assert.equal(stuckIn(snapshot), 3);
  });
}

/** A machine on which every dump gives these bytes first. */
class Garbled extends FakeMachine {
  readonly #first: Buffer;
  constructor(data: FakeData, first: Buffer) {
    super(data);
    this.#first = first;
  }
  override openNetns(entry: Parameters<FakeMachine['openNetns']>[0]) {
    const tables = super.openNetns(entry);
    const dump: typeof tables.dump = (request, sink) => {
      if (request.tcpInfo && !sink(this.#first, this.#first.length)) return;
      tables.dump(request, sink);
    };
    return { ...tables, dump };
  }
}

test('a message that is not understood becomes a gap, and costs no other socket', () => {
  const strange = Buffer.alloc(16 + 72);
  strange.writeUInt32LE(strange.length, 0);
  strange.writeUInt16LE(20, 4);
  const snapshot = captureFrom(new Garbled(leak(), strange));
  assert.deepEqual(codes(snapshot), ['PARSE']);
  assert.equal(stuckIn(snapshot), 3);
});

test('a datagram with a lying length becomes a gap, and does not end the run', () => {
  const snapshot = captureFrom(new Garbled(leak(), Buffer.alloc(20, 0xff)));
  assert.deepEqual(codes(snapshot), ['PARSE']);
});

test('a row of a text table that is not understood becomes a gap', () => {
  const refuse = { [`openNetns ${HOST_NETNS}`]: 'EPERM' };
  const { snapshot } = look(
    leak({ refuse, files: { '/proc/self/net/tcp': 'header\n rubbish\n', '/proc/self/net/tcp6': 'header\n' } }),
  );
  assert.deepEqual(codes(snapshot).toSorted(), ['NETNS_DENIED', 'PARSE']);
});

test('-p looks at the descriptors of these processes only', () => {
  const data = leak();
  data.processes?.push({ pid: 813, sockets: holding(...sockets(2)) });
  const { machine, snapshot } = look(data, { pids: [813] });
  assert.deepEqual(machine.callsOf('fdTable'), ['fdTable 813']);
  assert.deepEqual([...snapshot.processes.keys()], [813]);
  assert.deepEqual(snapshot.gaps, []);
});

test('-p with a process that does not exist is an error', () => {
  failsWith('NO_SUCH_PROCESS', leak(), { pids: [812, 4242] });
});

test('-p with a process whose descriptors may not be read is an error, not a report that finds nothing', () => {
  const data = leak({ refuse: { 'fdTable 812': 'EACCES' }, ownUid: 1000 });
  assert.throws(() => look(data, { pids: [812] }), { name: 'UnclosedError', code: 'FDS_DENIED' });
});

test('-p does not say how many closed sockets other processes hold', () => {
  const data = leak({ unlisted: 4 });
  data.processes?.push({ pid: 813, sockets: holding(...times(4, (i) => ({ inode: 6000 + i }))) });
  assert.notEqual(look(data, { pids: [812] }).snapshot.closedButHeldAtMost, 0);
});

test('several holders of a socket are all found', () => {
  const data = leak();
  data.processes?.push({ pid: 813, sockets: holding(...sockets(3)) }, { pid: 814, sockets: holding(...sockets(1)) });
  assert.deepEqual([...look(data).snapshot.processes.keys()], [812, 813, 814]);
});

test('sockets that nobody has accepted lead to the process that listens', () => {
  const waiting = times(3, (i) => unaccepted({ peer: endpoint(`10.0.0.5:${i + 1}`) }));
  const { snapshot } = look({
    processes: [{ pid: 700 }, { pid: 812, sockets: holding(listener()) }],
    namespaces: [{ sockets: waiting, listeners: [listener({ queue: 3 })] }],
  });
  assert.deepEqual([...snapshot.processes.keys()], [812]);
  assert.deepEqual(snapshot.gaps, []);
  assert.equal(snapshot.listeners[0]?.queue, 3);
});

test('the process at the other end is found when it is on this machine', () => {
  const near = socket({ local: endpoint('127.0.0.1:8000'), peer: endpoint('127.0.0.1:5000') });
  const far = socket({
    state: 'FIN_WAIT2',
    inode: 2000,
    local: endpoint('127.0.0.1:5000'),
    peer: endpoint('127.0.0.1:8000'),
  });
  const { snapshot } = look({
    processes: [
      { pid: 812, sockets: holding(near) },
      { pid: 900, name: 'client', sockets: holding(far) },
    ],
    namespaces: [{ sockets: [near, far] }],
  });
  assert.deepEqual([...snapshot.processes.keys()], [812, 900]);
  assert.deepEqual(diagnose(snapshot).findings[0]?.subject.peers, [
    { address: '127.0.0.1', port: 5000, sockets: 1, process: { pid: 900, name: 'client' } },
  ]);
});

test('of the sockets in other states only those of a holder, and opposite ends, are kept', () => {
  const mine = socket({ state: 'ESTABLISHED', inode: 3000, peer: endpoint('10.0.0.9:1') });
  const foreign = socket({ state: 'ESTABLISHED', inode: 3001, peer: endpoint('10.0.0.9:2') });
  const data = leak();
  data.namespaces?.[0]?.sockets?.push(mine, foreign);
  data.processes?.[1]?.sockets?.set(3000, [99]);
  const { snapshot } = look(data);
  assert.deepEqual(
    snapshot.sockets.filter(({ state }) => state === 'ESTABLISHED').map(({ inode }) => inode),
    [3000],
  );
  assert.equal(snapshot.byState.ESTABLISHED, 2);
  assert.equal(diagnose(snapshot).findings[0]?.subject.connections, 4);
});

test('hidden processes are a gap for everybody but root', () => {
  const files = { '/proc/self/mountinfo': '21 27 0:20 / /proc rw - proc proc rw,hidepid=2\n' };
  assert.deepEqual(codes(look(leak({ files, ownUid: 1000 })).snapshot), ['PROC_HIDDEN']);
  assert.deepEqual(codes(look(leak({ files })).snapshot), []);
});

test('a machine of 5,000 processes and 20,000 sockets is read within two seconds', () => {
  const all = [...sockets(10_000), ...sockets(10_000, { state: 'ESTABLISHED' }, 50_000)];
  const data: FakeData = {
    processes: times(5000, (i) => ({
      pid: 1000 + i,
      sockets: i % 500 === 0 ? holding(...all.slice(i * 4, i * 4 + 2000)) : new Map(),
    })),
    namespaces: [{ sockets: all, listeners: [listener()] }],
  };
  const machine = new FakeMachine(data);
  const begun = performance.now();
  const { totals } = diagnose(captureFrom(machine));
  assert.equal(totals.stuck, 10_000);
  assert.ok(performance.now() - begun < 2000, `took ${performance.now() - begun} ms`);
});
