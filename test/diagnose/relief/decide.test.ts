import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../src/diagnose/relief/decide.ts';
import { CAUSES, type Case, type Cause, type Confidence, type Finding } from '../../../src/model/finding.ts';
import type { Container, Process } from '../../../src/model/process.ts';
import { type Circumstances, type Decision, RELIEF_ACTIONS } from '../../../src/model/relief.ts';
import { caseOf, findingOf, process, sockets, unaccepted } from '../../helpers/model.ts';

const HERE: Circumstances = {
  socketsOnly: false,
  uid: 0,
  mayRaiseAny: true,
  mostFds: 1_048_576,
  ours: new Set([1, 77]),
};

const PLENTY = { open: 20, limit: 1024 };
const SCARCE = { open: 900, limit: 1024 };

type Scene = {
  cause: Cause;
  confidence?: Confidence;
  holder?: Partial<Process>;
  subject?: Partial<Case>;
  fds?: Finding['fds'];
};

function finding({ cause, confidence = 'proven', holder = {}, subject = {}, fds = PLENTY }: Scene): Finding {
  const kind = cause === 'accept-backlog' ? 'backlog' : cause === 'closed-but-held' ? 'closed' : 'held';
  const held = cause === 'accept-backlog' ? [unaccepted()] : cause === 'closed-but-held' ? [] : sockets(5);
  return findingOf({
    cause,
    confidence,
    fds,
    subject: caseOf({
      kind,
      sockets: held,
      closedFds: kind === 'closed' ? 5 : 0,
      process: process({
        openFds: fds.open,
        ...(fds.limit !== undefined && { fdLimit: fds.limit }),
        fdHardLimit: 4096,
        unit: 'shop.service',
        ...holder,
      }),
      ...subject,
    }),
  });
}

const WATCHED = { traits: { reception: 'end', interest: 'off', flow: 'still', olderThanHolder: false } } as const;

const told = (decision: Decision): string => (decision.kind === 'act' ? decision.action : decision.kind);

const ALL: readonly Confidence[] = ['proven', 'likely', 'undecided'];

// What is chosen for each cause, with descriptors enough and scarce.
const CHOICES: Record<Cause, [enough: string, scarce: string]> = {
  'missing-close': ['refused', 'raise-fd-limit'],
  forgotten: ['refused', 'raise-fd-limit'],
  'not-reading': ['refused', 'raise-fd-limit'],
  'stale-pool': ['nothing', 'nothing'],
  stalled: ['refused', 'raise-fd-limit'],
  'accept-backlog': ['refused', 'refused'],
  'inherited-fd': ['refused', 'raise-fd-limit'],
  'proxy-leg': ['refused', 'raise-fd-limit'],
  'closed-but-held': ['refused', 'raise-fd-limit'],
  'half-close': ['nothing', 'nothing'],
  churn: ['nothing', 'nothing'],
  unknown: ['refused', 'raise-fd-limit'],
};

for (const cause of CAUSES) {
  for (const confidence of ALL) {
    test(`${cause}, ${confidence}: ${CHOICES[cause].join(', with few descriptors left ')}`, () => {
      assert.equal(told(decide(finding({ cause, confidence }), HERE)), CHOICES[cause][0]);
      assert.equal(told(decide(finding({ cause, confidence, fds: SCARCE }), HERE)), CHOICES[cause][1]);
    });
  }
}

test('a refusal says why, and what helps instead, the gentlest first', () => {
  const decision = decide(finding({ cause: 'missing-close' }), HERE);
  assert.ok(decision.kind === 'refused');
  assert.match(decision.why, /descriptors stay/);
  assert.deepEqual(
    decision.instead.map((it) => it.split(' ').slice(0, 2).join(' ')),
    ['--action restart-unit', '--action terminate', '--action shutdown'],
  );
});

test('what stops a process is undone whatever the cause is, unless there is nothing to do', () => {
  for (const cause of CAUSES) {
    const harmless = cause === 'churn' || cause === 'half-close';
    for (const confidence of ALL) {
      assert.equal(
        told(decide(finding({ cause, confidence, holder: { state: 'stopped' } }), HERE)),
        harmless ? 'nothing' : 'resume',
      );
      assert.equal(
        told(decide(finding({ cause, confidence, holder: { frozen: true } }), HERE)),
        harmless ? 'nothing' : 'thaw',
      );
      assert.equal(
        told(decide(finding({ cause, confidence, holder: { state: 'traced' } }), HERE)),
        harmless ? 'nothing' : 'refused',
      );
    }
  }
});

test('connections are ended without being asked to only where a proven cause and a watching loop come together', () => {
  for (const cause of CAUSES) {
    for (const confidence of ALL) {
      for (const subject of [{}, WATCHED]) {
        const action = told(decide(finding({ cause, confidence, subject }), HERE));
        const may =
          confidence === 'proven' && subject === WATCHED && (cause === 'not-reading' || cause === 'proxy-leg');
        assert.equal(action === 'shutdown', may, `${cause} ${confidence}`);
        assert.ok(!['destroy', 'keepalive', 'restart-unit', 'restart-container'].includes(action));
      }
    }
  }
});

