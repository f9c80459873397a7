import { ParseError } from '../../model/errors.ts';
import type { Frame, SocketObject } from '../../model/inside.ts';
import type { Endpoint } from '../../model/socket.ts';
import { booleanIn, field, isText, listIn, numberIn, textIn } from './values.ts';

/** What src/runtimes/node/collect.ts has read in a program, in our words. */
export type Report = {
  version?: string;
  objects: SocketObject[];
  pools: { name: string; detail?: string }[];
  /** Sockets that were found and not read, for want of time. */
  left: number;
  /** How long the program stood still for it. */
  pauseMs?: number;
};

/** `places` are those of the functions that were given with the report, by their number there. */
export function parseReport(text: string, places: readonly (Frame | undefined)[]): Report {
  const report = parsed(text);
  const placeOf = placesByText(listIn(report, 'texts'), places);
  const rows = listIn(report, 'rows');
  const version = textIn(report, 'version');
  const pauseMs = numberIn(report, 'tookMs');
  return {
    ...(version !== undefined && { version }),
    objects: rows.map((row) => socketObject(row, placeOf)),
    pools: poolsOf(report),
    left: Math.max(0, (numberIn(report, 'found') ?? rows.length) - rows.length),
    ...(pauseMs !== undefined && { pauseMs }),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ParseError('report of a Node.js process', `no JSON: ${text.slice(0, 80)}`);
  }
}

type PlaceOf = (text: number, exact: number) => Frame | undefined;

/**
 * Where a function stands. One of which only the text is known stands where all of the same text do that were looked up, or
 * nobody knows.
 */
function placesByText(texts: readonly unknown[], places: readonly (Frame | undefined)[]): PlaceOf {
  const shared = texts.map((samples): Frame | undefined => {
    const found = (Array.isArray(samples) ? samples : []).map((index) => places[index]);
    const [first] = found;
    return first && found.every((it) => it && it.file === first.file && it.line === first.line) ? first : undefined;
  });
  return (text, exact) => (exact >= 0 ? places[exact] : shared[text]);
}

const CLASSES = new Map([
  ['Socket', 'net.Socket'],
  ['TLSSocket', 'tls.TLSSocket'],
]);

function socketObject(row: unknown, placeOf: PlaceOf): SocketObject {
  const type = textIn(row, 'type') ?? 'Socket';
  const isBelow = textIn(row, 'consumed') === 'layer';
  const fd = numberIn(row, 'fd');
  const request = textIn(row, 'request');
  const handlers = handlersOf(row, placeOf);
  return {
    type: CLASSES.get(type) ?? type,
    ...(fd !== undefined && fd >= 0 && { fd }),
    ...present('local', endpoint(field(row, 'local'))),
    ...present('peer', endpoint(field(row, 'peer'))),
    ...(!isBelow && stateOf(row)),
    ...present('pool', poolOf(field(row, 'pool'))),
    ...(request !== undefined && { referredBy: [`http.ClientRequest ${request}`] }),
    ...(handlers.length > 0 && { handlers }),
  };
}

/** Of a socket below TLS or HTTP/2 the stream above knows this, which could not be reached. */
function stateOf(row: unknown): Partial<SocketObject> {
  const stream = field(row, 'stream');
  return {
    ...present('endDelivered', booleanIn(stream, 'ended')),
    ...reading(row, stream),
    ...present('writableEnded', booleanIn(row, 'writableEnded')),
    ...present('allowHalfOpen', booleanIn(row, 'allowHalfOpen')),
    ...present('destroyed', booleanIn(row, 'destroyed')),
  };
}

const present = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };

function endpoint(value: unknown): Endpoint | undefined {
  const address = textIn(value, 'address');
  const port = numberIn(value, 'port');
  if (address === undefined || port === undefined) return undefined;
  return { address: address.replace(/^::ffff:(?=[0-9.]+$)/, ''), port };
}

/**
 * How it is read. `flowing` is null before anybody reads, and false when reading was switched off or goes by 'readable'.
 * Of a request that has its response, the response is what is read.
 */
function reading(row: unknown, stream: unknown): Pick<SocketObject, 'paused' | 'neverRead' | 'bufferedBytes'> {
  const response = field(row, 'response');
  const buffered = [stream, response].map((it) => numberIn(it, 'length'));
  const bufferedBytes = buffered.reduce<number>((sum, length) => sum + (length ?? 0), 0);
  const bytes = buffered[0] === undefined ? {} : { bufferedBytes };
  const body = response ?? stream;
  if (textIn(row, 'consumed') === 'parser' && response === undefined) return bytes;
  const isUnread = (it: unknown): boolean => numberIn(it, 'readers') === 0;
  return {
    ...present('paused', pausedOf([stream, response], isUnread)),
    ...(field(body, 'flowing') === null && isUnread(body) && { neverRead: booleanIn(body, 'ended') === false }),
    ...bytes,
  };
}

function pausedOf(streams: unknown[], isUnread: (it: unknown) => boolean): boolean | undefined {
  const known = streams.filter((it) => booleanIn(it, 'paused') !== undefined);
  return known.length === 0 ? undefined : known.some((it) => booleanIn(it, 'paused') === true && isUnread(it));
}

function poolOf(value: unknown): SocketObject['pool'] {
  const name = textIn(value, 'name');
  return name === undefined ? undefined : { name, ...present('idle', booleanIn(value, 'idle')) };
}

/** Those of the runtime itself are left out: every socket has them, and they tell nothing of the program. */
function handlersOf(row: unknown, placeOf: PlaceOf): { event: string; place: Frame }[] {
  return listIn(row, 'handlers').flatMap((entry) => {
    const [event, text, exact] = Array.isArray(entry) ? entry : [];
    if (!isText(event) || typeof text !== 'number' || typeof exact !== 'number') return [];
    const place = placeOf(text, exact);
    return place && place.origin !== 'runtime' ? [{ event, place }] : [];
  });
}

function poolsOf(report: unknown): Report['pools'] {
  const agents = listIn(report, 'agents').flatMap((agent) => {
    const name = textIn(agent, 'name');
    const counts = ['used', 'idle', 'waiting'].map((key) => numberIn(agent, key) ?? 0);
    if (name === undefined || counts.every((count) => count === 0)) return [];
    const [used = 0, idle = 0, waiting = 0] = counts;
    const facts = [
      `${used} in use`,
      `${idle} idle`,
      ...(waiting > 0 ? [`${waiting} requests wait for one`] : []),
      ...option('keepAlive', booleanIn(agent, 'keepAlive')),
      ...option('maxSockets', numberIn(agent, 'maxSockets')),
      ...option('maxFreeSockets', numberIn(agent, 'maxFreeSockets')),
      ...option('timeout', numberIn(agent, 'timeoutMs'), ' ms'),
    ];
    return [{ name, detail: facts.join(', ') }];
  });
  const undici = numberIn(report, 'undici') ?? 0;
  if (undici > 0) agents.push({ name: 'undici', detail: `${undici} connections of fetch and its dispatcher` });
  return agents;
}

const option = (name: string, value: boolean | number | undefined, unit = ''): string[] =>
  value === undefined ? [] : [`${name} ${value}${unit}`];
