import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const WAIT_MS = 15_000;
const POLL_MS = 50;

/** A terminal in which a shell runs: a tmux server of our own. */
export class Terminal {
  static #count = 0;
  readonly #socket = `unclosed-test-${process.pid}-${Terminal.#count++}`;

  constructor({
    width = 80,
    height = 24,
    env = {},
  }: { width?: number; height?: number; env?: NodeJS.ProcessEnv } = {}) {
    const set = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    const size = ['-x', String(width), '-y', String(height)];
    this.#tmux('-f', '/dev/null', 'new-session', '-d', ...size, ...set, '-e', 'PS1=> ', 'bash --norc -i');
  }

  #tmux(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('tmux', ['-L', this.#socket, ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Keys by the names of tmux: Enter, Down, C-c. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', '--', ...keys);
  }

  type(text: string): void {
    this.#tmux('send-keys', '-l', '--', text);
  }

  run(command: string): void {
    this.type(command);
    this.press('Enter');
  }

  resize(width: number, height: number): void {
    this.#tmux('resize-window', '-x', String(width), '-y', String(height));
  }

  /** What is on the screen, with control sequences for colours if `styled`. */
  screen(styled = false): string {
    return this.#tmux('capture-pane', '-p', ...(styled ? ['-e'] : []));
  }

  /** The screen as soon as it shows something. */
  async shows(pattern: RegExp): Promise<string> {
    const deadline = performance.now() + WAIT_MS;
    for (;;) {
      const screen = this.screen();
      if (pattern.test(screen)) return screen;
      if (performance.now() > deadline) throw new Error(`${pattern} did not appear on:\n${screen}`);
      await sleep(POLL_MS);
    }
  }

  /** Whether the terminal is as a shell wants it: its own screen, a cursor, lines that wrap. */
  isRestored(): boolean {
    return this.#tmux('display-message', '-p', '#{alternate_on} #{cursor_flag} #{wrap_flag}').trim() === '0 1 1';
  }

  close(): void {
    spawnSync('tmux', ['-L', this.#socket, 'kill-server']);
  }
}
