import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { reportEverything } from './cli.ts';
import { missing } from './workload.ts';

/** Of libcommons-pool2-java. */
const JAR = '/usr/share/java/commons-pool2.jar';

const skip = missing('root', 'java') || (!process.env.CI && !existsSync(JAR) && `needs ${JAR}`);

test('a library that a JVM has loaded is recognised by its open file, with its version, and advised on', {
  skip,
}, async () => {
  // The command line shows no name of a file, so only what is open tells.
  const folder = mkdtempSync(join(tmpdir(), 'libraries-'));
  copyFileSync(JAR, join(folder, 'commons-pool2-2.11.1.jar'));
  const server = createServer((connection) => connection.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const source = fileURLToPath(new URL('Holder.java', import.meta.url));
  const java = spawn('java', ['-cp', `${folder}/*`, source, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = await once(createInterface(java.stdout), 'line');
    assert.equal(line, 'READY');
    const { findings } = await reportEverything('-p', String(java.pid));
    const holder = findings[0]?.holder;
    assert.equal(holder?.runtime, 'java');
    assert.deepEqual(holder?.libraries, [{ name: 'Commons Pool', version: '2.11.1' }]);
  } finally {
    java.kill('SIGKILL');
    server.close();
    rmSync(folder, { recursive: true });
  }
});
