import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { LAYOUTS, type LineTable } from '../../../src/parse/python/layouts.ts';
import { lineAt } from '../../../src/parse/python/lines.ts';
import { bytes, onlyParseErrors } from '../../helpers/bytes.ts';

type Code = { name: string; firstLine: number; length: number; table: string; pieces: [number, number | null][] };
type Recorded = { version: string; codes: Code[] };

const FOLDER = new URL('../../../fixtures/python/', import.meta.url);
const recorded = readdirSync(FOLDER)
  .filter((name) => name.startsWith('lines-'))
  .map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as Recorded);

/** What CPython itself says: the last piece that begins at or before this byte. Where a module begins it says line 0. */
function lineByPython({ pieces }: Code, at: number): number | undefined {
  return pieces.filter(([start]) => start <= at).at(-1)?.[1] || undefined;
}

for (const { version, codes } of recorded) {
  test(`every instruction has the line that CPython ${version} gives it`, () => {
    const { lines } = LAYOUTS[Number(version.split('.')[1])] ?? assert.fail(version);
    for (const code of codes)
      for (let at = 0; at < code.length; at += 2)
        assert.equal(
          lineAt(lines, bytes(code.table), code.firstLine, at),
          lineByPython(code, at),
          `${version} ${code.name} at ${at}`,
        );
  });
}

test('there is a recording for every version with a layout', () => {
  const versions = recorded.map(({ version }) => version.split('.')[1]).sort();
  assert.deepEqual(versions, Object.keys(LAYOUTS).sort());
});

test('before its first instruction a function is at its first line', () => {
  assert.equal(lineAt('locations', new Uint8Array(), 17, -2), 17);
});

const KINDS: LineTable[] = ['lnotab', 'linetable', 'locations'];

test('any bytes give a line, none, or a ParseError', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...KINDS),
      fc.uint8Array({ maxLength: 600 }),
      fc.integer({ min: 0, max: 2 ** 31 }),
      fc.integer({ min: -10, max: 10_000 }),
      (kind, table, first, at) =>
        onlyParseErrors(() => {
          const line = lineAt(kind, table, first, at);
          assert.ok(line === undefined || Number.isInteger(line));
        }),
    ),
  );
});
