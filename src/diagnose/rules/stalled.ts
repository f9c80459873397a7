import type { Rule } from '../../model/finding.ts';

// The program does not run, so it can neither read nor close: somebody stopped it (SIGSTOP, Ctrl-Z), or a debugger
// holds it. Peers give up one after the other, and their connections stay. Blocked threads are not judged here yet.
export const stalled: Rule = {
  cause: 'stalled',
  judge({ kind, process }) {
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
    return { kind: 'no' };
  },
};
