import type { Case, Scenario } from '../case.ts';
import { ours } from '../commands.ts';

const WAYS = ['bpf', 'bpf-generic', 'netlink', 'procfs'].map((source) => ours('--source', source));

const readInAllWays = (label: string, ...make: string[]): Scenario => ({ label, make, commands: WAYS });

/** The order in which they are tried was chosen by these numbers. */
export const sources: Case = {
  name: 'sources',
  about: 'Our own ways to find sockets and their holders: --source bpf, bpf-generic, netlink, procfs.',
  scenarios: [
    readInAllWays('1,000 in CLOSE_WAIT, 6 processes', '--stuck', '1000', '--in', '6'),
    readInAllWays('100,000 in CLOSE_WAIT, 6 processes', '--stuck', '100000', '--in', '6'),
    readInAllWays('100 in CLOSE_WAIT among 50,000 established', '--stuck', '100', '--established', '50000'),
  ],
};
