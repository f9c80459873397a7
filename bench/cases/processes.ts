import type { Case, Scenario } from '../case.ts';
import { BY_HAND } from '../commands.ts';

const with100Stuck = (processes: number): Scenario => ({
  label: `${processes.toLocaleString('en')} idle processes, 100 in CLOSE_WAIT`,
  make: ['--stuck', '100', '--idle', String(processes)],
  commands: BY_HAND,
});

export const processes: Case = {
  name: 'processes',
  about: 'How the cost grows with processes that have nothing to do with it.',
  scenarios: [10, 1_000, 5_000].map(with100Stuck),
};
