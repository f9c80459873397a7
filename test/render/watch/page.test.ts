import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { socketsOf } from '../../../src/app/watch/watcher.ts';
import { CAUSES, DEFAULT_LIMITS } from '../../../src/model/finding.ts';
import type { WatchFrame } from '../../../src/model/watch.ts';
import { fit, sparkline, widthOf } from '../../../src/render/watch/columns.ts';
import { renderPage } from '../../../src/render/watch/page.ts';
import { FIRST_VIEW, type PageOptions, placeOf, sortedRows, type View } from '../../../src/render/watch/view.ts';
import { shortDuration, shortNumber } from '../../../src/render/watch/words.ts';
import { assertGolden } from '../../helpers/golden.ts';
import { aged, holding, process, snapshot, sockets, times } from '../../helpers/model.ts';
import { BUSY, frameOf } from '../../helpers/watch.ts';

const OPTIONS: PageOptions = {
  width: 80,
  height: 24,
  paint: (_style, text) => text,
  limits: DEFAULT_LIMITS,
  again: '',
  utcOffsetMs: 0,
};

function draw(frame: WatchFrame, view: Partial<View> = {}, options: Partial<PageOptions> = {}): string[] {
  const whole = { ...FIRST_VIEW, ...view };
  const rows = sortedRows(frame, whole);
  const row = rows[placeOf(rows, whole)];
  return renderPage(frame, whole, { ...OPTIONS, ...options }, row ? socketsOf(row.finding) : []);
}

const page = (...args: Parameters<typeof draw>): string =>
  `${draw(...args)
    .map((line) => line.trimEnd())
    .join('\n')}\n`;

const keyOf = (name: string): string => {
  const row = BUSY.rows.find((it) => it.name.startsWith(name));
  assert.ok(row, name);
  return row.key;
};

const GOLDENS: [name: string, frame: WatchFrame, view: Partial<View>, options?: Partial<PageOptions>][] = [
  ['table', BUSY, {}],
  ['table-wide', BUSY, { sort: 'count', selected: keyOf('node'), filter: '--port 8000' }, { width: 132, height: 30 }],
  ['table-healthy', frameOf(snapshot()), {}],
  ['table-paused', BUSY, { paused: true, prompt: { text: '-c gun' } }, { width: 60, height: 16 }],
  ['process', BUSY, { page: 'process' }, { height: 40 }],
  ['sockets', BUSY, { page: 'sockets', socketSort: 'peer', socketFilter: '4000' }],
  ['help', BUSY, { page: 'help' }, { height: 40 }],
];

for (const [name, frame, view, options] of GOLDENS) {
  test(`the page ${name} is drawn as before`, () => {
    assertGolden(`fixtures/golden/watch/${name}.txt`, page(frame, view, options));
  });
}

test('no cause is cut at 80 columns', () => {
  const [row] = BUSY.rows;
  assert.ok(row);
  for (const cause of CAUSES) {
    const lines = draw({ ...BUSY, rows: [{ ...row, finding: { ...row.finding, cause } }] });
    assert.ok(
      lines.some((line) => line.trimEnd().endsWith(` ${cause}`)),
      lines.join('\n'),
    );
  }
});

test('a row of which nothing is left shows what was said of it', () => {
  const held = sockets(40);
  const frame = frameOf(snapshot({ sockets: held, processes: [process({ sockets: holding(...held) })] }), snapshot());
  assert.match(page(frame), /gunicorn 812 +0 +█ .* none left/);
  assert.match(page(frame, { page: 'process' }), /Nothing of it is left\.\n {2}03:12:46 {2}gunicorn 812: none left/);
});

