import type { Case, Scenario } from '../case.ts';
import { BY_HAND, ours } from '../commands.ts';

const amongFiles = (files: number): Scenario => ({
  label: `100 in CLOSE_WAIT, ${files.toLocaleString('en')} other descriptors in the same 4 processes`,
  make: ['--stuck', '100', '--in', '4', '--files', String(files)],
  commands: [ours('--source', 'netlink'), ...BY_HAND],
});

export const files: Case = {
  name: 'files',
  about: 'What a descriptor costs that is none of our business.',
  scenarios: [10_000, 50_000].map(amongFiles),
};
