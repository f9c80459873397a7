import { setTimeout as sleep } from 'node:timers/promises';
import type { Frame } from '../../model/inside.ts';
import { boundTarget, functionLocation, pausedFrames } from '../../parse/node/paused.ts';
import { frameAt } from '../../parse/node/places.ts';
import { parseReport, type Report } from '../../parse/node/report.ts';
import { field, listIn, textIn } from '../../parse/node/values.ts';
import { type CollectOptions, collect } from './collect.ts';
import { NoAnswer, type Session } from './inspector.ts';
import { LOADER } from './loader.ts';

const COMMAND_MS = 5000;
/** A heap of 100 million objects. */
const HEAP_MS = 60_000;
const LOOP_MS = 700;
const GROUP = 'unclosed';

type Remote = { result?: { objectId?: string; value?: unknown }; exceptionDetails?: unknown };

async function evaluate(session: Session, expression: string): Promise<Remote['result']> {
  const options = { expression, includeCommandLineAPI: true, silent: true, objectGroup: GROUP };
  return resultOf(await session.send<Remote>('Runtime.evaluate', options, COMMAND_MS));
}

function resultOf({ result, exceptionDetails }: Remote): NonNullable<Remote['result']> {
  if (exceptionDetails === undefined && result) return result;
  const why = textIn(field(exceptionDetails, 'exception'), 'description') ?? 'an exception';
  throw new NoAnswer(why.split('\n', 1)[0] ?? why);
}

/** Whether the event loop comes round within a moment. Throws when nothing at all answers: a native call holds the thread. */
export async function loopTurns(session: Session): Promise<boolean> {
  await evaluate(session, '1');
  const expression = 'new Promise((resolve) => setImmediate(resolve))';
  try {
    await session.send('Runtime.evaluate', { expression, awaitPromise: true, silent: true }, LOOP_MS);
    return true;
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    return false;
  }
}

/** Bytes of its heap in use. */
export async function heapBytes(session: Session): Promise<number | undefined> {
  const usage = await session.send<{ usedSize?: number }>('Runtime.getHeapUsage', {}, COMMAND_MS);
  return usage.usedSize;
}

/** The scripts of the program, and the stack of what runs when `paused`. The debugger is on only for this moment. */
async function withScripts<T>(session: Session, act: (urls: Map<string, string>) => Promise<T>): Promise<T> {
  const urls = new Map<string, string>();
  const off = session.on('Debugger.scriptParsed', (params) => {
    const id = textIn(params, 'scriptId');
    const url = textIn(params, 'url');
    if (id !== undefined && url) urls.set(id, url);
  });
  await session.send('Debugger.enable', {}, COMMAND_MS);
  try {
    return await act(urls);
  } finally {
    off();
    await session.send('Debugger.disable', {}, COMMAND_MS).catch(() => {}); // the end of the session does the same
  }
}

const PAUSE_MS = 2000;
/** A moment may fall between two calls of the program, when the runtime alone is on the stack. */
const MOMENTS = 8;

/** Stops what runs for a moment and gives its stack. Undefined when nothing came to a place where it could be stopped. */
export function runningFrames(session: Session): Promise<Frame[] | undefined> {
  return withScripts(session, async (urls) => {
    let frames: Frame[] | undefined;
    for (let moment = 0; moment < MOMENTS; moment++) {
      const paused = await pause(session);
      if (paused === undefined) return frames;
      frames = pausedFrames(paused, urls);
      if (frames.some(({ origin }) => origin !== 'runtime')) return frames;
      await sleep(moment * 3 + 1); // another place each time
    }
    return frames;
  });
}

/** What is told of the stop, after which the program runs on; undefined when it did not come to one. */
async function pause(session: Session): Promise<unknown> {
  const stopped = Promise.withResolvers<unknown>();
  const off = session.on('Debugger.paused', stopped.resolve);
  const timer = setTimeout(stopped.resolve, PAUSE_MS, undefined);
  try {
    await session.send('Debugger.pause', {}, COMMAND_MS);
    const paused = await stopped.promise;
    if (paused !== undefined) await session.send('Debugger.resume', {}, COMMAND_MS);
    return paused;
  } finally {
    clearTimeout(timer);
    off();
  }
}

/** Asks for sockets: those that keep the program running, or with `everywhere` all in its memory. */
export async function askSockets(session: Session, options: CollectOptions, everywhere: boolean): Promise<Report> {
  try {
    const loader = (await evaluate(session, LOADER))?.objectId;
    const begun = performance.now();
    const found = everywhere ? await everySocket(session) : undefined;
    const heapMs = performance.now() - begun;
    const functionDeclaration = `function (load, options, list) { return (${collect})(load, options, list && Array.from(list)); }`;
    const args = [
      { objectId: loader },
      { value: options },
      found === undefined ? { value: null } : { objectId: found },
    ];
    const call = { objectId: loader, functionDeclaration, arguments: args, silent: true, objectGroup: GROUP };
    const { objectId } = resultOf(await session.send<Remote>('Runtime.callFunctionOn', call, HEAP_MS));
    const properties = listIn(await propertiesOf(session, objectId), 'result');
    const named = (name: string): unknown =>
      field(
        properties.find((it) => field(it, 'name') === name),
        'value',
      );
    const report = textIn(named('report'), 'value');
    if (report === undefined) throw new NoAnswer('its sockets were not told');
    const places = await placesOf(session, textIn(named('functions'), 'objectId'));
    const parsed = parseReport(report, places);
    return everywhere ? { ...parsed, pauseMs: heapMs + (parsed.pauseMs ?? 0) } : parsed;
  } finally {
    await session.send('Runtime.releaseObjectGroup', { objectGroup: GROUP }, COMMAND_MS).catch(() => {}); // goes with the session
  }
}

async function everySocket(session: Session): Promise<string | undefined> {
  const prototype = await evaluate(session, `(${LOADER})('net').Socket.prototype`);
  const query = { prototypeObjectId: prototype?.objectId, objectGroup: GROUP };
  const found = await session.send<{ objects?: { objectId?: string } }>('Runtime.queryObjects', query, HEAP_MS);
  if (found.objects?.objectId === undefined) throw new NoAnswer('its memory was not looked through');
  return found.objects.objectId;
}

const propertiesOf = (session: Session, objectId: string | undefined): Promise<unknown> =>
  session.send('Runtime.getProperties', { objectId, ownProperties: true }, COMMAND_MS);

/** Where functions stand, by their index in an array of the program. */
async function placesOf(session: Session, functions: string | undefined): Promise<(Frame | undefined)[]> {
  const elements = listIn(await propertiesOf(session, functions), 'result').filter((it) =>
    /^[0-9]+$/.test(textIn(it, 'name') ?? ''),
  );
  if (elements.length === 0) return [];
  return withScripts(session, (urls) =>
    Promise.all(elements.map((element) => placeOf(session, urls, textIn(field(element, 'value'), 'objectId')))),
  );
}

async function placeOf(
  session: Session,
  urls: ReadonlyMap<string, string>,
  id: string | undefined,
  steps = 3,
): Promise<Frame | undefined> {
  if (id === undefined) return undefined;
  const properties = await propertiesOf(session, id);
  const target = boundTarget(properties);
  if (target !== undefined && steps > 0) return placeOf(session, urls, target, steps - 1);
  const location = functionLocation(properties);
  if (!location) return undefined;
  const name = listIn(properties, 'result').find((it) => field(it, 'name') === 'name');
  return frameAt(textIn(field(name, 'value'), 'value') ?? '', urls.get(location.scriptId), location.line);
}
