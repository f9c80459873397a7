import { readPageOf } from '../app/pages.ts';
import { CAUSES, type Cause } from '../model/finding.ts';
import { renderMarkdown, summaryOf } from '../render/markdown.ts';
import { command, usage } from './command.ts';
import { EXIT } from './exit.ts';
import { pageWidth } from './terminal.ts';

const HELP = `unclosed explain [CAUSE]: what a cause of the report means: what happened, how it shows, how
to be sure, and how to fix it in each runtime. Without a cause, all of them in a line each.

Examples
  unclosed explain
  unclosed explain missing-close
`;

/** Prints the page of a cause. Nothing of the machine is read. */
export const explainCommand = command(HELP, {}, async (_values, positionals, { stdout }) => {
  const [name, ...more] = positionals;
  if (more.length > 0) throw usage(`explain takes one cause, not also ${more.join(' ')}`, 'unclosed explain CAUSE');
  if (name === undefined) {
    const widest = Math.max(...CAUSES.map((cause) => cause.length));
    const lines = CAUSES.map((cause) => `${cause.padEnd(widest)}  ${summaryOf(readPageOf(cause))}`);
    stdout.write(`${lines.join('\n')}\n`);
  } else {
    stdout.write(renderMarkdown(readPageOf(causeOf(name)), pageWidth(stdout)));
  }
  return EXIT.nothing;
});

function causeOf(name: string): Cause {
  const cause = CAUSES.find((it) => it === name.toLowerCase().replaceAll('_', '-'));
  if (cause === undefined) throw usage(`there is no cause ${name}`, `causes: ${CAUSES.join(', ')}`);
  return cause;
}
