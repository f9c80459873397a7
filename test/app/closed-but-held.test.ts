import assert from 'node:assert/strict';
import { test } from 'node:test';
import { captureFrom } from '../../src/app/capture.ts';
import type { CaptureOptions } from '../../src/app/search.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { type FakeData, FakeMachine } from '../helpers/fake-machine.ts';
import { HOST_NETNS, holding, listener, socket, sockets, times } from '../helpers/model.ts';

const gone = times(12, (i) => ({ inode: 7000 + i }));

/** A program that holds twelve descriptors of sockets that are in no table, and nothing stuck. */
const leak = (fields: Partial<FakeData> = {}): FakeData => ({
  processes: [{ pid: 700 }, { pid: 812, name: 'leaky', sockets: holding(...gone, listener()) }],
  namespaces: [{ listeners: [listener()] }],
  unlisted: 12,
  ...fields,
});

function look(data: FakeData, options: CaptureOptions = {}) {
  const machine = new FakeMachine(data);
  return { machine, snapshot: captureFrom(machine, options) };
}

test('descriptors of sockets that are in no table are found, although nothing is stuck', () => {
  const { snapshot } = look(leak());
  assert.equal(snapshot.closedButHeld?.length, 12);
  assert.deepEqual(snapshot.closedButHeld?.[0], { pid: 812, fd: 10, inode: 7000 });
  assert.equal(snapshot.closedButHeldAtMost, 12);
  const [finding] = diagnose(snapshot).findings;
  assert.deepEqual([finding?.cause, finding?.subject.closedFds], ['closed-but-held', 12]);
});

test('below ten, the machine is not searched for them, but their number is told', () => {
  const { machine, snapshot } = look(leak({ unlisted: 9 }));
  assert.deepEqual(machine.callsOf('fdTable'), []);
  assert.equal('closedButHeld' in snapshot, false);
  assert.equal(snapshot.closedButHeldAtMost, 9);
});

test('they are searched always when asked to, and never when asked not to', () => {
  assert.equal(look(leak({ unlisted: 1 }), { closedButHeld: 'always' }).snapshot.closedButHeld?.length, 12);
  const { machine, snapshot } = look(leak(), { closedButHeld: 'never' });
  assert.deepEqual(machine.callsOf('socketProtocol'), []);
  assert.equal('closedButHeld' in snapshot, false);
});

test('when every socket is in a table there are none, without a search', () => {
  const { machine, snapshot } = look(leak({ unlisted: 0 }));
  assert.deepEqual(machine.callsOf('fdTable'), []);
  assert.deepEqual([snapshot.closedButHeld, snapshot.closedButHeldAtMost], [[], 0]);
});

test('sockets of other protocols do not count', () => {
  const protocols = new Map(gone.map(({ inode }, i) => [inode, i === 0 ? 'TCPv6' : i === 1 ? 'UDP' : 'UNIX-STREAM']));
  assert.deepEqual(
    look(leak({ protocols })).snapshot.closedButHeld?.map(({ inode }) => inode),
    [7000],
  );
});

test('a socket that was connected since the tables were read does not count', () => {
  const { snapshot } = look(
    leak({
      before: (call, data) => {
        if (call === 'socketProtocol 812 10')
          data.namespaces?.[0]?.sockets?.push(socket({ inode: 7003, state: 'ESTABLISHED' }));
      },
    }),
  );
  assert.equal(snapshot.closedButHeld?.length, 11);
  assert.equal(
    snapshot.closedButHeld?.some(({ inode }) => inode === 7003),
    false,
  );
});

test('a descriptor that was closed meanwhile does not count', () => {
  const { snapshot } = look(leak({ refuse: { 'socketProtocol 812 10': 'ENOENT' } }));
  assert.equal(snapshot.closedButHeld?.length, 11);
});

test('a socket that its first holder closed meanwhile still counts for the second', () => {
  const data = leak({ refuse: { 'socketProtocol 700 10': 'ENOENT' } });
  Object.assign(data.processes?.[0] ?? {}, { sockets: holding(...gone), fdCount: 100 });
  assert.equal(
    look(data).snapshot.closedButHeld?.some(({ pid, inode }) => pid === 812 && inode === 7000),
    true,
  );
});

test('each descriptor counts, also several on one socket and in several processes', () => {
  const data = leak();
  data.processes?.push({ pid: 813, sockets: new Map([[7000, [5, 6]]]) });
  const { snapshot } = look(data);
  assert.deepEqual(
    snapshot.closedButHeld?.filter(({ pid }) => pid === 813).map(({ fd }) => fd),
    [5, 6],
  );
});

test('without the system call that names a protocol nobody can tell', () => {
  const { snapshot } = look(leak({ refuse: { 'socketProtocol 812 10': 'ENOSYS' } }));
  assert.equal('closedButHeld' in snapshot, false);
  assert.equal('closedButHeldAtMost' in snapshot, false);
});

test('while some tables may not be read, the counters bound the number from above', () => {
  const data = leak({ unlisted: 40, refuse: { 'fdTable 700': 'EACCES' } });
  const { snapshot } = look(data);
  assert.equal(snapshot.closedButHeld?.length, 12);
  assert.equal(snapshot.closedButHeldAtMost, 40);
});

test('beside stuck sockets, those of the processes that are looked at anyway are found', () => {
  const stuck = sockets(2);
  const { snapshot } = look({
    processes: [{ pid: 812, sockets: holding(...stuck, { inode: 7000 }) }],
    namespaces: [{ sockets: stuck }],
    unlisted: 1,
  });
  assert.deepEqual(snapshot.closedButHeld, [{ pid: 812, fd: 12, inode: 7000 }]);
});

test('netlink that gives up on the second look leaves the question open', () => {
  const { snapshot } = look(leak({ refuse: { [`dump ${HOST_NETNS} ALL`]: 'ENOBUFS' } }));
  assert.equal('closedButHeld' in snapshot, false);
});
