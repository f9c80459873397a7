import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openRecording, requireEmpty, writeRecording } from '../../src/app/recording.ts';
import { RecordingMachine } from '../../src/kernel/recorder.ts';
import { Tape } from '../../src/kernel/tape.ts';
import { type ErrorCode, UnclosedError } from '../../src/model/errors.ts';
import { FakeMachine } from '../helpers/fake-machine.ts';

const ROOT = mkdtempSync(join(tmpdir(), 'unclosed-recording-'));
after(() => rmSync(ROOT, { recursive: true }));

let made = 0;
const newFolder = (): string => join(ROOT, String(made++), 'rec');

/** A recording with two times, a file and a refusal. */
function recorded(): string {
  const folder = newFolder();
  const machine = new RecordingMachine(
    new FakeMachine({ files: { '/etc/services': 'ssh 22/tcp' }, refuse: { 'read /etc/passwd': 'EACCES' } }),
  );
  machine.now();
  machine.now();
  machine.read('/etc/services');
  assert.throws(() => machine.read('/etc/passwd'));
  writeRecording(machine.tape, folder, true);
  return folder;
}

function changeMeta(folder: string, change: (meta: Record<string, unknown>) => void): void {
  const path = join(folder, 'meta.json');
  const meta = JSON.parse(readFileSync(path, 'utf8'));
  change(meta);
  writeFileSync(path, JSON.stringify(meta));
}

const refusedWith = (code: ErrorCode, folder: string): void =>
  assert.throws(
    () => openRecording(folder),
    (error) => error instanceof UnclosedError && error.code === code && error.remedy !== '',
  );

test('what was written is read back, further answers and refusals included', () => {
  const machine = openRecording(recorded());
  assert.deepEqual(machine.now() - machine.now(), -93);
  assert.equal(Buffer.from(machine.read('/etc/services')).toString(), 'ssh 22/tcp');
  assert.throws(() => machine.read('/etc/passwd'), { code: 'EACCES' });
  assert.throws(() => machine.read('/etc/hosts'), { code: 'ENODATA' });
});

test('meta.json says the format, the tool, the byte order, and whether names were replaced', () => {
  const meta = JSON.parse(readFileSync(join(recorded(), 'meta.json'), 'utf8'));
  assert.equal(meta.format, 'unclosed.recording/1');
  assert.equal(meta.byteOrder, 'LE');
  assert.equal(meta.scrubbed, true);
  assert.match(meta.tool, /^[0-9]+\.[0-9]+\.[0-9]+/);
});

test('the folder is for its owner only: it holds command lines and addresses', () => {
  assert.equal(statSync(recorded()).mode & 0o077, 0);
});

test('more than nine answers to one question come back in their order', () => {
  const tape = new Tape();
  for (let i = 0; i < 25; i++) tape.add('now', { bytes: Buffer.from(String(i)) });
  const folder = newFolder();
  writeRecording(tape, folder, false);
  const machine = openRecording(folder);
  assert.deepEqual(
    Array.from({ length: 25 }, () => machine.now()),
    Array.from({ length: 25 }, (_, i) => i),
  );
});

test('a refusal before an answer to the same question stays before it', () => {
  const tape = new Tape();
  tape.add('now', { refused: 'EAGAIN' });
  tape.add('now', { bytes: Buffer.from('7') });
  const folder = newFolder();
  writeRecording(tape, folder, false);
  const machine = openRecording(folder);
  assert.throws(() => machine.now(), { code: 'EAGAIN' });
  assert.equal(machine.now(), 7);
});

test('a folder without meta.json is no recording', () => {
  refusedWith('RECORDING_MISSING', join(ROOT, 'nowhere'));
  const folder = recorded();
  rmSync(join(folder, 'meta.json'));
  refusedWith('RECORDING_MISSING', folder);
});

