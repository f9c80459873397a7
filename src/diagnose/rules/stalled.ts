import type { Rule } from '../../model/finding.ts';
import { areAllStuck, waitEvidence } from '../waits.ts';

// The program does nothing that could read or close: somebody stopped it (SIGSTOP, Ctrl-Z), a debugger holds it, or all
// its threads wait on connections on which nothing has moved for long, as for a database that does not answer. Its
// clients give up one after the other, and their connections stay. A program with one thread that could still work is
// not judged here.
export const stalled: Rule = {
  cause: 'stalled',
  judge({ kind, process, waits }) {
    if (kind !== 'held' || !process) return { kind: 'no' };
    if (process.state === 'stopped') {
      return {
        kind: 'yes',
        confidence: 'proven',
        evidence: [{ fact: 'the process is stopped (state T)', says: 'nothing in it runs until it gets SIGCONT' }],
      };
    }
    if (process.state === 'traced') {
      return {
        kind: 'yes',
        confidence: 'proven',
        evidence: [
          { fact: 'the process is stopped by a debugger (state t)', says: 'nothing in it runs until that lets it go' },
        ],
      };
    }
    if (!waits || !areAllStuck(waits)) return { kind: 'no' };
    return { kind: 'yes', confidence: 'proven', evidence: waitEvidence(waits, process.name) };
  },
};
