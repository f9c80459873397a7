import type { Case } from '../case.ts';
import { BY_HAND } from '../commands.ts';

export const idle: Case = {
  name: 'idle',
  about: 'A healthy machine: what it costs to look and find nothing.',
  scenarios: [{ label: 'nothing stuck, 50 established', make: ['--established', '50'], commands: BY_HAND }],
};
