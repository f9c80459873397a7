import type { TcpState } from '../../model/socket.ts';

// Spellings without case, `-`, `_` and spaces. German ones are those of Windows and of net-tools; many other
// translations keep the English states.
const SPELLINGS: Record<TcpState, string[]> = {
  ESTABLISHED: ['established', 'estab', 'hergestellt', 'verbunden'],
  SYN_SENT: ['synsent', 'syngesendet'],
  SYN_RECV: ['synrecv', 'synrcvd', 'synreceived', 'synempfangen'],
  FIN_WAIT1: ['finwait1', 'finwarten1'],
  FIN_WAIT2: ['finwait2', 'finwarten2'],
  TIME_WAIT: ['timewait', 'wartend'],
  CLOSE: ['close', 'closed', 'unconn', 'geschlossen'],
  CLOSE_WAIT: ['closewait', 'schliessenwarten', 'schließenwarten'],
  LAST_ACK: ['lastack', 'letzteack'],
  LISTEN: ['listen', 'listening', 'abhören', 'abh\ufffdren'],
  CLOSING: ['closing', 'schliessend', 'schließend'],
  NEW_SYN_RECV: ['newsynrecv'],
  BOUND_INACTIVE: ['bound', 'boundinactive'],
};

const STATES = new Map<string, TcpState>(
  Object.entries(SPELLINGS).flatMap(([state, spellings]) =>
    spellings.map((spelling): [string, TcpState] => [spelling, state as TcpState]),
  ),
);

const seen = new Map<string, TcpState | undefined>();
const MOST_SEEN = 256;
const LONGEST = 20;

/** A state in any spelling: CLOSE_WAIT, CLOSE-WAIT, close_wait, closewait, SCHLIESSEN_WARTEN. */
export function parseState(text: string): TcpState | undefined {
  if (text.length > LONGEST) return undefined;
  const known = seen.get(text);
  if (known !== undefined || seen.has(text)) return known;
  const state = STATES.get(text.toLowerCase().replace(/[-_ ]/g, ''));
  if (seen.size >= MOST_SEEN) seen.clear();
  seen.set(text, state);
  return state;
}

/** Of a word that was cut at the end of its line: `CLOSE_W` can be nothing else. */
export function parseCutState(text: string): TcpState | undefined {
  const start = text.toLowerCase().replace(/[-_]/g, '');
  if (start.length < 4 || text.length > LONGEST) return undefined;
  const states = new Set([...STATES].flatMap(([spelling, state]) => (spelling.startsWith(start) ? state : [])));
  return states.size === 1 ? [...states][0] : undefined;
}
