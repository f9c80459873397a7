import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnclosedError } from '../../src/model/errors.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/model/finding.ts';
import { limitsOfOptions, limitsOfTable, mergeLimits } from '../../src/parse/limits.ts';

const MINUTE = 60_000;
const FILE = '/etc/unclosed/config.toml';

const ofTable = (limits: unknown): Partial<Limits> => limitsOfTable({ limits }, FILE).limits;

test('every limit can be set in the file, and by an option of the same name with dashes', () => {
  const table = {
    stuck_after: '30s',
    warning_sockets: 7,
    warning_age: '1m',
    critical_age: '2min',
    age_sockets: 3,
    critical_fd_share: '25%',
    critical_fds_left: 0.1,
    warning_full_in: '2d',
    critical_full_in: '1.5h',
  };
  const expected: Limits = {
    stuckAfterMs: 30_000,
    warningSockets: 7,
    warningAgeMs: MINUTE,
    criticalAgeMs: 2 * MINUTE,
    ageSockets: 3,
    criticalFdShare: 0.25,
    criticalFdsLeft: 0.1,
    warningFullInMs: 48 * 60 * MINUTE,
    criticalFullInMs: 90 * MINUTE,
  };
  assert.deepEqual(ofTable(table), expected);
  const options = Object.entries(table).map(([name, value]) => [name.replaceAll('_', '-'), String(value)]);
  assert.deepEqual(limitsOfOptions(Object.fromEntries(options)).limits, expected);
  assert.deepEqual(Object.keys(expected).sort(), Object.keys(DEFAULT_LIMITS).sort());
});

test('a limit that is off is never crossed, and is called off', () => {
  const off = Object.fromEntries(
    ['warning_sockets', 'warning_age', 'critical_age', 'critical_fd_share'].map((name) => [name, 'off']),
  );
  const { limits, changed } = mergeLimits([limitsOfTable({ limits: off }, FILE)]);
  assert.equal(limits.warningSockets, Number.POSITIVE_INFINITY);
  assert.ok(changed.every(({ value }) => value === 'off'));
  assert.equal(ofTable({ critical_full_in: 'off' }).criticalFullInMs, 0);
});

const WRONG: [table: unknown, message: RegExp, remedy: RegExp][] = [
  [{ warning_age: 5 }, /there is no setting warning_age/, /below \[limits\]/],
  [{ limits: 5 }, /limits is no table/, /\[limits\]/],
  [{ limits: [{}] }, /limits is no table/, /\[limits\]/],
  [{ limits: { warn_age: '5m' } }, /there is no limit warn_age/, /warning_age, critical_age/],
  [{ limits: { warning_age: 'soon' } }, /warning_age = "soon" is no duration/, /90s, 5m, 1h or 2d, or off/],
  [{ limits: { stuck_after: 'off' } }, /stuck_after = "off" is no duration/, /2d, as a text/],
  [{ limits: { warning_age: true } }, /warning_age = true is no duration/, /5m/],
  [{ limits: { warning_age: -5 } }, /warning_age = -5 is no duration/, /5m/],
  [{ limits: { warning_age: Number.NaN } }, /NaN is no duration/, /5m/],
  [{ limits: { warning_sockets: 1.5 } }, /warning_sockets = 1.5 is no count/, /a whole number/],
  [{ limits: { critical_fd_share: 50 } }, /critical_fd_share = 50 is no share/, /50% or 0.5/],
  [{ limits: { critical_fd_share: '120%' } }, /no share/, /50%/],
  [{ limits: { age_sockets: {} } }, /age_sockets = .* is no count/, /a whole number/],
];

for (const [table, message, remedy] of WRONG) {
  test(`${JSON.stringify(table)} is an error that says what is allowed`, () => {
    assert.throws(
      () => limitsOfTable(table, FILE),
      (error) => {
        assert.ok(error instanceof UnclosedError && error.code === 'CONFIG_INVALID');
        assert.ok(error.message.startsWith(`${FILE}: `));
        assert.match(error.message, message);
        assert.match(error.remedy, remedy);
        return true;
      },
    );
  });
}

test('an option with a value that is none is an error of usage', () => {
  assert.throws(() => limitsOfOptions({ 'critical-age': '5x' }), {
    code: 'USAGE',
    message: '--critical-age 5x: no duration',
  });
});

test('later layers win, and each limit is told with where it comes from', () => {
  const { limits, changed } = mergeLimits([
    limitsOfTable({ limits: { warning_age: '10m', warning_sockets: 50 } }, FILE),
    limitsOfTable({ limits: { warning_age: '15m' } }, '/home/app/.config/unclosed/config.toml'),
    limitsOfOptions({ 'warning-sockets': '70', pid: ['812'] }),
  ]);
  assert.deepEqual([limits.warningAgeMs, limits.warningSockets], [15 * MINUTE, 70]);
  assert.deepEqual(changed, [
    { name: 'warning_sockets', value: '70', source: '--warning-sockets' },
    { name: 'warning_age', value: '15 min', source: '/home/app/.config/unclosed/config.toml' },
  ]);
});

test('without layers the defaults hold', () => {
  assert.deepEqual(mergeLimits([]), { limits: DEFAULT_LIMITS, changed: [] });
});

test('a warning that would come after critical is refused, and both sources are named', () => {
  const merge = (table: object, options = {}) =>
    mergeLimits([limitsOfTable({ limits: table }, FILE), limitsOfOptions(options)]);
  assert.throws(() => merge({ warning_age: '1h' }), {
    code: 'CONFIG_INVALID',
    message: `warning_age 1 h (${FILE}) is beyond critical_age 30 min (default)`,
  });
  assert.throws(() => merge({ warning_full_in: '1h' }), { code: 'CONFIG_INVALID' });
  merge({ warning_age: '1h' }, { 'critical-age': '2h' });
  merge({ warning_age: 'off' });
  merge({ critical_age: 'off', warning_age: '9d' });
  merge({ warning_full_in: 'off' });
});

test('a table where a value belongs is an error, whatever its settings are called', () => {
  for (const value of [{ toString: 1 }, [{ valueOf: 1, toString: '' }], {}])
    assert.throws(() => ofTable({ warning_age: value }), UnclosedError);
});

test('whatever stands in a file, it gives limits that are numbers or an error that was to be expected', () => {
  const name = fc.constantFrom('warning_age', 'age_sockets', 'critical_fd_share', 'stuck_after', 'x', '__proto__');
  fc.assert(
    fc.property(fc.dictionary(name, fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.anything())), (limits) => {
      try {
        for (const value of Object.values(ofTable(limits))) assert.ok(value >= 0);
      } catch (error) {
        assert.ok(error instanceof UnclosedError, String(error));
      }
    }),
  );
});
