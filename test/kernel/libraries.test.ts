import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LibraryBudget, type Program, readLibraries } from '../../src/kernel/libraries.ts';
import { SystemError } from '../../src/model/errors.ts';
import { FakeMachine } from '../helpers/fake-machine.ts';

/** A machine on which these descriptors lead to files, and the others are closed. */
class WithFiles extends FakeMachine {
  readonly files: Map<string, string>;

  constructor(files: Record<number, string>) {
    super({});
    this.files = new Map(Object.entries(files).map(([fd, target]) => [`/proc/812/fd/${fd}`, target]));
  }

  override link(path: string): string {
    this.calls.push(`link ${path}`);
    const target = this.files.get(path);
    if (target === undefined) throw new SystemError('ENOENT', path);
    return target;
  }
}

const JVM: Program = { pid: 812, name: 'java', argv: ['java', '-jar', 'app'], runtime: 'java' };
const FILES = { 0: '/dev/null', 1: '/dev/null', 2: '/dev/null', 4: '/srv/lib/okhttp-4.12.0.jar' };

test('of a JVM the open files are looked at until each has been seen, and no socket', () => {
  const machine = new WithFiles(FILES);
  const table = { count: 6, sockets: new Map([[77, [5, 90]]]) };
  assert.deepEqual(readLibraries(machine, JVM, table, new LibraryBudget()), [{ name: 'OkHttp', version: '4.12.0' }]);
  assert.deepEqual(
    machine.callsOf('link').map((call) => call.replace('link /proc/812/fd/', '')),
    ['0', '1', '2', '3', '4'],
  );
});

test('a table of unknown or great length is walked until many numbers in a row are free', () => {
  for (const count of [{}, { count: 1_000_000 }]) {
    const machine = new WithFiles({ ...FILES, 60: '/srv/lib/HikariCP-5.1.0.jar' });
    const names = readLibraries(machine, JVM, { ...count, sockets: new Map() }, new LibraryBudget()).map(
      (it) => it.name,
    );
    assert.deepEqual(names.sort(), ['HikariCP', 'OkHttp']);
    assert.ok(machine.callsOf('link').length < 200);
  }
});

test('a budget that is used up leaves what the command line tells', () => {
  const machine = new WithFiles(FILES);
  const budget = Object.assign(new LibraryBudget(), { links: 0, maps: 0 });
  const table = { count: 4, sockets: new Map() };
  const argv = ['java', '-cp', '/srv/lib/HikariCP-5.1.0.jar', 'Main'];
  assert.deepEqual(readLibraries(machine, { ...JVM, argv }, table, budget), [{ name: 'HikariCP', version: '5.1.0' }]);
  readLibraries(machine, { ...JVM, runtime: 'python' }, table, budget);
  assert.deepEqual(machine.calls, []);
});

test('the files of other runtimes are not looked at', () => {
  const machine = new WithFiles(FILES);
  readLibraries(machine, { ...JVM, runtime: 'node' }, { count: 4, sockets: new Map() }, new LibraryBudget());
  assert.deepEqual(machine.calls, []);
});
