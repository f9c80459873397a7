import type { Case } from '../case.ts';
import { BY_HAND } from '../commands.ts';

export const fewAmongMany: Case = {
  name: 'few-among-many',
  about: 'A young leak in a busy server. Both ends of the 50,000 connections are on this machine.',
  scenarios: [
    {
      label: '100 in CLOSE_WAIT among 50,000 established',
      make: ['--stuck', '100', '--established', '50000'],
      commands: BY_HAND,
    },
  ],
};
