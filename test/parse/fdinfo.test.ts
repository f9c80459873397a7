import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { isRingAtWork, parseCloseOnExec, parseEpollEntries } from '../../src/parse/fdinfo.ts';

// Linux 6.18: a listener, and a pipe with EPOLLET and EPOLLONESHOT.
const EPOLL = `pos:\t0
flags:\t02000002
mnt_id:\t17
ino:\t26
tfd:        5 events: c0000019 data:                5  pos:0 ino:1676772 sdev:f
tfd:        4 events:       19 data:                4  pos:0 ino:1676771 sdev:9
`;
const parse = (text: string) => parseEpollEntries(text, '/proc/812/fdinfo/3');

test('the entries of an epoll set have the descriptor, the events, and the inode in hexadecimal', () => {
  assert.deepEqual(parse(EPOLL), [
    { fd: 5, events: 0xc0000019, inode: 23_553_906 },
    { fd: 4, events: 0x19, inode: 23_553_905 },
  ]);
});

test('before Linux 4.13 there is no inode', () => {
  assert.deepEqual(parse('pos:\t0\ntfd:        4 events:       19 data: 4\n'), [{ fd: 4, events: 0x19 }]);
});

test('an empty set, or a descriptor of another kind, has no entries', () => {
  assert.deepEqual(parse('pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t17\n'), []);
  assert.deepEqual(parse(''), []);
});

test('a file whose inode is too large for a socket, such as a pidfd, is left out', () => {
  assert.deepEqual(parse('tfd: 4 events: 19 data: 4  pos:0 ino:fffffffffffffff1 sdev:e\n'), []);
});

test('an entry that is cut short is an error, and not half an entry', () => {
  for (const line of [
    'tfd:',
    'tfd: 4',
    'tfd: 4 events: 19',
    'tfd: x events: 19 data: 4',
    'tfd: 4 events: 19 data: 4  pos:0',
  ])
    assert.throws(() => parse(line), ParseError);
});

test('any set comes back as it was printed', () => {
  const entry = fc.record({ fd: fc.nat(1e6), events: fc.nat(), inode: fc.nat(), data: fc.bigInt(0n, 2n ** 64n - 1n) });
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const text = entries
        .map(
          ({ fd, events, inode, data }) =>
            `tfd: ${String(fd).padStart(8)} events: ${events.toString(16).padStart(8)} data: ${data.toString(16).padStart(16)}  pos:0 ino:${inode.toString(16)} sdev:9\n`,
        )
        .join('');
      assert.deepEqual(
        parse(`pos:\t0\nflags:\t02\n${text}`),
        entries.map(({ fd, events, inode }) => ({ fd, events, inode })),
      );
    }),
  );
});

test('any text is understood or a ParseError', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string().map((it) => `tfd:${it}`),
    fc.constant(EPOLL),
  );
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      for (const read of [parseEpollEntries, parseCloseOnExec]) {
        try {
          read(lines.join('\n'), 'fdinfo');
        } catch (error) {
          if (!(error instanceof ParseError)) throw error;
        }
      }
    }),
  );
});

test('close-on-exec is a bit of the flags, which are octal', () => {
  assert.equal(parseCloseOnExec('pos:\t0\nflags:\t02004002\nmnt_id:\t9\n', 'fdinfo'), true);
  assert.equal(parseCloseOnExec('pos:\t0\nflags:\t04002\nmnt_id:\t9\n', 'fdinfo'), false);
  assert.throws(() => parseCloseOnExec('pos:\t0\n', 'fdinfo'), ParseError);
});

// Linux 6.18: a ring of Node.js 24, which uses it for files.
const RING = `pos:\t0
flags:\t02000002
mnt_id:\t17
ino:\t24941747
SqMask:\t0xff
SqHead:\t2
CqTail:\t2
SQEs:\t0
CQEs:\t0
SqThread:\t-1
UserFiles:\t0
UserBufs:\t0
PollList:
CqOverflowList:
NAPI:\tdisabled
`;

test('an io_uring without files of its own that polls nothing is not at work', () => {
  assert.equal(isRingAtWork(RING), false);
});

test('one that polls, has registered files, has something to submit, or is not understood may be at work', () => {
  assert.equal(isRingAtWork(RING.replace('PollList:\n', 'PollList:\n  op=6, task_works=0\n')), true);
  assert.equal(isRingAtWork(RING.replace('UserFiles:\t0', 'UserFiles:\t16')), true);
  assert.equal(isRingAtWork(RING.replace('SQEs:\t0', 'SQEs:\t3')), true);
  for (const text of ['', 'pos:\t0\n', RING.replace('PollList:\n', '')]) assert.equal(isRingAtWork(text), true);
});
