import { setTimeout as sleep } from 'node:timers/promises';
import { DEMO_CONNECTIONS, startDemo } from '../app/demo.ts';
import { look } from '../app/look.ts';
import type { Paint } from '../render/text.ts';
import type { Arguments } from './arguments.ts';
import { EXIT, type Streams } from './exit.ts';
import { render } from './report.ts';
import { pageWidth } from './terminal.ts';

/** Sockets are stuck after a minute; a demo shows them after a second. */
const STUCK_AFTER_MS = 1000;

/** `unclosed demo`: the report on a server that leaks before your eyes. */
export async function demo(args: Arguments, streams: Streams, paint: Paint): Promise<number> {
  const { stdout } = streams;
  const { pid, port, stop } = await startDemo();
  const interrupted = (): never => {
    stop();
    process.exit(EXIT.nothing);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    const { stuckAfterMs = STUCK_AFTER_MS } = args.capture;
    stdout.write(
      paint(
        'dim',
        `A small server on 127.0.0.1:${port} (pid ${pid}) has answered ${DEMO_CONNECTIONS} clients. They have closed,\nand it has forgotten to. After ${stuckAfterMs / 1000} s, this is what \`unclosed ${pid}\` says:\n\n`,
      ),
    );
    await sleep(stuckAfterMs + 500);
    const seen = await look({
      ...args.capture,
      stuckAfterMs,
      pids: [pid],
      filter: { pids: [pid] },
      source: args.source,
    });
    stdout.write(await render(seen, { ...args, filterText: `pid ${pid}` }, paint, pageWidth(stdout)));
    stdout.write(paint('dim', '\nThe demo server is stopped again. `unclosed` looks at the whole machine.\n'));
  } finally {
    stop();
  }
  return EXIT.nothing;
}