test('what is written and not taken is not held back by an orderly end', () => {
  const clogged = { traits: { ...WATCHED.traits, flow: 'clogged' } } as const;
  assert.equal(told(decide(finding({ cause: 'not-reading', subject: clogged }), HERE)), 'refused');
});

test('a process that only holds inherited copies is ended when that is proven', () => {
  const copies = { siblings: [], traits: { ...WATCHED.traits, interest: 'none', olderThanHolder: true } } as const;
  for (const confidence of ALL) {
    const action = told(decide(finding({ cause: 'inherited-fd', confidence, subject: copies }), HERE));
    assert.equal(action, confidence === 'proven' ? 'terminate' : 'refused');
  }
  const atWork = { ...copies, siblings: sockets(1).map((it) => ({ socket: it, inbound: true })) };
  assert.equal(told(decide(finding({ cause: 'inherited-fd', subject: atWork }), HERE)), 'refused');
  const maker = { ...copies, traits: { ...copies.traits, olderThanHolder: false } };
  assert.equal(told(decide(finding({ cause: 'inherited-fd', subject: maker }), HERE)), 'refused');
});

test('a full accept queue is helped by descriptors only when there is none left', () => {
  assert.equal(
    told(decide(finding({ cause: 'accept-backlog', fds: { open: 1024, limit: 1024 } }), HERE)),
    'raise-fd-limit',
  );
});

test('a limit that will be reached within a day is scarce too', () => {
  const soon = { open: 20, limit: 1024, fullInMs: 3600_000 };
  assert.equal(told(decide(finding({ cause: 'unknown', fds: soon }), HERE)), 'raise-fd-limit');
});

test('the limit is raised only as far as rights go, and never under a program in select()', () => {
  const scarce = { cause: 'unknown', fds: SCARCE } as const;
  const user = { ...HERE, mayRaiseAny: false };
  assert.equal(told(decide(finding(scarce), user)), 'refused'); // of another user
  assert.equal(told(decide(finding(scarce), { ...user, uid: 33 })), 'raise-fd-limit');
  assert.equal(told(decide(finding({ ...scarce, holder: { fdHardLimit: 1024 } }), { ...user, uid: 33 })), 'refused');
  const selecting = { threadList: [{ tid: 1, wait: { call: 'pselect6', kind: 'events' } }] } satisfies Partial<Process>;
  assert.equal(told(decide(finding({ ...scarce, holder: selecting }), HERE)), 'refused');
  const named = decide(finding({ ...scarce, holder: selecting }), { ...HERE, wanted: 'raise-fd-limit' });
  assert.ok(named.kind === 'refused' && /select\(\)/.test(named.why));
});

test('whatever is asked for by name, nobody cuts off the branch that unclosed sits on', () => {
  for (const wanted of RELIEF_ACTIONS) {
    for (const pid of [1, 77]) {
      const decision = decide(finding({ cause: 'unknown', holder: { pid, frozen: true } }), {
        ...HERE,
        wanted,
        socketsOnly: true,
      });
      assert.equal(told(decision), 'refused', `${wanted} ${pid}`);
    }
  }
  const own = { ...HERE, ownUnit: 'shop.service', ownContainer: 'c'.repeat(64) };
  assert.equal(told(decide(finding({ cause: 'unknown' }), { ...own, wanted: 'restart-unit' })), 'refused');
  const container = { engine: 'docker', id: 'c'.repeat(64) } as const;
  const inOwn = finding({ cause: 'unknown', holder: { container } });
  assert.equal(told(decide(inOwn, { ...own, wanted: 'restart-container' })), 'refused');
});

const REFUSED: [what: string, wanted: (typeof RELIEF_ACTIONS)[number], scene: Scene, why: RegExp][] = [
  ['never-accepted connections', 'destroy', { cause: 'accept-backlog' }, /accept queue taken/],
  ['closed connections', 'shutdown', { cause: 'closed-but-held' }, /have ended already/],
  ['connections in use', 'shutdown', { cause: 'half-close' }, /legal/],
  ['young connections', 'destroy', { cause: 'churn' }, /young/],
  ['connections that nobody waits on', 'destroy', { cause: 'forgotten' }, /keep every descriptor/],
  ['a process that runs', 'resume', { cause: 'stalled' }, /not stopped/],
  ['a process that is not frozen', 'thaw', { cause: 'stalled' }, /not frozen/],
  [
    'a paused container',
    'thaw',
    { cause: 'stalled', holder: { frozen: true, container: { engine: 'docker', id: 'ab12' } } },
    /engine/,
  ],
  ['a scope', 'restart-unit', { cause: 'unknown', holder: { unit: 'session-3.scope' } }, /no service/],
  ["a user's manager", 'restart-unit', { cause: 'unknown', holder: { unit: 'user@1000.service' } }, /no service/],
  [
    'a unit in a container',
    'restart-unit',
    { cause: 'unknown', holder: { container: { engine: 'nspawn', id: 'x' } } },
    /container/,
  ],
  ['a process in no container', 'restart-container', { cause: 'unknown' }, /no container/],
  [
    'a container of Kubernetes',
    'restart-container',
    { cause: 'unknown', holder: { container: { engine: 'containerd', id: 'x' } } },
    /only Docker and Podman/,
  ],
  [
    'a container of Docker that Kubernetes runs',
    'restart-container',
    { cause: 'unknown', holder: { container: { engine: 'docker', id: 'x' }, pod: { name: 'shop-1' } } },
    /Kubernetes runs this container/,
  ],
  [
    'a paused container of Podman',
    'restart-container',
    { cause: 'unknown', holder: { frozen: true, container: { engine: 'podman', id: 'x' } } },
    /restarts no paused container/,
  ],
  ['a stopped process', 'terminate', { cause: 'stalled', holder: { state: 'stopped' } }, /orderly/],
];

