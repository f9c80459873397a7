import { type Examination, examine, type Trial } from '../app/doctor.ts';
import { type Paint, wrap } from '../render/text.ts';
import { OUTPUT } from './arguments.ts';
import { command, noPositionals } from './command.ts';
import { EXIT } from './exit.ts';
import { pageWidth, terminalPaint } from './terminal.ts';

const HELP = `unclosed doctor: tries each way to look at this machine, and says which of them it allows,
what each gives, and how to get the others. A report uses the first that works.

      --json                     as JSON
      --no-color                 no colour (also: NO_COLOR, or not a terminal)

Exit codes
  0 the best way works   1 a lesser one does   2 none does
`;

const OPTIONS = { json: OUTPUT.json, 'no-color': OUTPUT['no-color'] } as const;

export const doctorCommand = command(HELP, OPTIONS, async (values, positionals, { stdout, environment }) => {
  noPositionals('doctor', positionals);
  const examination = await examine();
  stdout.write(
    values.json
      ? `${JSON.stringify(examination, null, 2)}\n`
      : page(examination, terminalPaint(stdout, values, environment), pageWidth(stdout)),
  );
  const [best, ...others] = examination.trials;
  if (best?.works) return EXIT.nothing;
  return others.some(({ works }) => works) ? EXIT.found : EXIT.couldNotLook;
});

function page({ kernel, node, arch, uid, trials }: Examination, paint: Paint, width: number): string {
  const who = uid === 0 ? 'root' : `uid ${uid}`;
  const first = trials.find(({ works }) => works);
  return `${[
    `Linux ${kernel} · ${arch} · Node.js ${node} · ${who}`,
    '',
    ...trials.flatMap((trial) => linesOf(trial, paint, width)),
    '',
    first ? `A report uses: ${first.name}` : 'No report can be made here.',
  ].join('\n')}\n`;
}

const NAME_WIDTH = 21;

function linesOf({ name, works, gives, seen, remedy }: Trial, paint: Paint, width: number): string[] {
  const indent = NAME_WIDTH + 6;
  const [head = '', ...rest] = wrap(`${'x'.repeat(NAME_WIDTH + 4)}  ${seen}`, width, 0, indent);
  const mark = works ? paint('ok', 'yes ') : paint('warning', 'no  ');
  return [
    `${mark}${name.padEnd(NAME_WIDTH)}${head.slice(NAME_WIDTH + 4)}`,
    ...rest,
    ...wrap(gives, width, indent).map((line) => paint('dim', line)),
    ...(remedy === undefined ? [] : wrap(`remedy: ${remedy}`, width, indent, indent + 2)),
  ];
}
