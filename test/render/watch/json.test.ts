import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { WatchFrame } from '../../../src/model/watch.ts';
import { renderWatchJson } from '../../../src/render/watch/json.ts';
import { renderLines } from '../../../src/render/watch/lines.ts';
import { holding, NOW, process, snapshot, sockets } from '../../helpers/model.ts';
import { BUSY, frameOf } from '../../helpers/watch.ts';

const SCHEMA = JSON.parse(readFileSync(new URL('../../../schema/watch.json', import.meta.url), 'utf8'));
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(SCHEMA);
/** Nothing may be printed that the schema does not describe. */
const validateClosed = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(closed(SCHEMA));

function closed(schema: unknown): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(schema, (_key, value) =>
      typeof value === 'object' && value !== null && 'properties' in value && value.type === 'object'
        ? { ...value, additionalProperties: false }
        : value,
    ),
  );
}

const LEAK = sockets(40);
const GONE = frameOf(
  snapshot({ sockets: LEAK, processes: [process({ sockets: holding(...LEAK) })] }),
  snapshot({ closedButHeld: [{ pid: 900, fd: 7, inode: 7000 }], processes: [process({ pid: 900 })] }),
);
const POLLED: WatchFrame = {
  ...BUSY,
  trace: { kind: 'polls', refused: 'bpf: EPERM', lost: true },
  own: { residentBytes: 1 },
};

for (const [what, frame, reached] of [
  ['a busy machine', BUSY, undefined],
  ['a healthy machine', frameOf(snapshot()), false],
  ['one where everything is gone', GONE, true],
  ['looks that are compared', POLLED, undefined],
] as const) {
  test(`the line of ${what} is one line and fits the schema`, () => {
    const text = renderWatchJson(frame, reached);
    assert.match(text, /^[^\n]+\n$/);
    const document: { reached?: boolean } = JSON.parse(text);
    assert.ok(validate(document), JSON.stringify(validate.errors));
    assert.ok(validateClosed(document), JSON.stringify(validateClosed.errors));
    assert.equal(document.reached, reached);
  });
}

test('what is wrong does not fit the schema', () => {
  const line = (): Record<string, never> => JSON.parse(renderWatchJson(BUSY, undefined));
  // biome-ignore lint/suspicious/noExplicitAny: a document that is about to be damaged has no type
  const breaks: ((it: any) => void)[] = [
    (it) => (it.schema = 'unclosed.watch/2'),
    (it) => delete it.totals.entered,
    (it) => (it.rows[0].cause = 'bad-luck'),
    (it) => (it.rows[0].sockets = -1),
    (it) => (it.trace.source = 'luck'),
    (it) => (it.taken_at = 'yesterday'),
    (it) => delete it.own.resident_bytes,
  ];
  for (const damage of breaks) {
    const document = line();
    damage(document);
    assert.ok(!validate(document), damage.toString());
  }
});

test('numbers of a row are those of the frame', () => {
  const { rows, totals, trace } = JSON.parse(renderWatchJson(BUSY, undefined));
  const gunicorn = rows.find((row: { process: { pid: number } | null }) => row.process?.pid === 812);
  assert.equal(gunicorn.sockets, 312);
  assert.equal(gunicorn.entered, 8);
  assert.equal(gunicorn.left, 0);
  assert.equal(gunicorn.entered_per_minute, 240);
  assert.equal(totals.close_wait, 449);
  assert.deepEqual(trace, { source: 'bpf', refused: null, lost: false });
});

test('as text it is a line for the look, and one for each change', () => {
  const frame = { ...BUSY, events: BUSY.log.slice(-1) };
  const text = renderLines(frame, { width: 100, paint: (_style, it) => it, utcOffsetMs: 3600_000 });
  const [first, second, ...rest] = text.split('\n');
  assert.match(
    first ?? '',
    /^04:13:12 {2}449 CLOSE_WAIT, 446 stuck · 3 processes · \+[0-9.k]+ -[0-9.k]+ a minute · oldest 3 h 11 min$/,
  );
  assert.match(second ?? '', /^04:1.:.. {2}gunicorn 812: \+[0-9]+ in 10 s, all from 10\.0\.0\.5$/);
  assert.deepEqual(rest, ['']);
  assert.equal(NOW + 28_000, BUSY.at);
});