for (const [what, wanted, scene, why] of REFUSED) {
  test(`${wanted} is refused on ${what}`, () => {
    const decision = decide(finding(scene), { ...HERE, wanted });
    assert.ok(decision.kind === 'refused', told(decision));
    assert.match(decision.why, why);
  });
}

test('who has paused a container is told how to let it run on', () => {
  const unpause = (engine: Container['engine'], id = 'a'.repeat(64)): string[] => {
    const paused = finding({ cause: 'stalled', holder: { frozen: true, container: { engine, id } } });
    const decision = decide(paused, HERE);
    return decision.kind === 'refused' ? decision.instead : [told(decision)];
  };
  assert.deepEqual(unpause('podman'), ['podman unpause aaaaaaaaaaaa']);
  assert.match(unpause('containerd').join(), /^ctr --namespace k8s\.io tasks resume a{64}/);
  assert.deepEqual(unpause('lxc', 'mail'), ['lxc-unfreeze -n mail']);
  assert.match(unpause('cri-o').join(), /the tool that has paused it/);
});

test('the restart that is named is the one that whoever runs the program would do', () => {
  const first = (holder: Partial<Process>): string | undefined => {
    const decision = decide(finding({ cause: 'missing-close', holder }), HERE);
    return decision.kind === 'refused' ? decision.instead[0] : told(decision);
  };
  const podman = { engine: 'podman', id: 'x' } as const;
  assert.equal(first({}), '--action restart-unit (shop.service)');
  assert.equal(first({ container: podman }), '--action restart-unit (shop.service)'); // Quadlet
  assert.equal(first({ container: { engine: 'docker', id: 'x' } }), '--action restart-container');
  const pod = { name: 'shop-1', namespace: 'prod' };
  assert.equal(
    first({ container: { engine: 'containerd', id: 'x' }, pod }),
    'kubectl delete pod shop-1 --namespace prod',
  );
  const asked = decide(finding({ cause: 'unknown', holder: { container: podman } }), {
    ...HERE,
    wanted: 'restart-unit',
  });
  assert.equal(told(asked), 'restart-unit');
});

test('--sockets-only ends what nobody waits on, but nothing that is young, legal, closed or not accepted', () => {
  for (const cause of CAUSES) {
    for (const wanted of ['shutdown', 'destroy', 'keepalive'] as const) {
      const never = ['churn', 'half-close', 'closed-but-held', 'accept-backlog'].includes(cause);
      const decision = decide(finding({ cause }), { ...HERE, wanted, socketsOnly: true });
      assert.equal(told(decision), never ? 'refused' : wanted);
    }
  }
});

test('every action says what the program notices and what it does not do', () => {
  for (const wanted of RELIEF_ACTIONS) {
    const state = wanted === 'resume' ? ({ state: 'stopped' } as const) : wanted === 'thaw' ? { frozen: true } : {};
    const container = wanted === 'restart-container' ? { container: { engine: 'docker', id: 'ab12' } as const } : {};
    const decision = decide(finding({ cause: 'unknown', holder: { ...state, ...container } }), {
      ...HERE,
      wanted,
      socketsOnly: true,
    });
    assert.ok(decision.kind === 'act', `${wanted}: ${told(decision)}`);
    assert.ok(decision.notices.length > 0 && decision.willNot.length > 0);
  }
});

test('that a limit above 1023 is no matter for select() is said where it is crossed', () => {
  const notices = (fds: Finding['fds']): string => {
    const decision = decide(finding({ cause: 'unknown', fds }), { ...HERE, wanted: 'raise-fd-limit' });
    return decision.kind === 'act' ? decision.notices.join() : told(decision);
  };
  assert.match(notices(SCARCE), /select\(\)/);
  assert.doesNotMatch(notices({ open: 1900, limit: 2048 }), /select\(\)/);
});

test('without a known process nothing is done', () => {
  const { process: _none, ...subject } = caseOf({ kind: 'unowned' });
  assert.equal(told(decide(findingOf({ subject }), { ...HERE, wanted: 'terminate' })), 'refused');
  assert.equal(told(decide(findingOf({ subject }), HERE)), 'refused');
});
