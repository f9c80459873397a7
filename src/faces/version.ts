import { VERSION } from '../app/version.ts';
import { command, noPositionals } from './command.ts';
import { EXIT } from './exit.ts';
import { HELP } from './help.ts';

export const versionCommand = command(HELP, {}, async (_values, positionals, { stdout }) => {
  noPositionals('version', positionals);
  stdout.write(`unclosed ${VERSION}\n`);
  return EXIT.nothing;
});
