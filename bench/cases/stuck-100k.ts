import type { Case } from '../case.ts';
import { BY_HAND } from '../commands.ts';

export const stuck100k: Case = {
  name: 'stuck-100k',
  about: 'A leak that has gone all the way: nearly every socket of the machine is stuck.',
  scenarios: [
    { label: '100,000 in CLOSE_WAIT, 6 processes', make: ['--stuck', '100000', '--in', '6'], commands: BY_HAND },
  ],
};
