import type { EffectiveLimits } from '../app/limits.ts';
import { look } from '../app/look.ts';
import type { Look } from '../app/look-at.ts';
import type { Paint } from '../render/text.ts';
import {
  describeFilter,
  FILTER,
  LIMITS,
  OUTPUT,
  READING,
  readCapture,
  readFilter,
  readLimits,
  readPids,
} from './arguments.ts';
import { command, type Values } from './command.ts';
import { EXIT } from './exit.ts';
import { HELP } from './help.ts';
import type { Output } from './output.ts';
import { pageWidth, terminalPaint } from './terminal.ts';

const OPTIONS = { ...FILTER, ...LIMITS, ...OUTPUT, ...READING, from: { type: 'string' } } as const;

/** Prints the report and gives the exit code. */
export const reportCommand = command(HELP, OPTIONS, async (values, positionals, { stdout, environment }) => {
  const { from } = values;
  const filter = readFilter(values, readPids(positionals));
  const { limits, changed, files } = await readLimits(values, environment);
  const seen = await look({
    ...readCapture(values, filter, values.sockets === true || values.all === true),
    limits,
    ...(from !== undefined && { from }),
    filter,
    numeric: values.numeric ?? false,
  });
  // Before the output, so that a reader who goes away early still gets it.
  process.exitCode = exitCode(seen);
  const filterText = describeFilter(filter);
  const page = readPage(values, {
    ...(filterText !== undefined && { filterText }),
    again: againOptions(values),
    limits: { changed, files },
  });
  await write(stdout, await render(seen, page, terminalPaint(stdout, values, environment), pageWidth(stdout)));
  return exitCode(seen);
});

/** What a page shows. */
export type Page = {
  json: boolean;
  sockets: boolean;
  all: boolean;
  verbose: boolean;
  filterText?: string;
  /** Options with which a further run sees the same. */
  again: string;
  /** Limits that are not the default, and the files that were read for them. */
  limits?: Pick<EffectiveLimits, 'changed' | 'files'>;
};

export const readPage = (
  values: Values<typeof OUTPUT>,
  about: Pick<Page, 'filterText' | 'again' | 'limits'>,
): Page => ({
  json: values.json ?? false,
  sockets: values.sockets ?? false,
  all: values.all ?? false,
  verbose: values.verbose ?? false,
  ...about,
});

export async function render(seen: Look, page: Page, paint: Paint, width: number): Promise<string> {
  const { snapshot, diagnosis, limits } = seen;
  if (page.json) {
    const { renderJson } = await import('../render/json.ts');
    return renderJson(snapshot, diagnosis, page.sockets ? seen.rows() : undefined);
  }
  const { renderReport } = await import('../render/report.ts');
  const text = renderReport(snapshot, diagnosis, {
    width,
    paint,
    limits,
    all: page.all,
    verbose: page.verbose,
    again: page.again,
    ...page.limits,
    ...(page.filterText !== undefined && { filter: page.filterText }),
  });
  if (!page.sockets) return text;
  const { renderSocketsTable } = await import('../render/sockets-table.ts');
  const rows = seen.rows();
  return rows.length === 0 ? text : `${text}\n${renderSocketsTable(rows)}`;
}

/** What a further run needs to see the same: where to look, and what counts as stuck. */
function againOptions(values: Values<typeof OPTIONS>): string {
  const kept = ['from', 'config', 'stuck-after'] as const;
  return kept.flatMap((name) => (values[name] === undefined ? [] : `--${name} ${quoted(values[name])} `)).join('');
}

const quoted = (text: string): string => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** Whatever the report shows as a finding is found; ordinary churn is not. */
export const exitCode = ({ diagnosis: { findings } }: Look): number =>
  findings.some(({ cause }) => cause !== 'churn') ? EXIT.found : EXIT.nothing;

/** Waits until the text has been handed over: a process that exits before loses what a slow reader has not taken. */
export const write = (stdout: Output, text: string): Promise<void> =>
  new Promise((resolve) => {
    stdout.write(text, () => resolve());
  });
