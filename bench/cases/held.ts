import type { Case, Scenario } from '../case.ts';
import { ours } from '../commands.ts';

const SEARCHES = ['never', 'auto', 'always'].map((search) => ours('--held', search));

const searched = (label: string, ...make: string[]): Scenario => ({ label, make, commands: SEARCHES });

/** The default of --held was chosen by these numbers. */
export const held: Case = {
  name: 'held',
  about: 'What it costs to look for descriptors of closed sockets: --held never, auto (the default), always.',
  scenarios: [
    searched('nothing stuck, 50 established', '--established', '50'),
    searched('5,000 idle processes, 100 in CLOSE_WAIT', '--stuck', '100', '--idle', '5000'),
    searched('100 in CLOSE_WAIT among 50,000 established', '--stuck', '100', '--established', '50000'),
  ],
};
