import type { Case, Rule } from '../../model/finding.ts';
import { nextWith } from '../../model/runs.ts';
import { SocketRows, type Sockets, type SocketTable, UNKNOWN } from '../../model/socket-table.ts';
import { plural } from '../../model/words.ts';
import { isAnswered, orNone } from '../answers.ts';
import { conductOf } from '../conduct.ts';
import { mayBeCopies } from '../copies.ts';
import { servingEvidence } from '../serving.ts';

// The program has read everything, the end included, and did not close: often on an error path that skips the close.
// Nothing is left unread, and the program goes on with its work, so it is not that it could not come to it.
export const missingClose: Rule = {
  cause: 'missing-close',
  judge(subject, snapshot) {
    const { kind, traits, sockets } = subject;
    if (kind !== 'held' || traits?.reception !== 'read' || traits.flow !== 'still') return { kind: 'no' };
    if (traits.interest !== undefined && traits.interest !== 'none' && traits.interest !== 'edge')
      return { kind: 'no' };
    const conduct = conductOf(subject);
    const serving = servingEvidence(subject, conduct);
    const more = conduct !== undefined && sockets.length > conduct.threads;
    const evidence = [
      ...serving,
      ...(more
        ? [
            {
              fact: `${plural(sockets.length, 'socket')} for ${plural(conduct.threads, 'thread')}`,
              says: 'too many to be in the hands of threads that are still at work on them',
            },
          ]
        : []),
    ];
    // Where a runtime reads on behalf of handlers, as Go does, one may still be at work on a request that has no answer yet.
    const pending = traits.interest === 'edge' && !areAnswered(subject);
    const unsure = (serving.length === 0 && !more) || pending || mayBeCopies(subject, snapshot);
    if (unsure || (conduct && conduct.asking >= sockets.length)) {
      return { kind: 'undecided', evidence };
    }
    return { kind: 'yes', confidence: 'likely', evidence };
  },
};

const MOSTLY = 0.8;

/** Whether something was sent back on most: what was read has been answered. */
function areAnswered({ sockets, direction }: Case): boolean {
  const { table, rows } = SocketRows.of(sockets);
  if (nextWith(UNKNOWN, table.bytesAcked, rows, 0, rows.length) < rows.length) return areAnsweredByTimes(sockets);
  return direction !== 'outbound' && countAnswered(table, rows) >= MOSTLY * sockets.length;
}

function countAnswered(table: SocketTable, rows: Uint32Array): number {
  let answered = 0;
  for (let i = 0; i < rows.length; i++) if (isAnswered(table, rows[i] ?? 0)) answered++;
  return answered;
}

/** Of those whose times differ by more than a tick of the kernel's clock, most were sent to after the last data came. */
function areAnsweredByTimes(sockets: Sockets): boolean {
  const { table, rows } = SocketRows.of(sockets);
  const laterBy = (row: number): number => orNone(table.lastDataReceivedMs[row]) - orNone(table.lastDataSentMs[row]);
  return rows.reduce((sum, row) => sum + Math.sign(Math.trunc(laterBy(row) / TICK_MS)), 0) > 0;
}
const TICK_MS = 10;
