import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { parseFileNr, parsePortRange } from '../../src/parse/sysctl.ts';

test('open files of the machine, and how many there may be', () => {
  assert.deepEqual(parseFileNr('628\t0\t2466177\n'), { open: 628, limit: 2_466_177 });
  assert.deepEqual(parseFileNr('628\t0\t9223372036854775807\n'), { open: 628, limit: Number.POSITIVE_INFINITY });
});

test('the ports of a range, both ends counted', () => {
  assert.equal(parsePortRange('32768\t60999\n'), 28_232);
  assert.throws(() => parsePortRange('60999\t32768\n'), ParseError);
});

test('any text is understood or a ParseError', () => {
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.integer()).map((it) => it.join('\t')),
  );
  fc.assert(
    fc.property(text, (it) => {
      for (const parse of [parseFileNr, parsePortRange]) {
        try {
          parse(it);
        } catch (error) {
          if (!(error instanceof ParseError)) throw error;
        }
      }
    }),
  );
});
