import type { Rule } from '../../model/finding.ts';
import { areAllStuck, waitEvidence } from '../waits.ts';

// The program does nothing that could read or close: somebody stopped it (SIGSTOP, Ctrl-Z), a debugger holds it, or all
// its threads wait on connections on which nothing has moved for long, as for a database that does not answer. Its
// clients give up one after the other, and their connections stay. A program with one thread that could still work is
// not judged here.
export const stalled: Rule = {
  cause: 'stalled',
  judge({ kind, process, waits, sockets }) {
    if (kind !== 'held' || !process) return { kind: 'no' };
    const stopped = STOPPED[process.state ?? ''];
    if (stopped) {
      const evidence = [{ fact: `the process is ${stopped}`, says: 'nothing in it runs until it is let go' }];
      // Unread ends came while it did not run, or nobody read before; what it has read, it could have closed.
      const unread = sockets.some(({ recvQueue }) => recvQueue > 0);
      return unread ? { kind: 'yes', confidence: 'proven', evidence } : { kind: 'undecided', evidence };
    }
    if (!waits || !areAllStuck(waits)) return { kind: 'no' };
    return { kind: 'yes', confidence: 'proven', evidence: waitEvidence(waits, process.name) };
  },
};

const STOPPED: Partial<Record<string, string>> = {
  stopped: 'stopped (state T): SIGCONT lets it run on',
  traced: 'stopped by a debugger (state t)',
};
