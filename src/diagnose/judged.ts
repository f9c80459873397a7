import type { Case, Cause, Confidence, Evidence } from '../model/finding.ts';
import type { Listener, TcpSocket } from '../model/socket.ts';

/** What the rules say of a case. */
export type Judged = { cause: Cause; confidence: Confidence; evidence: Evidence[] };
export type Judge = (subject: Case) => Judged;
export type JudgedCase = { subject: Case; judged: Judged };

/** A CLOSE_WAIT socket of a process, with the listener it came in by. */
export type Item = { socket: TcpSocket; inbound: boolean; listener: Listener | undefined };
