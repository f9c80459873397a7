import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ERROR_CODES } from '../../src/model/errors.ts';

const PAGE = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
const SECTIONS = PAGE.split(/^## /m).slice(1);
const titleOf = (section: string): string => section.slice(0, section.indexOf('\n')).trim();

test('docs/errors.md describes every code, and no other', () => {
  const described = SECTIONS.map(titleOf).filter((title) => /^[A-Z_]+$/.test(title));
  assert.deepEqual(described.toSorted(), Object.keys(ERROR_CODES).toSorted());
});

test('docs/errors.md says the same of each code as the code does, what it means, and what to do', () => {
  for (const [code, sentence] of Object.entries(ERROR_CODES)) {
    const section = SECTIONS.find((it) => titleOf(it) === code) ?? '';
    const body = section.replace(/\s+/g, ' ').toLowerCase();
    assert.ok(body.includes(sentence.toLowerCase()), `${code}: "${sentence}" is not there`);
    for (const label of ['**For the report:**', '**What to do:**'])
      assert.ok(section.includes(label), `${code}: ${label}`);
  }
});
