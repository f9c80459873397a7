import type { Case, Scenario } from '../case.ts';
import { BY_HAND_IN_EACH_NAMESPACE } from '../commands.ts';

const eachWithOneStuck = (namespaces: number): Scenario => ({
  label: `${namespaces} network namespaces, each with 1 in CLOSE_WAIT`,
  make: ['--namespaces', String(namespaces)],
  commands: BY_HAND_IN_EACH_NAMESPACE,
});

export const namespaces: Case = {
  name: 'namespaces',
  about: 'How the cost grows with containers. The tools of today see one namespace, so they run once for each.',
  scenarios: [1, 10, 100].map(eachWithOneStuck),
};
