import type { Gap } from '../../model/snapshot.ts';
import type { TcpSocket } from '../../model/socket.ts';
import { plural } from '../../model/words.ts';
import type { CaptureText } from '../../parse/captures/capture.ts';
import type { CaptureFormat } from '../../parse/captures/row.ts';
import type { MergedCaptures } from './sockets.ts';

/** The one command that tells most, by the system the capture is from. */
export function bestCommand({ captures }: CaptureText): string {
  const formats = new Set<CaptureFormat>(captures.map(({ format }) => format));
  if (formats.has('netstat-windows')) return 'netstat -anob (as administrator)';
  // Only other systems than Linux print the kernel's address of a socket.
  const addresses = captures.some(({ rows }) => rows.some(({ device }) => device !== undefined));
  return addresses || formats.has('netstat-bsd') ? 'sudo lsof -nP -iTCP' : 'sudo ss -tanpieo';
}

const QUOTED = 60;

export function linesLost({ errorCount, errors }: CaptureText): Gap {
  const first = errors[0]?.message.slice(0, QUOTED + 40) ?? '';
  return {
    code: 'CAPTURE_LINES',
    what: `${plural(errorCount, 'line')} not understood, the first: ${first}`,
    effect: 'what they tell is not in this report',
    remedy: 'text around a capture does no harm; --verbose lists these lines',
  };
}

export const stateAssumed = (rows: number): Gap => ({
  code: 'CAPTURE_NO_STATE',
  what: `the states of ${plural(rows, 'connection')}: ss prints no State column when it is asked for one state`,
  effect: 'they are taken as CLOSE_WAIT',
  remedy: 'if another state was asked for, take it again: sudo ss -tanpi',
});

export const notAllSeen = (): Gap => ({
  code: 'CAPTURE_NOT_ALL',
  what: 'processes of other users: the capture was not taken as root',
  effect: 'connections without a process may belong to one of them',
  remedy: 'take it again as root',
});

export const unidentified = (descriptors: number): Gap => ({
  code: 'CAPTURE_LACKS',
  what: `${plural(descriptors, 'descriptor')} of sockets that lsof could not identify`,
  effect: 'they may be TCP connections that have ended and whose descriptors are still held',
  remedy: 'run unclosed on that machine, or a newer lsof, which says "protocol: TCP"',
});

/** What a diagnosis of these sockets needs and the capture does not tell, in one gap. */
export function lacking(
  text: CaptureText,
  stuck: TcpSocket[],
  { sockets }: MergedCaptures,
  hasEarlier: boolean,
): Gap[] {
  if (stuck.length === 0) return [];
  const named = sockets.some(({ holders }) => holders.length > 0);
  const absent = [
    ...(named ? [] : ['processes']),
    ...(stuck.every(({ recvQueue }) => recvQueue === undefined) ? ['Recv-Q'] : []),
    ...(!hasEarlier && stuck.every((it) => it.lastAckReceivedMs === undefined) ? ['ages'] : []),
  ];
  if (absent.length === 0) return [];
  const again = absent.includes('ages')
    ? ', or read a second capture beside this one: unclosed read FIRST SECOND --between 5m'
    : '';
  return [
    {
      code: 'CAPTURE_LACKS',
      what: `${listed(absent)}, which this capture does not tell`,
      effect: `it stays open ${effects(absent, plural(stuck.length, 'connection'))}`,
      remedy: `run on that machine: ${bestCommand(text)}${again}`,
    },
  ];
}

const listed = (words: string[]): string => [words.slice(0, -1).join(', '), words.at(-1)].filter(Boolean).join(' and ');

const effects = (absent: string[], those: string): string =>
  listed([
    ...(absent.includes('processes') ? [`whose the ${those} in CLOSE_WAIT are`] : []),
    ...(absent.includes('Recv-Q') ? ['whether they were read'] : []),
    ...(absent.includes('ages') ? ['how old they are'] : []),
  ]);
