import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

// The package as a user gets it: packed, installed into an empty project, and run from there.

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { version, engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

type Run = { status: number | null; stdout: string; stderr: string };

function run(command: string, args: string[], cwd: string): Run {
  // npm hands its settings of this checkout to scripts as npm_config_*; the empty project has none of them.
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_TEST|INIT_CWD)/.test(name));
  const env = { ...Object.fromEntries(own), PATH: `${join(process.execPath, '..')}${delimiter}${process.env.PATH}` };
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (error) throw error;
  return { status, stdout, stderr };
}

let folder = '';
let project = '';
let packed: string[] = [];
let why: string | undefined;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'unclosed-pack-'));
  project = join(folder, 'project');
  const pack = run('npm', ['pack', '--json', '--pack-destination', folder], ROOT);
  assert.equal(pack.status, 0, pack.stderr);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  assert.equal(tarball, `unclosed-${version}.tgz`);
  packed = run('tar', ['-tzf', tarball ?? ''], folder)
    .stdout.split('\n')
    .filter(Boolean)
    .map((name) => name.replace(/^package\//, ''));
  run('mkdir', [project], folder);
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', `../${tarball}`];
  const install = run('npm', args, project);
  if (install.status !== 0) why = `npm could not install the package: ${install.stderr.slice(0, 500)}`;
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** A test of the installed package; where npm cannot reach its registry it is skipped, except in CI. */
const installed = (title: string, body: () => void): void => {
  test(title, (context) => {
    if (why !== undefined && !process.env.CI) return context.skip(why);
    assert.equal(why, undefined);
    body();
  });
};

const unclosed = (...args: string[]): Run => run(join(project, 'node_modules/.bin/unclosed'), args, project);

test('the package holds what it needs, and nothing of the checkout', () => {
  for (const name of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'LIMITS.md', 'dist/bin.cjs'])
    assert.ok(packed.includes(name), `${name} is missing`);
  for (const name of ['dist/index.js', 'dist/index.d.ts', 'man/unclosed.8', 'schema/report.json'])
    assert.ok(packed.includes(name), `${name} is missing`);
  const foreign = packed.filter(
    (name) =>
      !/^(dist\/|docs\/(causes\/|check|configuration)|man\/|schema\/|[A-Z]+\.md$|LICENSE$|package\.json$)/.test(name),
  );
  assert.deepEqual(foreign, []);
});

test('the library does not hold the command line a second time', () => {
  assert.deepEqual(
    packed.filter((name) => /^dist\/(faces|render)\//.test(name)),
    [],
  );
});

installed('no Node.js comes with the package', () => {
  const modules = readdirSync(join(project, 'node_modules'));
  assert.deepEqual(
    modules.filter((name) => name.startsWith('node-linux')),
    [],
  );
  assert.deepEqual(modules.filter((name) => !name.startsWith('.')).sort(), [
    '@koromix',
    'koffi',
    'smol-toml',
    'unclosed',
  ]);
});

installed('unclosed --version and --help work', () => {
  assert.deepEqual(unclosed('--version'), { status: 0, stdout: `unclosed ${version}\n`, stderr: '' });
  const help = unclosed('--help');
  assert.equal(help.status, 0);
  assert.match(help.stdout, /^unclosed: /);
});

installed('unclosed explain finds its pages', () => {
  const { status, stdout, stderr } = unclosed('explain', 'stalled');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^stalled\n/);
});

installed('the report works, with netlink, as text and as JSON', () => {
  const text = unclosed();
  assert.ok(text.status === 0 || text.status === 1, text.stderr);
  assert.match(text.stdout, /^unclosed {2}/);
  const { status, stdout, stderr } = unclosed('--json', '--source', 'netlink');
  assert.ok(status === 0 || status === 1, stderr);
  const { schema, reading } = JSON.parse(stdout);
  assert.equal(schema, 'unclosed.report/1');
  assert.equal(reading.source, 'netlink');
  assert.ok(reading.namespaces_by_netlink > 0, 'koffi did not load, or the kernel has no sock_diag');
});

installed('the library gives a diagnosis', () => {
  const script = "import { capture, diagnose } from 'unclosed'; console.log(diagnose(await capture()).status);";
  const { status, stdout, stderr } = run(process.execPath, ['--input-type=module', '-e', script], project);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^(ok|warning|critical)\n$/);
});

installed('its types fit a program that checks strictly', () => {
  writeFileSync(
    join(project, 'consumer.ts'),
    `import { capture, DEFAULT_LIMITS, type Diagnosis, diagnose, UnclosedError } from 'unclosed';
const diagnosis: Diagnosis = diagnose(await capture({ stuckAfterMs: 1000, pids: [1] }), DEFAULT_LIMITS);
const causes: string[] = diagnosis.findings.map(({ cause }) => cause);
// @ts-expect-error: a number is no cause
const wrong: number = diagnosis.findings[0]?.cause;
export const code = (error: unknown): string => (error instanceof UnclosedError ? error.code : \`\${causes} \${wrong}\`);
`,
  );
  const tsc = join(ROOT, 'node_modules/typescript-7/bin/tsc');
  const options = ['--noEmit', '--strict', '--target', 'es2024', '--module', 'nodenext', '--types', '', 'consumer.ts'];
  const { status, stdout } = run(process.execPath, [tsc, '--ignoreConfig', ...options], project);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: '' });
});

/** A Node.js of the machine that is older than the package allows. */
function oldNode(): string | undefined {
  const [major = 0, minor = 0] = engines.node.replace('>=', '').split('.').map(Number);
  return ['/usr/bin/node', '/usr/local/bin/node', '/opt/node/bin/node'].find((path) => {
    if (!existsSync(path)) return false;
    const [has = 0, hasMinor = 0] = run(path, ['-p', 'process.versions.node'], folder).stdout.split('.').map(Number);
    return has < major || (has === major && hasMinor < minor);
  });
}

test('an older Node.js is told so', (context) => {
  const node = oldNode();
  if (node === undefined) return context.skip('needs a Node.js that is older than the package allows');
  const { status, stdout, stderr } = run(node, [join(ROOT, 'dist/bin.cjs')], folder);
  assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
  assert.match(stderr, /^unclosed: needs Node\.js 22\.18 or newer, this is [0-9.]+ \[USAGE\]\n {2}install a newer/);
});
