import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportEverything } from './cli.ts';
import { missing, startProgram } from './workload.ts';

const skip = missing('root', 'python3');

test('what the only thread of a blocked server waits for is named, for its sockets and for its accept queue', {
  skip,
}, async () => {
  const { truth, stop } = await startProgram(['blocked.py', '--count', '5']);
  try {
    const { findings } = await reportEverything('--port', String(truth.port));
    const waits = `waits to receive from 127.0.0.1:${truth.cache_port}`;
    const [held, backlog] = [
      findings.find(({ holder }) => holder?.pid === truth.pid),
      findings.find(({ cause }) => cause === 'accept-backlog'),
    ];
    assert.equal(held?.sockets, 1);
    assert.equal(backlog?.sockets, 4);
    for (const finding of [held, backlog]) {
      const facts = (finding as unknown as { evidence: { fact: string }[] }).evidence.map(({ fact }) => fact);
      assert.ok(
        facts.some((fact) => fact.startsWith(`the only thread of python3 ${waits}`)),
        facts.join('\n'),
      );
    }
    // Silent for some seconds at most: it is not proven that no answer comes.
    assert.notEqual(held?.confidence, 'proven');
    assert.match(held?.cause ?? '', /^(unknown|stalled)$/);
  } finally {
    await stop();
  }
});