for (const [what, change] of [
  ['of another format', (meta) => Object.assign(meta, { format: 'unclosed.recording/2' })],
  ['without a list of files', (meta) => delete meta.files],
  ['whose sizes are no numbers', (meta) => Object.assign(meta, { files: { now: '13' } })],
  ['whose refusals are no text', (meta) => Object.assign(meta, { refused: { now: 13 } })],
  ['of a big-endian machine', (meta) => Object.assign(meta, { byteOrder: 'BE' })],
  ['that names a file outside of its folder', (meta) => Object.assign(meta, { files: { '../meta.json': 1 } })],
  [
    'that names a file outside of its folder in the middle',
    (meta) => Object.assign(meta, { files: { 'a/../../x': 1 } }),
  ],
  ['that names an absolute path', (meta) => Object.assign(meta, { files: { '/etc/passwd': 1 } })],
] as [string, (meta: Record<string, unknown>) => unknown][]) {
  test(`a recording ${what} is refused as foreign`, () => {
    const folder = recorded();
    changeMeta(folder, change);
    refusedWith('RECORDING_FOREIGN', folder);
  });
}

for (const text of ['', '{', 'null', '[]', '"x"', '7']) {
  test(`a meta.json of ${JSON.stringify(text)} is refused as foreign`, () => {
    const folder = recorded();
    writeFileSync(join(folder, 'meta.json'), text);
    refusedWith('RECORDING_FOREIGN', folder);
  });
}

test('a file that is cut short is noticed, and named', () => {
  const folder = recorded();
  truncateSync(join(folder, 'files/etc/services'), 4);
  assert.throws(() => openRecording(folder), /files\/etc\/services: has 4 bytes of 10/);
  refusedWith('RECORDING_TRUNCATED', folder);
});

test('a file that is missing is noticed', () => {
  const folder = recorded();
  rmSync(join(folder, 'files/etc/services'));
  refusedWith('RECORDING_TRUNCATED', folder);
});

test('a recording that cannot be written says so', () => {
  const file = join(ROOT, 'file');
  writeFileSync(file, '');
  const isWriteError = (error: unknown): boolean => error instanceof UnclosedError && error.code === 'RECORDING_WRITE';
  assert.throws(() => writeRecording(new Tape(), join(file, 'rec'), false), isWriteError);
  assert.throws(() => requireEmpty(file), isWriteError);
});

test('a folder for a recording must be empty or not exist', () => {
  const folder = newFolder();
  requireEmpty(folder);
  mkdirSync(folder, { recursive: true });
  requireEmpty(folder);
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  assert.throws(
    () => requireEmpty(folder),
    (error) => error instanceof UnclosedError && error.code === 'RECORDING_EXISTS',
  );
  assert.deepEqual(readdirSync(folder), ['notes.txt']);
});

test('a pipe, a device or a link in the place of an answer is refused at once', () => {
  const replacements: [string, (path: string) => void][] = [
    ['pipe', (path) => execFileSync('mkfifo', [path])],
    ['device', (path) => symlinkSync('/dev/zero', path)],
    ['link', (path) => symlinkSync('/etc/hostname', path)],
  ];
  for (const [, replace] of replacements) {
    const folder = recorded();
    rmSync(join(folder, 'now'));
    replace(join(folder, 'now'));
    refusedWith('RECORDING_TRUNCATED', folder);
  }
});

test('a folder that others may write to is not recorded into, and nothing is written through a link', () => {
  const open = newFolder();
  mkdirSync(open, { recursive: true });
  chmodSync(open, 0o777);
  assert.throws(() => requireEmpty(open), { code: 'RECORDING_WRITE' });

  const folder = newFolder();
  const victim = join(ROOT, 'victim');
  writeFileSync(victim, 'kept');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  symlinkSync(victim, join(folder, 'now'));
  const tape = new Tape();
  tape.add('now', { bytes: Buffer.from('1') });
  assert.throws(() => writeRecording(tape, folder, false), { code: 'RECORDING_WRITE' });
  assert.equal(readFileSync(victim, 'utf8'), 'kept');
});
