import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEuStack } from '../../src/parse/eu-stack.ts';

const TEXT = readFileSync(new URL('../../fixtures/eu-stack/0.188.txt', import.meta.url), 'utf8');
const PROGRAM = '/srv/app/server';

test('threads of elfutils 0.188 have their frames, each with its function, its file and whose it is', () => {
  const strands = parseEuStack(TEXT, PROGRAM);
  assert.deepEqual(
    strands.map(({ tid }) => tid),
    [812, 813],
  );
  assert.deepEqual(strands[1]?.frames.slice(0, 3), [
    { function: '__poll', file: '/usr/lib/x86_64-linux-gnu/libc.so.6', origin: 'runtime' },
    { function: 'poll_two', file: PROGRAM, origin: 'application' },
    { function: 'start_thread', file: '/usr/lib/x86_64-linux-gnu/libc.so.6', origin: 'runtime' },
  ]);
});

test('a frame without a symbol, a library, and complaints of eu-stack', () => {
  const text = `eu-stack: dwfl_thread_getframes tid 7 at 0x1 in x: no matching address range
TID 7:
#0  0x0000563ab93b63d2 - ${PROGRAM}
#1  0x0000563ab93b63d3 SSL_read - /usr/lib/libssl.so.3
#2  0x0000563ab93b63d4
`;
  assert.deepEqual(parseEuStack(text, PROGRAM)[0]?.frames, [
    { function: '??', file: PROGRAM, origin: 'application' },
    { function: 'SSL_read', file: '/usr/lib/libssl.so.3', origin: 'library' },
    { function: '??', origin: 'application' },
  ]);
});

test('any text gives threads with bounded stacks', () => {
  const line = fc.oneof(
    fc.constantFrom(...TEXT.split('\n')),
    fc.string(),
    fc.string().map((it) => `#1 ${it}`),
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      for (const { frames } of parseEuStack(lines.join('\n'), PROGRAM)) assert.ok(frames.length <= 256);
    }),
  );
});
