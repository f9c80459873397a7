import { ActionLog, stateDirectory } from '../app/state.ts';
import type { LogEntry } from '../model/log.ts';
import { renderLog } from '../render/log.ts';
import type { Surroundings, Values } from './command.ts';
import type { ACTING } from './confirm.ts';
import { ACTION_EXIT } from './exit.ts';
import { pageWidth } from './terminal.ts';

/** Prints what a command has done so far: for people, or with --json the lines in which it is kept. */
export function printLog(
  name: LogEntry['command'],
  { state, json }: Values<typeof ACTING> & { json?: boolean | undefined },
  { stdout, environment }: Surroundings,
): number {
  const log = new ActionLog(stateDirectory(state, environment), name, environment);
  const entries = log.entries().filter(({ command }) => command === name);
  if (json) stdout.write(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
  else stdout.write(entries.length > 0 ? renderLog(entries, pageWidth(stdout)) : `nothing in ${log.path}\n`);
  return entries.length > 0 ? ACTION_EXIT.done : ACTION_EXIT.nothingToDo;
}
