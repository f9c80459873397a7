import { ParseError } from '../model/errors.ts';
import { TCP_STATE } from '../model/socket.ts';
import { addressAt } from './transitions.ts';

/** Where the fields of the trace event inet_sock_set_state are, as its file `format` says, and its number. */
export type TransitionFormat = { id: number; pid: number; socket: number; oldState: number; newState: number };

const FIELDS = { pid: 'common_pid', socket: 'skaddr', oldState: 'oldstate', newState: 'newstate' } as const;

/** Reads events/sock/inet_sock_set_state/format (Documentation/trace/events.rst). */
export function parseTransitionFormat(text: string): TransitionFormat {
  const id = Number(/^ID: ([0-9]+)$/m.exec(text)?.[1]);
  if (Number.isNaN(id)) throw new ParseError('inet_sock_set_state/format', 'no ID');
  const offsetOf = (field: string): number => {
    const match = new RegExp(`field:[^;]*\\b${field};\\s*offset:([0-9]+);`).exec(text);
    if (!match) throw new ParseError('inet_sock_set_state/format', `no field ${field}`);
    return Number(match[1]);
  };
  return {
    id,
    pid: offsetOf(FIELDS.pid),
    socket: offsetOf(FIELDS.socket),
    oldState: offsetOf(FIELDS.oldState),
    newState: offsetOf(FIELDS.newState),
  };
}

// A page of trace_pipe_raw (events/header_page, events/header_event): u64 time, u64 of which the low 20 bits are the
// bytes that follow, then entries. Flags of the size say that events were lost before this page.
const HEADER_SIZE = 16;
const SIZE_MASK = 0xfffff;
const MISSED_EVENTS = 0x80000000;
// Types of an entry (include/linux/ring_buffer.h); smaller ones are its length in words, 0 has the length behind it.
const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;

export type TracePageSink = {
  entered(socket: number): void;
  /** `tid` is the thread that closed it, as the first pid namespace numbers it. */
  left(socket: number, tid: number): void;
};

/** Hands on the entries and exits of one page. Gives whether events were lost before it. */
export function readTracePage(bytes: Uint8Array, format: TransitionFormat, sink: TracePageSink): boolean {
  if (bytes.length < HEADER_SIZE) throw new ParseError('trace page', `${bytes.length} bytes are no header`);
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const commit = data.getUint32(8, true);
  const end = HEADER_SIZE + (commit & SIZE_MASK);
  if (end > bytes.length) throw new ParseError('trace page', `${end} bytes announced, ${bytes.length} there`);
  for (let at = HEADER_SIZE; at + 4 <= end; ) {
    const header = data.getUint32(at, true);
    const type = header & 31;
    if (type === TIME_EXTEND || type === TIME_STAMP) {
      at += 8;
      continue;
    }
    if (type === PADDING && header >>> 5 === 0) break; // nothing more on this page
    const long = type === 0 || type === PADDING;
    if (long && at + 8 > end) throw new ParseError('trace page', `an entry at ${at} is cut short`);
    const next = long ? at + 4 + data.getUint32(at + 4, true) : at + 4 + type * 4;
    if (next <= at || next > end) throw new ParseError('trace page', `the entry at ${at} ends at ${next} of ${end}`);
    if (type !== PADDING) readEntry(data, long ? at + 8 : at + 4, next, format, sink);
    at = next;
  }
  return (commit & MISSED_EVENTS) !== 0;
}

function readEntry(data: DataView, at: number, end: number, format: TransitionFormat, sink: TracePageSink): void {
  const { id, pid, socket, oldState, newState } = format;
  if (at + Math.max(pid + 4, socket + 8, oldState + 4, newState + 4) > end) return;
  if (data.getUint16(at, true) !== id) return;
  const address = addressAt(data, at + socket);
  if (data.getInt32(at + newState, true) === TCP_STATE.CLOSE_WAIT) sink.entered(address);
  else if (data.getInt32(at + oldState, true) === TCP_STATE.CLOSE_WAIT)
    sink.left(address, data.getInt32(at + pid, true));
}
