import type { Frame } from '../../model/inside.ts';
import { frameAt } from './places.ts';
import { field, isText, listIn, numberIn, textIn } from './values.ts';

const MOST_FRAMES = 100;

/** The stack in an event Debugger.paused, the innermost frame first. `urls` are those of scripts, by their id. */
export function pausedFrames(params: unknown, urls: ReadonlyMap<string, string>): Frame[] {
  return listIn(params, 'callFrames')
    .slice(0, MOST_FRAMES)
    .map((frame) => {
      const location = field(frame, 'location');
      const url = urls.get(textIn(location, 'scriptId') ?? '') || textIn(frame, 'url');
      return frameAt(textIn(frame, 'functionName') ?? '', url, numberIn(location, 'lineNumber'));
    });
}

/** Where a function stands: its script and line, from its internal properties (Runtime.getProperties). */
export function functionLocation(properties: unknown): { scriptId: string; line: number } | undefined {
  const value = field(field(internal(properties, '[[FunctionLocation]]'), 'value'), 'value');
  const scriptId = field(value, 'scriptId');
  const line = numberIn(value, 'lineNumber');
  return isText(scriptId) && line !== undefined ? { scriptId, line } : undefined;
}

/** The function that a bound one calls: its object id. */
export const boundTarget = (properties: unknown): string | undefined =>
  textIn(field(internal(properties, '[[TargetFunction]]'), 'value'), 'objectId');

const internal = (properties: unknown, name: string): unknown =>
  listIn(properties, 'internalProperties').find((property) => field(property, 'name') === name);
