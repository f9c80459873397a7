import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FdOwner, HeldAnswer, Machine, NetNsEntry, ProcessEntry } from '../../src/kernel/machine.ts';
import { RecordingMachine } from '../../src/kernel/recorder.ts';
import { ReplayingMachine } from '../../src/kernel/replayer.ts';
import { SystemError } from '../../src/model/errors.ts';
import { HELD_SIZE } from '../../src/parse/held-socket.ts';

/** A value, or the errno with which it is refused. */
type Reply<T> = { value: T } | { errno: string };

type Replies = {
  now: Reply<number>;
  host: Reply<{ name: string; kernel: string; arch: string }>;
  processes: Reply<ProcessEntry[]>;
  fdOwners: Reply<Map<number, FdOwner>>;
  ownNetns: Reply<number>;
  openNetns: Reply<null>;
  sockstat: Reply<{ v4: string; v6: string }>;
  dump: Reply<Uint8Array[]>;
  heldSockets: Reply<HeldAnswer>;
  fdTable: Reply<{ count: number; sockets: Map<number, number[]> }>;
  socketProtocol: Reply<string>;
  cgroupPids: Reply<number[]>;
  containerNames: Reply<object>;
  parameters: Reply<Record<string, string>>;
  read: Reply<Uint8Array>;
  readHead: Reply<Uint8Array>;
  link: Reply<string>;
  list: Reply<string[]>;
};

const NETNS: NetNsEntry = { id: 7, paths: ['/proc/1/ns/net'], pids: [1] };
const PATH = '/proc/1/ns/net';
const DUMP = { states: 256, tcpInfo: true };

/** Answers each question with the next of its replies. */
function machineOf(rounds: Replies[]): Machine {
  const turns = new Map<string, number>();
  const answer = <K extends keyof Replies>(name: K): Extract<Replies[K], { value: unknown }>['value'] => {
    const turn = turns.get(name) ?? 0;
    turns.set(name, turn + 1);
    const reply = rounds[turn]?.[name];
    if (!reply || 'errno' in reply) throw new SystemError(reply?.errno ?? 'EIO', name);
    return reply.value as Extract<Replies[K], { value: unknown }>['value'];
  };
  return {
    source: { kind: 'live' },
    pause: () => {},
    now: () => answer('now'),
    host: () => answer('host'),
    processes: () => answer('processes'),
    fdOwners: () => answer('fdOwners'),
    ownNetns: () => answer('ownNetns'),
    openNetns: () => {
      answer('openNetns');
      return {
        sockstat: () => answer('sockstat'),
        dump: (_request, sink) => {
          const shared = new Uint8Array(64); // one buffer for all datagrams, as the live one has
          for (const datagram of answer('dump')) {
            shared.fill(0xee);
            shared.set(datagram);
            if (!sink(shared, datagram.length)) return;
          }
        },
        close: () => {},
      };
    },
    heldSockets: () => answer('heldSockets'),
    fdTable: () => answer('fdTable'),
    socketProtocol: () => answer('socketProtocol'),
    cgroupPids: () => answer('cgroupPids'),
    containerNames: () => answer('containerNames'),
    parameters: () => answer('parameters'),
    read: () => answer('read'),
    readHead: () => answer('readHead'),
    link: () => answer('link'),
    list: () => answer('list'),
  };
}

/** What one round of all questions is answered; a refusal as its errno. */
function interview(machine: Machine, datagrams: number): unknown[] {
  const attempt = (ask: () => unknown): unknown => {
    try {
      return ask();
    } catch (error) {
      if (error instanceof SystemError) return error.code;
      throw error;
    }
  };
  const netns = attempt(() => machine.openNetns(NETNS, PATH));
  const tables = typeof netns === 'string' ? undefined : (netns as ReturnType<Machine['openNetns']>);
  const dumped: number[][] = [];
  return [
    machine.source.kind !== undefined,
    attempt(() => machine.now()),
    attempt(() => machine.host()),
    attempt(() => machine.processes()),
    attempt(() => machine.fdOwners([812])),
    attempt(() => machine.ownNetns()),
    tables ? attempt(() => tables.sockstat()) : netns,
    tables &&
      attempt(() =>
        tables.dump(DUMP, (bytes, length) => {
          dumped.push([...bytes.subarray(0, length)]);
          return dumped.length < datagrams;
        }),
      ),
    dumped,
    attempt(() => {
      const { count, sockets } = machine.fdTable(812);
      return { count, sockets: [...sockets.keys()].map((inode) => [inode, sockets.get(inode)]) };
    }),
    attempt(() => machine.socketProtocol(812, 3)),
    attempt(() => machine.cgroupPids(5n)),
    attempt(() => machine.containerNames({ engine: 'docker', id: 'abc' })),
    attempt(() => machine.parameters(NETNS, PATH, ['net.core.somaxconn'])),
    attempt(() => [...machine.read('/proc/812/maps')]),
    attempt(() => [...machine.readHead('/proc/812/exe', 4)]),
    attempt(() => machine.link('/proc/812/exe')),
    attempt(() => machine.list('/proc/812/task')),
    attempt(() => machine.heldSockets({ states: 256 })),
    attempt(() => machine.heldSockets({ states: 256, pid: 812 })),
  ];
}

