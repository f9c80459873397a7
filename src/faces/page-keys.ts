import type { WatchFrame } from '../model/watch.ts';
import { placeOf, type SocketSort, type Sort, sortedRows, type View } from '../render/watch/view.ts';

/** A key as Node's readline names it: `name` for those that have one, `sequence` is what was sent. */
export type Key = { name?: string; sequence?: string; ctrl?: boolean };

/** What a key leads to: another view, the end, a filter to be tried, a command to be run, or back to the shell for a while. */
export type Pressed =
  | { kind: 'view'; view: View }
  | { kind: 'quit' }
  | { kind: 'suspend' }
  | { kind: 'filter'; text: string }
  | { kind: 'run'; command: 'inspect' | 'relieve'; pid: number };

const SORTS: Readonly<Record<string, Sort>> = {
  w: 'worst',
  c: 'count',
  g: 'growth',
  o: 'oldest',
  f: 'fds',
  n: 'name',
};
const SOCKET_SORTS: Readonly<Record<string, SocketSort>> = { a: 'age', r: 'recvq', p: 'peer' };

/** The longest filter that can be typed. */
const LONGEST = 200;

const show = (view: View): Pressed => ({ kind: 'view', view });

/** What a key means in a view of a frame on a screen of so many lines. Pure. */
export function press(key: Key, view: View, frame: WatchFrame, height: number): Pressed {
  if (key.ctrl && key.name === 'c') return { kind: 'quit' };
  if (key.ctrl && key.name === 'z') return { kind: 'suspend' };
  if (view.prompt) return pressInPrompt(key, view, view.prompt.text);
  if (key.name === 'q') return { kind: 'quit' };
  if (key.name === 'space') return show({ ...view, paused: !view.paused });
  if (view.page === 'help') return show(pressInHelp(key, view, height));
  if (key.sequence === '?') return show({ ...view, page: 'help', scroll: 0 });
  if (view.page === 'output') return show(pressInOutput(key, view, height));
  if (view.page === 'process') {
    const run = commandFor(key, view, frame);
    if (run) return run;
  }
  return show(view.page === 'table' ? pressInTable(key, view, frame, height) : pressInDetail(key, view, frame, height));
}

function pressInPrompt({ name, sequence = '', ctrl }: Key, view: View, text: string): Pressed {
  const { prompt: _prompt, ...rest } = view;
  const typed = (next: string): Pressed => show({ ...view, prompt: { text: next } });
  if (name === 'escape') return show(rest);
  if (name === 'backspace') return text === '' ? show(rest) : typed(text.slice(0, -1));
  if (ctrl) return name === 'u' ? typed('') : show(view);
  if (name === 'return' || name === 'enter') {
    if (view.page !== 'sockets') return { kind: 'filter', text: text.trim() };
    return show({ ...rest, socketFilter: text.trim(), scroll: 0 });
  }
  return /^[\u0020-\u007e\u00a0-\uffff]+$/.test(sequence) ? typed((text + sequence).slice(0, LONGEST)) : show(view);
}

const isBack = ({ name }: Key): boolean => name === 'escape' || name === 'backspace';

const pressInHelp = (key: Key, view: View, height: number): View =>
  isBack(key) || key.sequence === '?'
    ? { ...view, page: 'table', scroll: 0 }
    : { ...view, scroll: moved(key, view.scroll, Number.MAX_SAFE_INTEGER, height) };

function pressInTable(key: Key, view: View, frame: WatchFrame, height: number): View {
  const sort = SORTS[key.sequence ?? ''];
  if (sort) return { ...view, sort };
  if (key.sequence === '/') return { ...view, prompt: { text: view.filter } };
  const rows = sortedRows(frame, view);
  const place = placeOf(rows, view);
  const row = rows[Math.min(moved(key, place, rows.length - 1, height), rows.length - 1)];
  if (!row) return view;
  if (key.name === 'return' || key.name === 'enter')
    return { ...view, page: 'process', selected: row.key, scroll: 0, socketFilter: '' };
  return { ...view, selected: row.key };
}

const COMMANDS: Readonly<Record<string, 'inspect' | 'relieve'>> = { i: 'inspect', R: 'relieve' };

/** What can be done about a process: a command of ours that only looks. */
function commandFor({ sequence = '' }: Key, view: View, frame: WatchFrame): Pressed | undefined {
  const command = Object.hasOwn(COMMANDS, sequence) ? COMMANDS[sequence] : undefined;
  const rows = sortedRows(frame, view);
  const pid = rows[placeOf(rows, view)]?.finding.subject.process?.pid;
  return command && pid !== undefined ? { kind: 'run', command, pid } : undefined;
}

function pressInOutput(key: Key, view: View, height: number): View {
  if (!isBack(key)) return { ...view, scroll: moved(key, view.scroll, (view.output?.lines?.length ?? 1) - 1, height) };
  const { output: _output, ...rest } = view;
  return { ...rest, page: 'process', scroll: 0 };
}

function pressInDetail(key: Key, view: View, frame: WatchFrame, height: number): View {
  if (isBack(key)) return { ...view, page: 'table', scroll: 0 };
  if (key.name === 'tab') return { ...view, page: view.page === 'process' ? 'sockets' : 'process', scroll: 0 };
  if (key.name === 'left' || key.name === 'right') {
    const rows = sortedRows(frame, view);
    const next = rows[placeOf(rows, view) + (key.name === 'left' ? -1 : 1)];
    return next ? { ...view, selected: next.key, scroll: 0 } : view;
  }
  if (view.page === 'sockets') {
    const socketSort = SOCKET_SORTS[key.sequence ?? ''];
    if (socketSort) return { ...view, socketSort, scroll: 0 };
    if (key.sequence === '/') return { ...view, prompt: { text: view.socketFilter } };
  }
  return { ...view, scroll: moved(key, view.scroll, Number.MAX_SAFE_INTEGER, height) };
}

/** Lines of a screen that stay in view when it moves on by a screen. */
const OVERLAP = 6;

function moved({ name, sequence }: Key, from: number, last: number, height: number): number {
  const page = Math.max(1, height - OVERLAP);
  const steps: Readonly<Record<string, number>> = { up: -1, k: -1, down: 1, j: 1, pageup: -page, pagedown: page };
  if (name === 'home') return 0;
  if (name === 'end') return last;
  return Math.max(0, Math.min(last, from + (steps[name ?? sequence ?? ''] ?? 0)));
}