test('every page has as many lines as the screen, and none is wider', () => {
  const view = fc.record<Partial<View>>({
    page: fc.constantFrom('table', 'process', 'sockets', 'help'),
    selected: fc.constantFrom(...BUSY.rows.map(({ key }) => key), 'gone'),
    sort: fc.constantFrom('worst', 'count', 'growth', 'oldest', 'fds', 'name'),
    scroll: fc.nat(400),
    paused: fc.boolean(),
    filter: fc.string({ maxLength: 30 }),
    socketFilter: fc.constantFrom('', '10.0', 'nothing'),
  });
  fc.assert(
    fc.property(view, fc.integer({ min: 40, max: 250 }), fc.integer({ min: 4, max: 60 }), (some, width, height) => {
      const lines = draw(BUSY, some, { width, height });
      assert.equal(lines.length, height);
      for (const line of lines) assert.ok(widthOf(line) <= width, `${widthOf(line)} > ${width}: ${line}`);
    }),
    { numRuns: 300 },
  );
});

test('a screen of one line, or of one column, is drawn too', () => {
  for (const [width, height] of [
    [80, 1],
    [1, 24],
    [1, 1],
  ] as const)
    for (const it of ['table', 'sockets', 'help'] as const)
      assert.equal(draw(BUSY, { page: it }, { width, height }).length, height);
});

test('what a program calls itself cannot write to the terminal', () => {
  for (const it of ['table', 'process', 'sockets'] as const)
    assert.doesNotMatch(page(BUSY, { page: it, selected: keyOf('queue') }), /[\u0000-\u0009\u000b-\u001f]/);
});

test('of 300 processes the selected one is in view, wherever it is', () => {
  const many = times(300, (i) => sockets(2, aged(70_000), 1000 + i * 2));
  const frame = frameOf(
    snapshot({
      sockets: many.flat(),
      processes: many.map((held, i) => process({ pid: 1000 + i, sockets: holding(...held) })),
    }),
  );
  for (const row of frame.rows) assert.match(page(frame, { selected: row.key }), new RegExp(`^> ${row.name} `, 'm'));
});

test('the order is the one that was asked for', () => {
  const names = (sort: View['sort']): string[] => sortedRows(BUSY, { ...FIRST_VIEW, sort }).map(({ name }) => name);
  assert.equal(names('count')[0], 'gunicorn 812');
  assert.equal(names('growth')[0], 'gunicorn 812');
  assert.equal(names('fds')[0], 'gunicorn 812');
  assert.equal(names('oldest')[0], 'gunicorn 812');
  assert.deepEqual(names('name'), names('worst').toSorted());
});

test('a text is fitted to columns, not to characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.integer({ min: 1, max: 30 }), (text, width) => {
      assert.equal(widthOf(fit(text, width)), width);
      assert.equal(widthOf(fit(text, width, 'right')), width);
    }),
  );
  assert.equal(fit('受注サーバー', 6), '受注… ');
  assert.equal(fit('e\u0301a', 3), 'e\u0301a ');
});

test('a sparkline is as wide as it is told, and whatever is more than nothing is seen', () => {
  assert.equal(sparkline([0, 1, 500, 1000], 6), '   ▁▄█');
  assert.equal(sparkline([9, 9, 0, 0], 3), '█  ');
  assert.equal(sparkline([], 3), '   ');
});

test('short forms keep to their columns', () => {
  fc.assert(fc.property(fc.nat(900_000_000), (value) => assert.ok(shortNumber(value).length <= 4)));
  fc.assert(fc.property(fc.nat(2 ** 31 - 1), (seconds) => assert.ok(shortDuration(seconds * 1000).length <= 6)));
  assert.deepEqual([0, 999, 1234, 9960, 40_000, 999_600, 2_400_000].map(shortNumber), [
    '0',
    '999',
    '1.2k',
    '10k',
    '40k',
    '1.0M',
    '2.4M',
  ]);
  assert.deepEqual(
    [99, 100, 5999, 6000, 36_000, 100_000].map((s) => shortDuration(s * 1000)),
    ['99s', '1m', '99m', '1h40m', '10h', '1d3h'],
  );
});
