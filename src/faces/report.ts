import { type Look, look } from '../app/look.ts';
import type { Paint } from '../render/text.ts';
import type { Arguments } from './arguments.ts';
import { EXIT, type Streams } from './exit.ts';
import { pageWidth } from './terminal.ts';

/** `unclosed`: prints the report and gives the exit code. */
export async function report(args: Arguments, streams: Streams, paint: Paint): Promise<number> {
  const seen = await look({
    ...args.capture,
    ...(args.from !== undefined && { from: args.from }),
    source: args.source,
    filter: args.filter,
    numeric: args.numeric,
  });
  // Before the output, so that a reader who goes away early still gets it.
  process.exitCode = exitCode(seen);
  await write(streams.stdout, await render(seen, args, paint, pageWidth(streams.stdout)));
  return exitCode(seen);
}

export async function render(seen: Look, args: Arguments, paint: Paint, width: number): Promise<string> {
  const { snapshot, diagnosis, limits } = seen;
  if (args.json) {
    const { renderJson } = await import('../render/json.ts');
    return renderJson(snapshot, diagnosis, args.sockets ? seen.rows() : undefined);
  }
  const { renderReport } = await import('../render/report.ts');
  const page = renderReport(snapshot, diagnosis, {
    width,
    paint,
    limits,
    all: args.all,
    verbose: args.verbose,
    again: againOptions(args),
    ...(args.filterText !== undefined && { filter: args.filterText }),
  });
  if (!args.sockets) return page;
  const { renderSocketsTable } = await import('../render/sockets-table.ts');
  const rows = seen.rows();
  return rows.length === 0 ? page : `${page}\n${renderSocketsTable(rows)}`;
}

/** What a further run needs to see the same: where to look, and what counts as stuck. */
function againOptions({ from, capture: { stuckAfterMs } }: Arguments): string {
  const where =
    from === undefined ? '' : `--from ${/^[\w./-]+$/.test(from) ? from : `'${from.replaceAll("'", "'\\''")}'`} `;
  return `${where}${stuckAfterMs === undefined ? '' : `--stuck-after ${stuckAfterMs / 1000}s `}`;
}

/** Whatever the report shows as a finding is found; ordinary churn is not. */
const exitCode = ({ diagnosis: { findings } }: Look): number =>
  findings.some(({ cause }) => cause !== 'churn') ? EXIT.found : EXIT.nothing;

/** Waits until the text has been handed over: a process that exits before loses what a slow reader has not taken. */
const write = (stdout: NodeJS.WriteStream, text: string): Promise<void> =>
  new Promise((resolve) => {
    stdout.write(text, () => resolve());
  });
