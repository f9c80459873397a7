import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type JsonReport, unclosed } from './cli.ts';
import { missing, startWorkload } from './workload.ts';

const skip = missing('root', 'python3');
const folder = mkdtempSync(join(tmpdir(), 'unclosed-test-'));
after(() => rmSync(folder, { recursive: true }));

const replay = async (directory: string): Promise<JsonReport> => {
  const { stdout, stderr } = await unclosed('--from', directory, '--json', '--sockets', '--stuck-after', '0s');
  assert.equal(stderr, '');
  return JSON.parse(stdout);
};

test('a recording gives the same report, twice, and a scrubbed one the same but for the names', { skip }, async () => {
  const plain = join(folder, 'plain');
  const scrubbed = join(folder, 'scrubbed');
  const { truth, stop } = await startWorkload('inherited', { family: 'mapped' });
  try {
    assert.equal((await unclosed('record', plain)).code, 0);
    assert.equal((await unclosed('record', scrubbed, '--scrub')).code, 0);
  } finally {
    await stop();
  }
  const first = await replay(plain);
  assert.deepEqual(await replay(plain), first);
  for (const report of [first, await replay(scrubbed)]) {
    const finding = report.findings.find(({ holder }) => holder?.pid === truth.pid);
    assert.equal(finding?.sockets, truth.count);
    assert.equal(finding?.co_holders.length, 2);
    assert.equal(finding?.direction, 'inbound');
  }
  assert.doesNotMatch(allText(scrubbed), /stuck\.py/);
  assert.match(allText(plain), /stuck\.py/);
});

test('a recording that was cut short is refused with the file that is cut', { skip }, async () => {
  const whole = join(folder, 'whole');
  const cut = join(folder, 'cut');
  assert.equal((await unclosed('record', whole)).code, 0);
  cpSync(whole, cut, { recursive: true });
  truncateSync(join(cut, 'processes.tsv'), 10);
  const { code, stderr } = await unclosed('--from', cut);
  assert.equal(code, 2);
  assert.match(stderr, /processes\.tsv.*RECORDING_TRUNCATED/);
  assert.equal((await unclosed('record', whole)).code, 2, 'a folder that is not empty is not written to');
});

const allText = (directory: string): string =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
