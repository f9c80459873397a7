import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ActionLog, stateDirectory } from '../../src/app/state.ts';
import { UnclosedError } from '../../src/model/errors.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'unclosed-state-'));
});
after(() => rmSync(folder, { recursive: true }));

const logIn = (directory: string): ActionLog => new ActionLog(directory, 'tune', {});
const unwritable = (error: unknown): boolean => error instanceof UnclosedError && error.code === 'STATE_UNWRITABLE';

test('the folder is made for its owner alone, parents included', () => {
  const path = join(folder, 'a/b');
  const log = logIn(path);
  assert.deepEqual(log.entries(), []);
  assert.equal(existsSync(path), false);
  log.prepare();
  assert.equal(statSync(path).mode & 0o777, 0o700);
});

test('a folder that others may write to is refused, and a file, and a link', () => {
  mkdirSync(join(folder, 'open'));
  chmodSync(join(folder, 'open'), 0o777);
  symlinkSync(join(folder, 'a'), join(folder, 'link'));
  appendFileSync(join(folder, 'file'), '');
  for (const name of ['open', 'file', 'link']) {
    assert.throws(() => logIn(join(folder, name)).prepare(), unwritable);
    assert.throws(() => logIn(join(folder, name)).entries(), unwritable);
  }
});

test('lines are added, never changed, and a line that was cut short swallows none', () => {
  const log = new ActionLog(join(folder, 'log'), 'tune', { SUDO_USER: 'ann' });
  log.append('begin', { n: 1 });
  appendFileSync(log.path, '{"schema":"unclosed.log/1","at":"20');
  log.append('end', { n: 2 });
  assert.deepEqual(
    log.entries().map(({ event, what, by }) => [event, what.n, by.sudo_user]),
    [
      ['begin', 1, 'ann'],
      ['end', 2, 'ann'],
    ],
  );
  assert.equal(statSync(log.path).mode & 0o777, 0o600);
  assert.match(readFileSync(log.path, 'utf8'), /"at":"20\n/);
});

test('the log is not written through a link', () => {
  const directory = join(folder, 'linked');
  logIn(directory).prepare();
  symlinkSync(join(folder, 'elsewhere'), join(directory, 'actions.jsonl'));
  assert.throws(() => logIn(directory).append('begin', {}), unwritable);
});

test("root's folder is fixed, and a user's is where it was said", () => {
  const root = process.geteuid?.() === 0;
  assert.equal(stateDirectory(undefined, { XDG_STATE_HOME: '/x' }), root ? '/var/lib/unclosed' : '/x/unclosed');
  assert.equal(stateDirectory('/tmp/../tmp/s', {}), '/tmp/s');
});