/** NLMSG_DONE with something behind it: a message that is understood, so that nothing of it is blanked. */
function endOfDump(rest: Uint8Array): Uint8Array {
  return Uint8Array.from([20, 0, 0, 0, 3, 0, ...new Array<number>(10).fill(0), 0, 0, 0, 0, ...rest]);
}

const id = fc.nat(0xffffffff);
const inode = fc.integer({ min: 1, max: 0xffffffff });
const reply = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Reply<T>> =>
  fc.oneof(
    { weight: 4, arbitrary: value.map((it) => ({ value: it })) },
    { weight: 1, arbitrary: fc.constantFrom('EACCES', 'ENOENT', 'EPERM').map((errno) => ({ errno })) },
  );
const PLAIN = { noNullPrototype: true } as const;
const optional = { ...PLAIN, requiredKeys: ['pid'] as ['pid'] };
const replies: fc.Arbitrary<Replies> = fc.record({
  now: reply(fc.nat(2 ** 42)),
  host: reply(fc.record({ name: fc.string(), kernel: fc.string(), arch: fc.string() }, PLAIN)),
  processes: reply(fc.array(fc.record({ pid: id, netns: id }, optional))),
  fdOwners: reply(
    fc
      .record({ uid: id, fdCount: fc.nat(9) }, { ...PLAIN, requiredKeys: ['uid'] })
      .map((owner) => new Map([[812, owner]])),
  ),
  ownNetns: reply(id),
  openNetns: reply(fc.constant(null)),
  sockstat: reply(fc.record({ v4: fc.string(), v6: fc.string() }, PLAIN)),
  dump: reply(fc.array(fc.uint8Array({ maxLength: 40 }).map(endOfDump), { minLength: 2, maxLength: 4 })),
  heldSockets: reply(
    fc.record(
      {
        bytes: fc.nat(3).map((records) => new Uint8Array(records * HELD_SIZE).fill(records)),
        facts: fc.record(
          {
            kind: fc.constantFrom('typed' as const, 'generic' as const),
            ticksPerSecond: fc.constantFrom(100, 250, 1000),
            keepaliveBit: fc.nat(31),
            absent: fc.array(fc.constantFrom('inEpoll', 'awaited')),
          },
          { ...PLAIN, requiredKeys: ['kind', 'ticksPerSecond', 'absent'] },
        ),
      },
      PLAIN,
    ),
  ),
  fdTable: reply(
    fc.record(
      {
        count: fc.nat(),
        sockets: fc.array(fc.tuple(inode, fc.array(fc.nat(), { minLength: 1, maxLength: 3 }))).map((it) => new Map(it)),
      },
      PLAIN,
    ),
  ),
  socketProtocol: reply(fc.constantFrom('TCP', 'TCPv6', 'UNIX-STREAM')),
  cgroupPids: reply(fc.array(id)),
  containerNames: reply(fc.record({ name: fc.string() }, PLAIN)),
  parameters: reply(
    fc.dictionary(
      fc.string().filter((it) => it !== '__proto__'),
      fc.string(),
      { noNullPrototype: true },
    ),
  ),
  read: reply(fc.uint8Array()),
  readHead: reply(fc.uint8Array()),
  list: reply(fc.array(fc.nat().map(String))),
  link: reply(fc.string()),
});

test('a recorded machine answers like the machine itself, and a replayed one like both, refusals included', () => {
  fc.assert(
    fc.property(
      fc.array(replies, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 2 }),
      (rounds, datagrams) => {
        const recorder = new RecordingMachine(machineOf(rounds));
        const first = rounds.map(() => interview(recorder, datagrams));
        const plain = machineOf(rounds);
        const replayed = new ReplayingMachine(recorder.tape, '/rec');
        assert.deepEqual(
          first,
          rounds.map(() => interview(plain, datagrams)),
        );
        assert.deepEqual(
          rounds.map(() => interview(replayed, datagrams)),
          first,
        );
      },
    ),
  );
});

test('a replayed machine says from which folder it came', () => {
  const tape = new RecordingMachine(machineOf([])).tape;
  assert.deepEqual(new ReplayingMachine(tape, '/rec').source, { kind: 'recording', path: '/rec' });
});

test('questions about different things do not answer for each other', () => {
  const machine = {
    ...machineOf([]),
    link: (path: string) => path,
    fdTable: (pid: number) => ({ count: pid, sockets: new Map() }),
  };
  const recorder = new RecordingMachine(machine);
  for (const pid of [1, 2]) {
    recorder.link(`/proc/${pid}/exe`);
    recorder.fdTable(pid);
  }
  const replayed = new ReplayingMachine(recorder.tape, '/rec');
  assert.equal(replayed.link('/proc/2/exe'), '/proc/2/exe');
  assert.equal(replayed.fdTable(2).count, 2);
  assert.throws(() => replayed.fdTable(3), SystemError);
});

test('a dump that was recorded to its end does not go on in the replay', () => {
  const recorder = new RecordingMachine(
    machineOf([{ openNetns: { value: null }, dump: { value: [new Uint8Array(3)] } } as unknown as Replies]),
  );
  recorder.openNetns(NETNS, PATH).dump(DUMP, () => false);
  const tables = new ReplayingMachine(recorder.tape, '/rec').openNetns(NETNS);
  assert.throws(() => tables.dump(DUMP, () => true), SystemError);
});
