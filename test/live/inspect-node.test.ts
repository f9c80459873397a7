import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APP, APP_CJS, assertUntouched, codes, lineIn, look, nodeOf, placesOf, startNode } from './node-program.ts';

// Real programs that leak, of every version of Node.js that is maintained: the lines that leak are named, and the programs run on.

const FORGETS = "socket.on('end', () => kept.push(socket))";

for (const version of [20, 22, 24, 26]) {
  const { path, skip } = nodeOf(version);

  test(`Node.js ${version}: a look through the heap names the leak and every idle connection`, { skip }, async () => {
    const program = await startNode([path, APP, 'pooled']);
    try {
      const before = program.threads();
      const { inside, announced } = await look(program.pid, 'deep');
      await assertUntouched(program, before);
      assert.deepEqual(codes(inside), []);
      assert.match(inside.version ?? '', new RegExp(`^v${version}\\.`));
      assert.equal(inside.objectsComplete, true);
      const leaked = inside.objects?.filter(({ endDelivered, allowHalfOpen }) => endDelivered && allowHalfOpen);
      assert.equal(leaked?.length, 3);
      assert.deepEqual(placesOf(leaked, 'end'), [lineIn(APP, FORGETS)]);
      const pools = inside.objects?.flatMap(({ pool }) => pool ?? []) ?? [];
      const idle = pools.filter((pool) => pool.idle).map(({ name }) => name);
      assert.deepEqual(idle.sort(), [...Array(3).fill('http.Agent'), ...Array(2).fill('http.globalAgent'), 'undici']);
      assert.equal(announced.length, 2);
      assert.match(announced[0] ?? '', /SIGUSR1/);
      assert.match(announced[1] ?? '', /heap .* a pause of about [0-9.]+ s/);
      assert.deepEqual(inside.strands, []);
    } finally {
      await program.stop();
    }
  });

  test(`Node.js ${version}: a loop that never ends is named by file and line`, { skip }, async () => {
    const program = await startNode([path, APP, 'busy']);
    try {
      const before = program.threads();
      const { inside } = await look(program.pid, 'attach');
      await assertUntouched(program, before);
      const [strand, ...others] = inside.strands ?? [];
      assert.equal(others.length, 0);
      assert.equal(strand?.tid, program.pid);
      const [frame] = strand?.frames ?? [];
      assert.equal(frame?.function, 'busyLoop');
      assert.equal(`${frame?.file}:${frame?.line}`, lineIn(APP, 'Math.sqrt(round)'));
      assert.deepEqual(placesOf(inside.objects, 'end'), [lineIn(APP, FORGETS)]);
    } finally {
      await program.stop();
    }
  });

  test(`Node.js ${version}: a leak in a worker thread is named`, { skip }, async () => {
    const program = await startNode([path, APP, 'worker']);
    try {
      const before = program.threads();
      const { inside } = await look(program.pid, 'attach');
      await assertUntouched(program, before);
      assert.deepEqual(codes(inside), []);
      assert.deepEqual(placesOf(inside.objects, 'end'), [lineIn(APP, FORGETS)]);
    } finally {
      await program.stop();
    }
  });
}

test('a response that nobody reads names its request', async () => {
  const program = await startNode([process.execPath, APP, 'unread']);
  try {
    const { inside } = await look(program.pid, 'attach');
    const [socket] = inside.objects?.filter(({ referredBy }) => referredBy) ?? [];
    assert.equal(socket?.neverRead, true);
    assert.deepEqual(socket?.referredBy, ['http.ClientRequest GET /prices']);
    assert.deepEqual(placesOf(socket && [socket], 'request error'), [lineIn(APP, 'console.error(error)')]);
  } finally {
    await program.stop();
  }
});

test('a connection that was paused names the handler that did it', async () => {
  const program = await startNode([process.execPath, APP, 'paused']);
  try {
    const { inside } = await look(program.pid, 'attach');
    const paused = inside.objects?.filter((it) => it.paused) ?? [];
    assert.equal(paused.length, 1);
    assert.deepEqual(placesOf(paused, 'data'), [lineIn(APP, 'socket.pause()')]);
  } finally {
    await program.stop();
  }
});

test('a CommonJS program is asked as an ECMAScript module is', async () => {
  const program = await startNode([process.execPath, APP_CJS]);
  try {
    const { inside } = await look(program.pid, 'attach');
    assert.deepEqual(placesOf(inside.objects, 'end'), [lineIn(APP_CJS, 'function forgets()')]);
  } finally {
    await program.stop();
  }
});

test('ten looks in a row leave the program as it was', async () => {
  const program = await startNode([process.execPath, APP, 'halfOpen']);
  try {
    const before = program.threads();
    for (let round = 0; round < 10; round++) {
      const { inside } = await look(program.pid, 'attach');
      assert.deepEqual(codes(inside), []);
      assert.deepEqual(placesOf(inside.objects, 'end'), [lineIn(APP, FORGETS)]);
      await assertUntouched(program, before);
    }
    assert.equal(program.err().match(/Debugger attached/g)?.length, 10);
  } finally {
    await program.stop();
  }
});
