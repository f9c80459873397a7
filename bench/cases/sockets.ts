import type { Case, Scenario } from '../case.ts';
import { BY_HAND } from '../commands.ts';

const stuckInSix = (sockets: number): Scenario => ({
  label: `${sockets.toLocaleString('en')} in CLOSE_WAIT, 6 processes`,
  make: ['--stuck', String(sockets), '--in', '6'],
  commands: BY_HAND,
});

export const sockets: Case = {
  name: 'sockets',
  about: 'How the cost grows with the leak.',
  scenarios: [100, 1_000, 10_000, 100_000].map(stuckInSix),
};
