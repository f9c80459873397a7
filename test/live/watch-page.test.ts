import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BIN } from './cli.ts';
import { Terminal } from './tmux.ts';
import { missing, startWorkload, type Truth } from './workload.ts';

// The page on a real terminal.

const skip = missing('root', 'python3', 'tmux', 'bash');

type Options = { width?: number; height?: number; env?: NodeJS.ProcessEnv; args?: string[]; node?: string };

/** Starts the watch of a workload on a terminal, waits for its page, and ends both. */
async function onPage(options: Options, use: (terminal: Terminal, truth: Truth) => Promise<void>): Promise<void> {
  const { args = [], node = '', ...size } = options;
  const { truth, stop } = await startWorkload('missing-close', { count: 23 });
  const terminal = new Terminal(size);
  try {
    const watch = `watch --stuck-after 0s --interval 500ms ${args.join(' ')}`;
    terminal.run(`clear; ${process.execPath} ${node} ${BIN} ${watch}; echo ended with $?`);
    await terminal.shows(/q quit/);
    await use(terminal, truth);
  } finally {
    terminal.close();
    await stop();
  }
}

const rowOf = ({ pid }: Truth): RegExp => new RegExp(`^[ >] python3 ${pid} +23 `, 'm');

test('a leak is on the page, with its details, its sockets, and help', { skip }, async () => {
  await onPage({ args: ['-c', 'python3'] }, async (terminal, truth) => {
    const table = await terminal.shows(rowOf(truth));
    assert.match(table, /^unclosed watch · /);
    assert.equal(table.trimEnd().split('\n').length, 24);
    terminal.press('/');
    terminal.press('C-u');
    terminal.run(String(truth.pid));
    await terminal.shows(new RegExp(` only ${truth.pid}\\b`));
    terminal.press('Enter');
    await terminal.shows(/Recv-Q 0 on all 23/);
    terminal.press('End');
    await terminal.shows(/less than 1 min +23 █/);
    terminal.press('Tab');
    await terminal.shows(new RegExp(`1 to 20 of 23 sockets(?:.*\\n)*.*:${truth.port} `));
    terminal.press('?');
    await terminal.shows(/up, down, k, j/);
    terminal.press('Escape');
    await terminal.shows(rowOf(truth));
    terminal.press('q');
    await terminal.shows(/^ended with 1$/m);
    assert.ok(terminal.isRestored());
  });
});

test('i looks inside the process, R says what would help, and the watch goes on', { skip }, async () => {
  await onPage({ args: ['-c', 'python3'] }, async (terminal, truth) => {
    await terminal.shows(rowOf(truth));
    terminal.press('/');
    terminal.press('C-u');
    terminal.run(String(truth.pid));
    await terminal.shows(new RegExp(` only ${truth.pid}\\b`));
    terminal.press('Enter');
    await terminal.shows(/i inspect {2}R relieve/);
    terminal.press('i');
    await terminal.shows(new RegExp(`^unclosed inspect ${truth.pid}`));
    terminal.press('End');
    await terminal.shows(/looked at|Logs|socket\.socket/);
    terminal.press('Escape');
    await terminal.shows(/Recv-Q 0 on all 23/);
    terminal.press('R');
    await terminal.shows(/Nothing was done|nothing of it is stuck/);
    terminal.press('Escape');
    await terminal.shows(/i inspect {2}R relieve/);
    terminal.press('Escape');
    await terminal.shows(rowOf(truth));
    terminal.press('q');
    await terminal.shows(/^ended with 1$/m);
  });
});

test('a filter that is not understood, or fits nothing, says so and is taken back', { skip }, async () => {
  await onPage({}, async (terminal, truth) => {
    for (const [typed, problem] of [
      ['--port x', /--port x: not a number/],
      ['-c no-such-program', /no process matches -c no-such-program/],
    ] as const) {
      terminal.press('/');
      terminal.run(typed);
      await terminal.shows(problem);
      terminal.press('Escape');
      await terminal.shows(/q quit/);
    }
    await terminal.shows(rowOf(truth));
    assert.doesNotMatch(terminal.screen(), /only/);
  });
});

test('space holds the page, and it goes on where the machine is then', { skip }, async () => {
  await onPage({}, async (terminal) => {
    terminal.press('Space');
    const held = await terminal.shows(/PAUSED/);
    const other = await startWorkload('missing-close', { count: 29 });
    try {
      assert.equal(terminal.screen(), held);
      terminal.press('Space');
      await terminal.shows(new RegExp(`python3 ${other.truth.pid} +29 `));
    } finally {
      await other.stop();
    }
    await terminal.shows(new RegExp(`python3 ${other.truth.pid}: none left \\(29 sockets before\\)`));
  });
});

test('the page follows the size of the terminal', { skip }, async () => {
  await onPage({ width: 120, height: 40 }, async (terminal, truth) => {
    await terminal.shows(rowOf(truth));
    for (const [width, height] of [
      [60, 12],
      [200, 50],
      [80, 24],
    ] as const) {
      terminal.resize(width, height);
      const screen = await terminal.shows(new RegExp(`^unclosed watch.*\\n(?:.*\\n){${height - 2}}↑↓ choose`));
      const lines = screen.trimEnd().split('\n');
      assert.ok(lines.every((line) => line.length <= width));
    }
  });
});

test('without colour the chosen row is marked all the same', { skip }, async () => {
  await onPage({ env: { NO_COLOR: '1' } }, async (terminal) => {
    await terminal.shows(/^> /m);
    assert.ok(!terminal.screen(true).includes('\u001b'));
  });
  await onPage({}, async (terminal) => {
    await terminal.shows(/^> /m);
    assert.match(terminal.screen(true), /\u001b\[(?:0;)?7m/);
  });
});

for (const [what, key, code] of [
  ['q', 'q', 1],
  ['Ctrl-C', 'C-c', 1],
] as const) {
  test(`${what} gives the terminal back as it was`, { skip }, async () => {
    await onPage({}, async (terminal) => {
      terminal.press(key);
      await terminal.shows(new RegExp(`^ended with ${code}$`, 'm'));
      assert.ok(terminal.isRestored());
      terminal.run('echo typed"-"text');
      await terminal.shows(/^typed-text$/m);
    });
  });
}

for (const [signal, code] of [
  ['TERM', 143],
  ['HUP', 129],
  ['INT', 130],
] as const) {
  test(`SIG${signal} gives the terminal back as it was`, { skip }, async () => {
    const node = `--import 'data:text/javascript,setTimeout(()=>process.kill(process.pid,"SIG${signal}"),1500)'`;
    await onPage({ node }, async (terminal) => {
      await terminal.shows(new RegExp(`^ended with ${code}$`, 'm'));
      assert.ok(terminal.isRestored());
    });
  });
}

test('a crash gives the terminal back, and what went wrong can be read', { skip }, async () => {
  const node = `--import 'data:text/javascript,setTimeout(()=>{throw Error("a"+"fault")},1500)'`;
  await onPage({ node }, async (terminal) => {
    await terminal.shows(/Error: afault(?:.*\n)*ended with [1-9]/);
    assert.ok(terminal.isRestored());
  });
});

test('Ctrl-Z leads to the shell, and fg back to the page', { skip }, async () => {
  await onPage({}, async (terminal, truth) => {
    await terminal.shows(rowOf(truth));
    terminal.press('C-z');
    await terminal.shows(/Stopped/);
    assert.ok(terminal.isRestored());
    terminal.run('fg');
    await terminal.shows(rowOf(truth));
    assert.ok(!terminal.isRestored());
  });
});
