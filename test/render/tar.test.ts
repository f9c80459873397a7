import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parseTar, parseTarGzip } from 'nanotar';
import { tarOf } from '../../src/render/tar.ts';
import { times } from '../helpers/model.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
/** As the recording of a container has them. */
const LONG = `bundle/recording/files/sys/fs/cgroup/${'kubepods-burstable.slice/'.repeat(8)}cgroup.events`;

test('names of every length, also those near where a header has no room, are read back, and so is what is in the files', async () => {
  const lengths = [1, 99, 100, 101, 102, 106, 107, 108, 155, 255, 256, 990, 991, 992, 4000];
  const files = lengths.map((length) => ({ name: 'n'.repeat(length), data: 'x'.repeat(length) }));
  const read = await parseTarGzip(gzipSync(tarOf(files, NOW)));
  assert.deepEqual(
    read.map(({ name, text }) => [name, text]),
    files.map(({ name, data }) => [name, data]),
  );
});

test('a file without content stays a file, and only its owner may read it', () => {
  const [file] = parseTar(tarOf([{ name: 'empty', data: '' }], NOW));
  assert.equal(file?.type, 'file');
  assert.equal(file.size, 0);
  assert.match(file.attrs?.mode ?? '', /600/);
});

test('tar(1) lists it without a complaint', { skip: spawnSync('tar', ['--version']).error && 'no tar' }, () => {
  const files = [
    { name: LONG, data: Uint8Array.of(0, 255) },
    { name: 'bundle/größe', data: 'x'.repeat(512) },
    ...times(30, (i) => ({ name: `bundle/${i}`, data: 'y'.repeat(i * 100) })),
  ];
  const { stdout, stderr, status } = spawnSync('tar', ['-t', '--quoting-style=literal'], {
    input: tarOf(files, NOW),
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });
  assert.equal(status, 0, stderr);
  assert.equal(stderr, '');
  assert.deepEqual(
    stdout.trim().split('\n'),
    files.map(({ name }) => name),
  );
});
