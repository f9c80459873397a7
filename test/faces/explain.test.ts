import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ADVICE } from '../../src/diagnose/advice/index.ts';
import { explainCommand } from '../../src/faces/explain.ts';
import { CAUSES, type Cause } from '../../src/model/finding.ts';

const FOLDER = new URL('../../docs/causes/', import.meta.url);
const pageOf = (cause: string): string => readFileSync(new URL(`${cause}.md`, FOLDER), 'utf8');

/** What the command prints. */
async function explain(...args: string[]): Promise<string> {
  let printed = '';
  const stdout = { write: (text: string) => (printed += text) } as unknown as NodeJS.WriteStream;
  assert.equal(await explainCommand.run(args, { stdout, stderr: stdout, environment: {} }), 0);
  return printed;
}

const wordsOf = (text: string): string[] => text.split(/\s+/).filter(Boolean);

test('every cause has a page, and every page a cause', () => {
  assert.deepEqual(readdirSync(FOLDER).sort(), CAUSES.map((cause) => `${cause}.md`).sort());
});

for (const cause of CAUSES) {
  test(`explain ${cause} prints its page, word for word, in 80 columns, without Markdown`, async () => {
    const printed = await explain(cause);
    assert.deepEqual(wordsOf(printed), wordsOf(pageOf(cause).replace(/^#+ /gm, '').replaceAll('`', '')));
    for (const line of printed.split('\n')) assert.ok(line.length <= 80, line);
  });

  test(`the page of ${cause} says what happened, how it shows, how to be sure, and how to fix it`, () => {
    const headings = [...pageOf(cause).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading);
    assert.deepEqual(headings.slice(0, 5), [cause, 'What happened', 'How it shows', 'How to be sure', 'How to fix it']);
  });
}

test('without a cause, each has one line of at most 80 columns', async () => {
  const lines = (await explain()).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    [...CAUSES],
  );
  for (const line of lines) assert.match(line, /^.{1,79}\.$/);
});

test('a cause may be written as a table or a constant would', async () => {
  assert.equal(await explain('MISSING_CLOSE'), await explain('missing-close'));
});

test('a cause that is none, and two at once, are errors of usage', async () => {
  for (const args of [['bad-luck'], ['churn', 'stalled'], ['--json']])
    await assert.rejects(explain(...args), { code: 'USAGE' });
});

/** Names of options and calls: parts in camelCase, with an underscore, a dot between words, or dashes in front. */
const NAMES = /--[a-z][a-z-]+|\b\w*(?:[a-z][A-Z]|_)\w+/g;

for (const [cause, advice] of Object.entries(ADVICE) as [Cause, NonNullable<(typeof ADVICE)[Cause]>][]) {
  test(`whatever option the advice of a report on ${cause} names is on its page`, () => {
    const page = pageOf(cause) + (cause === 'forgotten' ? pageOf('missing-close') : '');
    const missing = advice.fixes.flatMap(({ text }) =>
      (text.match(NAMES) ?? []).filter((name) => !page.includes(name)),
    );
    assert.deepEqual(missing, []);
  });
}
