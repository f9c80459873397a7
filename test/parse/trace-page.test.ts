import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { parseTransitionFormat, readTracePage } from '../../src/parse/trace-page.ts';
import { everyTruncationFails, onlyParseErrors } from '../helpers/bytes.ts';

// Captured while workloads/stuck.py missing-close --count 7 ran and ended: seven sockets enter, and leave when process
// 12875 closes them one after the other.
const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../fixtures/trace/linux-6.18-inet_sock_set_state.${name}`, import.meta.url));

const FORMAT = parseTransitionFormat(fixture('format').toString());
const PAGE = new Uint8Array(fixture('page'));

function read(page: Uint8Array): { entered: number[]; left: [number, number][]; lost: boolean } {
  const entered: number[] = [];
  const left: [number, number][] = [];
  const lost = readTracePage(page, FORMAT, {
    entered: (socket) => entered.push(socket),
    left: (socket, tid) => left.push([socket, tid]),
  });
  return { entered, left, lost };
}

test('the format of the event says where its fields are', () => {
  assert.deepEqual(FORMAT, { id: 2287, pid: 4, socket: 8, oldState: 16, newState: 20 });
});

test('a format without a field that is needed is a parse error', () => {
  const text = fixture('format').toString();
  for (const field of ['ID: ', 'common_pid', 'skaddr', 'oldstate', 'newstate'])
    assert.throws(() => parseTransitionFormat(text.replace(field, 'x')), ParseError);
});

test('a captured page gives each entry and each exit, with who closed it', () => {
  const { entered, left, lost } = read(PAGE);
  assert.equal(entered.length, 7);
  assert.equal(new Set(entered).size, 7);
  assert.deepEqual(
    left,
    entered.map((socket) => [socket, 12_875]),
  );
  assert.equal(lost, false);
});

test('the flag of lost events is told', () => {
  const page = PAGE.slice();
  page[11] = (page[11] ?? 0) | 0x80;
  assert.equal(read(page).lost, true);
});

test('events of another kind are passed over', () => {
  const never = (): void => assert.fail();
  readTracePage(PAGE, { ...FORMAT, id: FORMAT.id + 1 }, { entered: never, left: never });
});

test('a page that is cut short is a parse error', () => everyTruncationFails(PAGE, read));

test('a page that is broken anywhere gives events or a parse error', () => {
  const changes = fc.array(fc.tuple(fc.nat(PAGE.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(changes, (list) => {
      const broken = PAGE.slice();
      for (const [at, value] of list) broken[at] = value;
      onlyParseErrors(() => read(broken));
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (page) => onlyParseErrors(() => read(page))));
});

/** A page with one entry: a header of one word, the words behind it, and then the seven bytes of truth. */
function pageOf(...words: number[]): Uint8Array {
  const page = new DataView(new ArrayBuffer(16 + words.length * 4));
  page.setUint32(8, words.length * 4, true);
  words.forEach((word, index) => {
    page.setUint32(16 + index * 4, word, true);
  });
  return new Uint8Array(page.buffer);
}

const BODY = [FORMAT.id, 812, 0x40, 0xffff_8882, 8, 9];

test('entries with their length behind them, time stamps and padding are understood', () => {
  const left = [[0x8882_0000_0040, 812]];
  assert.deepEqual(read(pageOf(6, ...BODY)).left, left);
  assert.deepEqual(read(pageOf(0, 28, ...BODY)).left, left);
  assert.deepEqual(read(pageOf(30, 1, 31, 2, 6, ...BODY)).left, left);
  assert.deepEqual(read(pageOf(29 | (1 << 5), 8, 0, 6, ...BODY)).left, left);
  assert.deepEqual(read(pageOf(29, 6, ...BODY)).left, []);
});
