import { setTimeout as sleep } from 'node:timers/promises';
import { DEMO_CONNECTIONS, startDemo } from '../app/demo.ts';
import { look } from '../app/look.ts';
import { type Paint, wrap } from '../render/text.ts';
import type { Arguments } from './arguments.ts';
import { EXIT, type Streams } from './exit.ts';
import { render } from './report.ts';
import { pageWidth } from './terminal.ts';

/** Sockets are stuck after a minute; a demo shows them after a second. */
const STUCK_AFTER_MS = 1000;

/** `unclosed demo`: the report on a server that leaks before your eyes. */
export async function demo(args: Arguments, streams: Streams, paint: Paint): Promise<number> {
  const { stdout } = streams;
  // What a program reads is the report alone.
  const prose = args.json ? streams.stderr : stdout;
  const { pid, port, stop } = await startDemo();
  const interrupted = (_signal: string, number: number): never => {
    stop();
    process.exit(128 + number);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const stuckAfterMs = STUCK_AFTER_MS;
    const intro = `A small server on 127.0.0.1:${port} (pid ${pid}) has answered ${DEMO_CONNECTIONS} clients. They have closed, and it has forgotten to. After 1 s, this is what \`unclosed ${pid} --stuck-after 1s\` says:`;
    const lines = wrap(intro, pageWidth(stdout), 0).map((line) => paint('dim', line));
    prose.write(`${lines.join('\n')}\n\n`);
    await sleep(stuckAfterMs + 500);
    const seen = await look({
      ...args.capture,
      stuckAfterMs,
      pids: [pid],
      filter: { pids: [pid] },
      source: args.source,
    });
    stdout.write(
      await render(
        seen,
        { ...args, filterText: `pid ${pid}`, capture: { ...args.capture, stuckAfterMs } },
        paint,
        pageWidth(stdout),
      ),
    );
    prose.write(paint('dim', '\nThe demo server is stopped again. `unclosed` looks at the whole machine.\n'));
  } finally {
    stop();
  }
  return EXIT.nothing;
}
