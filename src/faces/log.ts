import { ActionLog, type LogEntry, stateDirectory } from '../app/state.ts';
import type { Surroundings, Values } from './command.ts';
import type { ACTING } from './confirm.ts';
import { ACTION_EXIT } from './exit.ts';

/** Prints what a command has done so far, as the lines in which it is kept. */
export function printLog(
  name: LogEntry['command'],
  { state }: Values<typeof ACTING>,
  { stdout, environment }: Surroundings,
): number {
  const entries = new ActionLog(stateDirectory(state, environment), name, environment).entries();
  const lines = entries.filter(({ command }) => command === name).map((entry) => `${JSON.stringify(entry)}\n`);
  stdout.write(lines.join(''));
  return lines.length > 0 ? ACTION_EXIT.done : ACTION_EXIT.nothingToDo;
}
