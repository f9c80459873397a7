import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Key, type Pressed, press } from '../../src/faces/page-keys.ts';
import { difference } from '../../src/faces/screen.ts';
import { FIRST_VIEW, type View } from '../../src/render/watch/view.ts';
import { snapshot } from '../helpers/model.ts';
import { BUSY, frameOf } from '../helpers/watch.ts';

const HEIGHT = 24;
const key = (name: string): Key =>
  name.length === 1 ? { name, sequence: name } : { name, sequence: `\u001b[${name}` };

/** The view after some keys; a letter is itself, anything else a name of readline's. */
function after(keys: Key[], frame = BUSY, view: View = FIRST_VIEW): View {
  return keys.reduce((it, one) => {
    const pressed = press(one, it, frame, HEIGHT);
    assert.equal(pressed.kind, 'view');
    return pressed.kind === 'view' ? pressed.view : it;
  }, view);
}

const keys = (...names: string[]): Key[] => names.map(key);
const typed = (text: string): Key[] => [...text].map((sequence) => ({ sequence }));
const last = (all: Key[], view = FIRST_VIEW): Pressed => {
  const [one = key('q')] = all.slice(-1);
  return press(one, after(all.slice(0, -1), BUSY, view), BUSY, HEIGHT);
};

test('arrows choose a row and stop at both ends', () => {
  const [first, second] = BUSY.rows;
  assert.equal(after(keys('down')).selected, second?.key);
  assert.equal(after(keys('down', 'up', 'up')).selected, first?.key);
  assert.equal(after(keys(...Array<string>(50).fill('down'))).selected, BUSY.rows.at(-1)?.key);
  assert.equal(after(keys('end')).selected, BUSY.rows.at(-1)?.key);
  assert.equal(after(keys('pagedown', 'home')).selected, first?.key);
});

test('the selection stays with the row when the order changes', () => {
  const { selected } = after(keys('down', 'n'));
  assert.equal(selected, BUSY.rows[1]?.key);
});

test('Enter opens the details, Tab its sockets, Escape leads back', () => {
  assert.equal(after(keys('return')).page, 'process');
  assert.equal(after(keys('return', 'tab')).page, 'sockets');
  assert.equal(after(keys('return', 'tab', 'tab')).page, 'process');
  assert.equal(after(keys('return', 'escape')).page, 'table');
  assert.equal(after(keys('return', 'right')).selected, BUSY.rows[1]?.key);
  assert.equal(after(keys('return', 'right', 'left')).selected, BUSY.rows[0]?.key);
});

test('i looks inside the chosen process, R asks what would help, and both only there', () => {
  const pid = BUSY.rows[1]?.finding.subject.process?.pid;
  assert.ok(pid !== undefined);
  assert.deepEqual(last([...keys('down', 'return', 'i')]), { kind: 'run', command: 'inspect', pid });
  assert.deepEqual(last([...keys('down', 'return'), { name: 'r', sequence: 'R' }]), {
    kind: 'run',
    command: 'relieve',
    pid,
  });
  assert.equal(after(keys('i')).page, 'table');
  assert.equal(after(keys('return', 'tab', 'i')).page, 'sockets');
});

test('what a command printed is scrolled, and left for the process it is about', () => {
  const view: View = { ...FIRST_VIEW, page: 'output', output: { title: 'x', lines: Array<string>(100).fill('line') } };
  assert.equal(after(keys('down', 'down'), BUSY, view).scroll, 2);
  assert.equal(after(keys('end'), BUSY, view).scroll, 99);
  const back = after(keys('end', 'escape'), BUSY, view);
  assert.deepEqual([back.page, back.scroll, back.output], ['process', 0, undefined]);
  assert.equal(after(keys('i'), BUSY, view).page, 'output');
});

test('with nothing in the table no key does anything but the general ones', () => {
  const empty = frameOf(snapshot());
  assert.deepEqual(after(keys('down', 'return', 'tab', 'end'), empty), FIRST_VIEW);
});

test('letters sort, each on its page', () => {
  assert.equal(after(keys('g')).sort, 'growth');
  assert.equal(after(keys('return', 'tab', 'r')).socketSort, 'recvq');
  assert.equal(after(keys('return', 'tab', 'g')).sort, 'worst');
});

test('space holds the page, and lets it go', () => {
  assert.equal(after(keys('space')).paused, true);
  assert.equal(after(keys('space', 'space')).paused, false);
});

test('a slash asks for a filter, in which letters are letters', () => {
  const prompt = after([...keys('/'), ...typed('-c quick')]).prompt;
  assert.deepEqual(prompt, { text: '-c quick' });
  assert.deepEqual(last([...keys('/'), ...typed(' 812 '), key('return')]), { kind: 'filter', text: '812' });
  assert.equal(after([...keys('/'), ...typed('ab'), key('backspace')]).prompt?.text, 'a');
  assert.equal(after([...keys('/'), ...typed('ab'), key('escape')]).prompt, undefined);
  assert.equal(after([...keys('/'), ...typed('ab'), { name: 'u', ctrl: true }]).prompt?.text, '');
  assert.equal(after([key('/')], BUSY, { ...FIRST_VIEW, filter: '--port 80' }).prompt?.text, '--port 80');
});

test('among sockets the filter is a text, applied at once', () => {
  const view = after([...keys('return', 'tab', '/'), ...typed('10.0'), key('return')]);
  assert.deepEqual([view.socketFilter, view.prompt, view.page], ['10.0', undefined, 'sockets']);
});

test('q and Ctrl-C quit, Ctrl-C from everywhere, and Ctrl-Z suspends', () => {
  assert.deepEqual(last(keys('q')), { kind: 'quit' });
  assert.deepEqual(last(keys('return', 'q')), { kind: 'quit' });
  assert.deepEqual(last([...keys('/'), { name: 'c', ctrl: true }]), { kind: 'quit' });
  assert.deepEqual(last([{ name: 'z', ctrl: true }]), { kind: 'suspend' });
});

test('whatever is typed, the view stays one that can be drawn', () => {
  const names = [
    'up',
    'down',
    'pageup',
    'pagedown',
    'home',
    'end',
    'return',
    'escape',
    'tab',
    'left',
    'right',
    'backspace',
    '/',
    '?',
    'space',
    'w',
    'a',
    'x',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...names), { maxLength: 40 }), (list) => {
      let view = FIRST_VIEW;
      for (const name of list) {
        const pressed = press(key(name), view, BUSY, HEIGHT);
        if (pressed.kind === 'view') view = pressed.view;
      }
      assert.ok(view.scroll >= 0);
      assert.ok(view.selected === undefined || BUSY.rows.some((row) => row.key === view.selected));
    }),
  );
});

test('only lines that have changed are sent', () => {
  assert.equal(difference(['a', 'b'], ['a', 'b']), '');
  assert.equal(difference(['a', 'b'], ['a', 'c']), '\u001b[?2026h\u001b[2;1H\u001b[2Kc\u001b[?2026l');
  assert.match(difference([], ['a', 'b']), /\[1;1H.*a.*\[2;1H.*b/);
});
