import { parseArgs } from 'node:util';
import type { Filter } from '../app/filter.ts';
import { type Pace, socketsOf, type WatchEnd, type Watcher, watch } from '../app/watch/watcher.ts';
import { UnclosedError } from '../model/errors.ts';
import type { SocketRow } from '../model/finding.ts';
import type { WatchFrame } from '../model/watch.ts';
import { renderPage } from '../render/watch/page.ts';
import { FIRST_VIEW, type Output, type PageOptions, placeOf, sortedRows, type View } from '../render/watch/view.ts';
import { FILTER, readFilter, readPids } from './arguments.ts';
import { usage } from './command.ts';
import { type Key, press } from './page-keys.ts';
import type { Screen } from './screen.ts';

export type PageSetup = {
  watcher: Watcher;
  pace: Omit<Pace, 'wake' | 'missed'>;
  screen: Screen;
  options: Omit<PageOptions, 'width' | 'height'>;
  filterText: string;
  filter: Filter;
  /** Runs a command of ours, and gives the lines that it prints. Never fails: what went wrong is in the lines. */
  run(argv: readonly string[]): Promise<string[]>;
  /** Quits. */
  quit(): void;
};

/** The page on a terminal: draws each frame, and what the keys make of it. */
export async function watchPage(setup: PageSetup, seen: (frame: WatchFrame) => void): Promise<WatchEnd> {
  const page = new WatchPage(setup);
  try {
    const end = await watch(setup.watcher, { ...setup.pace, ...page.hooks }, (frame) => {
      seen(frame);
      page.show(frame);
    });
    if (page.failure !== undefined) throw page.failure;
    return end;
  } finally {
    setup.screen.leave();
  }
}

class WatchPage {
  readonly #setup: PageSetup;
  #view: View;
  /** The filter that worked last, and its text. */
  #filter: { filter: Filter; text: string };
  /** The one that is on the screen, which stays while the page is held. */
  #frame: WatchFrame | undefined;
  #latest: WatchFrame | undefined;
  #sockets: { of: WatchFrame; key: string; rows: SocketRow[] } | undefined;
  #waking = new AbortController();
  failure: unknown;

  constructor(setup: PageSetup) {
    this.#setup = setup;
    this.#view = { ...FIRST_VIEW, filter: setup.filterText };
    this.#filter = { filter: setup.filter, text: setup.filterText };
  }

  readonly hooks = {
    wake: (): AbortSignal => {
      if (this.#waking.signal.aborted) this.#waking = new AbortController();
      return this.#waking.signal;
    },
    missed: (error: UnclosedError): void => {
      // A filter that was just typed and fits nothing is taken back; a process that has ended leaves its last frame.
      const { filter, text } = this.#filter;
      const typed = this.#view.filter;
      if (typed !== text) this.#setup.watcher.filter = filter;
      this.#view = { ...this.#view, filter: text, prompt: { text: typed, problem: error.message } };
      this.#draw();
    },
  };

  show(frame: WatchFrame): void {
    const { screen } = this.#setup;
    this.#latest = frame;
    if (!this.#view.paused) this.#frame = frame;
    this.#filter = { ...this.#filter, text: this.#view.filter };
    // Only now: an error of the first look is for the shell.
    if (!this.#entered) {
      this.#entered = true;
      screen.enter(
        (key) => this.#guard(() => this.#press(key)),
        () => this.#guard(() => this.#resized()),
      );
    }
    this.#draw();
  }

  #entered = false;

  /** What a key or a new size does wrong ends the watch like any other fault, with the terminal restored. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failure = error;
      this.#setup.quit();
    }
  }

  #resized(): void {
    this.#setup.screen.forget();
    this.#draw();
  }

  #press(key: Key): void {
    const { screen, quit } = this.#setup;
    if (!this.#frame || !screen.isEntered) return;
    const pressed = press(key, this.#view, this.#frame, screen.size.height);
    if (pressed.kind === 'quit') quit();
    else if (pressed.kind === 'suspend') this.#suspend();
    else if (pressed.kind === 'filter') this.#tryFilter(pressed.text);
    else if (pressed.kind === 'run') this.#runCommand(pressed.command, pressed.pid);
    else {
      if (this.#view.paused && !pressed.view.paused) this.#frame = this.#latest;
      this.#view = pressed.view;
    }
    this.#draw();
  }

  #tryFilter(text: string): void {
    const { prompt: _prompt, ...view } = this.#view;
    try {
      const filter = filterOf(text);
      this.#setup.watcher.filter = filter;
      this.#view = { ...view, filter: text, paused: false };
      this.#waking.abort();
    } catch (error) {
      if (!(error instanceof UnclosedError)) throw error;
      this.#view = { ...view, prompt: { text, problem: `${error.message}: ${error.remedy}` } };
    }
  }

  /** What it has printed replaces the page, if that is still waited for. */
  #runCommand(command: 'inspect' | 'relieve', pid: number): void {
    const output: Output = { title: `unclosed ${command} ${pid}` };
    this.#view = { ...this.#view, page: 'output', output, scroll: 0 };
    void this.#setup.run([command, String(pid)]).then((lines) => {
      if (this.#view.output !== output) return;
      this.#view = { ...this.#view, output: { ...output, lines } };
      this.#guard(() => this.#draw());
    });
  }

  #suspend(): void {
    const { screen } = this.#setup;
    screen.suspend();
    process.once('SIGCONT', () => {
      screen.resume();
      this.#draw();
    });
    process.kill(process.pid, 'SIGTSTP');
  }

  #draw(): void {
    const { screen, options } = this.#setup;
    if (!this.#frame) return;
    screen.draw(
      renderPage(this.#frame, this.#view, { ...options, ...screen.size }, this.#selectedSockets(this.#frame)),
    );
  }

  #selectedSockets(frame: WatchFrame): SocketRow[] {
    if (this.#view.page !== 'process' && this.#view.page !== 'sockets') return [];
    const rows = sortedRows(frame, this.#view);
    const row = rows[placeOf(rows, this.#view)];
    if (!row) return [];
    const known = this.#sockets;
    if (known?.of === frame && known.key === row.key) return known.rows;
    const sockets = socketsOf(row.finding);
    this.#sockets = { of: frame, key: row.key, rows: sockets };
    return sockets;
  }
}

/** Options as on the command line, and bare pids. Words cannot be quoted. */
function filterOf(text: string): Filter {
  const args = text.split(/\s+/).filter((word) => word !== '');
  try {
    const { values, positionals } = parseArgs({ args, options: FILTER, allowPositionals: true, strict: true });
    return readFilter(values, readPids(positionals));
  } catch (error) {
    if (error instanceof UnclosedError) throw error;
    throw usage((error as Error).message.split(/\. |\n/)[0] ?? 'not understood', '? lists the filters');
  }
}
