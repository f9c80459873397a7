import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { effectiveLimits } from '../../src/app/limits.ts';
import { DEFAULT_LIMITS } from '../../src/model/finding.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'unclosed-limits-'));
});
after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

test('without files the defaults hold', async () => {
  const environment = { HOME: join(folder, 'nobody') };
  const found = await effectiveLimits({ environment, system: join(folder, 'none.toml') });
  assert.deepEqual(found, { limits: DEFAULT_LIMITS, changed: [], files: [] });
});

test('the file of the user wins over that of the machine, the named one over both, and an option over all', async () => {
  const system = file(
    'etc.toml',
    '[limits]\nwarning_sockets = 1\nage_sockets = 1\nwarning_age = "1m"\nstuck_after = "1s"\n',
  );
  const user = file(
    'home/.config/unclosed/config.toml',
    '[limits]\nage_sockets = 2\nwarning_age = "2m"\nstuck_after = 2\n',
  );
  const config = file('named.toml', '[limits]\nwarning_age = "3m"\nstuck_after = "3s"\n');
  const { limits, files } = await effectiveLimits({
    system,
    config,
    environment: { HOME: join(folder, 'home') },
    options: { 'stuck-after': '4s' },
  });
  const { warningSockets, ageSockets, warningAgeMs, stuckAfterMs } = limits;
  assert.deepEqual([warningSockets, ageSockets, warningAgeMs, stuckAfterMs], [1, 2, 180_000, 4000]);
  assert.deepEqual(files, [system, user, config]);
});

test('XDG_CONFIG_HOME moves the file of the user, unless it is relative', async () => {
  file('xdg/unclosed/config.toml', '[limits]\nwarning_sockets = 9\n');
  const socketsWith = async (base: string): Promise<number> => {
    const environment = { HOME: join(folder, 'nobody'), XDG_CONFIG_HOME: base };
    return (await effectiveLimits({ environment, system: join(folder, 'none.toml') })).limits.warningSockets;
  };
  assert.equal(await socketsWith(join(folder, 'xdg')), 9);
  assert.equal(await socketsWith('xdg'), 100);
});

test('a named file that is not there, and a folder in its place, are errors', async () => {
  for (const config of [join(folder, 'missing.toml'), folder])
    await assert.rejects(effectiveLimits({ config }), { code: 'CONFIG_UNREADABLE' });
});

test('a mistake in the TOML is told with the file and its line', async () => {
  const config = file('broken.toml', '[limits]\nwarning_sockets = = 5\n');
  await assert.rejects(effectiveLimits({ config }), (error: Error) => {
    assert.match(error.message, /broken\.toml, line 2: \w/);
    return true;
  });
});

test('the example of the documentation has every limit, with its default', async () => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  const config = file('example.toml', /```toml\n(.*?)```/s.exec(page)?.[1] ?? '');
  const { limits, changed } = await effectiveLimits({ config, system: join(folder, 'none.toml') });
  assert.deepEqual(limits, DEFAULT_LIMITS);
  assert.equal(changed.length, Object.keys(DEFAULT_LIMITS).length);
});
