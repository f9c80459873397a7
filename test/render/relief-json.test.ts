import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { RELIEF_ACTIONS, type ReliefPlan, type ReliefResult } from '../../src/model/relief.ts';
import { type ReliefAnswer, renderReliefJson } from '../../src/render/relief-json.ts';
import { process, snapshot, sockets } from '../helpers/model.ts';

const SCHEMA = JSON.parse(readFileSync(new URL('../../schema/relief.json', import.meta.url), 'utf8'));
const validate: ValidateFunction = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(SCHEMA);

function problems(document: unknown): string[] {
  validate(document);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

const NOTHING_LEFT_OUT = { young: 0, unsure: 0, used: 0, shared: 0 };
const bare: ReliefPlan = {
  cause: 'accept-backlog',
  confidence: 'likely',
  stuck: 3,
  peers: [],
  decision: { kind: 'refused', why: 'nobody has accepted them', instead: ['--action terminate'] },
  selection: { sockets: [], leftOut: NOTHING_LEFT_OUT },
  olderThanMs: 60_000,
};
const acting: ReliefPlan = {
  ...bare,
  process: process({
    unit: 'shop.service',
    container: { engine: 'podman', id: 'ab'.repeat(32), name: 'shop' },
    startedAt: 1_795_728_984.76,
    openFds: 700,
    fdLimit: Number.POSITIVE_INFINITY,
  }),
  cause: 'not-reading',
  confidence: 'proven',
  oldestMs: 11_520_500,
  perHour: 75.26,
  fullInMs: 15_120_000,
  peers: [{ address: '10.0.0.7', sockets: 2 }],
  decision: { kind: 'act', action: 'shutdown', why: 'it is told', notices: ['EPIPE'], willNot: ['stop the leak'] },
  selection: {
    sockets: sockets(2).map((socket, index) => ({ socket, fd: 7 + index })),
    leftOut: { young: 1, unsure: 2, used: 3, shared: 4 },
  },
  fdLimit: { from: 1024, to: 2048 },
};
const result: ReliefResult = {
  shown: acting,
  plan: { ...acting },
  deed: {
    pid: 812,
    action: 'shutdown',
    acted: [1000],
    left: { 'gone meanwhile': 1 },
    failed: 'broken off',
    restarted: { name: 'shop.service', runs: true, state: 'active (running)' },
  },
  before: { alive: true, openFds: 700, fdLimit: 1024, halted: false, closeWait: new Set([1000, 1001]), closedHeld: 0 },
  after: { alive: true, closeWait: new Set([1001, 1002]) },
  verdict: { result: 'failed', text: 'ended 1 of 1 connection' },
  notKept: 'the disk is full',
};
const EVERYTHING: ReliefAnswer = {
  result: 'failed',
  plans: [acting, bare],
  olderThanMs: 60_000,
  results: [result],
  evidence: {
    recording: '/var/lib/unclosed/evidence/1',
    inspected: [{ pid: 812, path: '/var/lib/unclosed/evidence/1/inspect-812.json' }],
    missed: [{ pid: 813, why: 'no answer in 5 s' }],
  },
  log: '/var/lib/unclosed/actions.jsonl',
};
// biome-ignore lint/suspicious/noExplicitAny: a document that is looked into, and damaged, has no type
const printed = (answer: ReliefAnswer): any => JSON.parse(renderReliefJson(answer, snapshot()));

test('an answer with everything in it, one without a process, and an empty one fit the schema', () => {
  assert.deepEqual(problems(printed(EVERYTHING)), []);
  assert.deepEqual(problems(printed({ result: 'refused', plans: [bare], olderThanMs: 1500 })), []);
  assert.deepEqual(problems(printed({ result: 'nothing', plans: [], olderThanMs: 60_000 })), []);
});

test('every action fits the schema', () => {
  for (const action of RELIEF_ACTIONS) {
    const plan: ReliefPlan = { ...acting, decision: { kind: 'act', action, why: '', notices: [], willNot: [] } };
    assert.deepEqual(problems(printed({ result: 'dry-run', plans: [plan], olderThanMs: 60_000 })), [], action);
  }
});

test('times are seconds, and what is not known is null', () => {
  const { older_than, plans } = printed(EVERYTHING);
  const [first, second] = plans;
  assert.deepEqual([older_than, first.oldest, first.full_in, first.per_hour], [60, 11_520.5, 15_120, 75.3]);
  assert.deepEqual(first.process.fds, { open: 700, limit: null });
  assert.equal(first.process.started_at, '2026-11-26T21:36:24.760Z');
  assert.deepEqual([second.process, second.oldest, second.full_in, second.outcome], [null, null, null, null]);
  assert.deepEqual(first.outcome.after, {
    alive: true,
    fds: null,
    fd_limit: null,
    halted: null,
    close_wait: 2,
    closed_but_held: null,
  });
  assert.deepEqual([first.outcome.appeared, first.outcome.restarted.pid], [1, null]);
});

test('a process that has ended has no connections, and not none of them', () => {
  const gone: ReliefResult = { ...result, after: { alive: false, closeWait: new Set() } };
  const { plans } = printed({ ...EVERYTHING, results: [gone] });
  assert.deepEqual([plans[0].outcome.after.alive, plans[0].outcome.after.close_wait], [false, null]);
});

// biome-ignore lint/suspicious/noExplicitAny: as above
const WRONG: Record<string, (document: any) => void> = {
  'another version': (it) => (it.schema = 'unclosed.relief/2'),
  'a result that is none': (it) => (it.result = 'ok'),
  'an action that is none': (it) => (it.plans[0].action = 'reboot'),
  'a cause that is none': (it) => (it.plans[0].cause = 'bad-luck'),
  'a field that is missing': (it) => delete it.plans[0].outcome,
  'a negative time': (it) => (it.plans[0].oldest = -1),
  'a port beyond 65535': (it) => (it.plans[0].sockets[0].peer.port = 65_536),
  'a pid of 0': (it) => (it.plans[0].process.pid = 0),
  'an outcome that is none': (it) => (it.plans[0].outcome.result = 'dry-run'),
};

for (const [what, damage] of Object.entries(WRONG)) {
  test(`the schema refuses ${what}`, () => {
    const document = printed(EVERYTHING);
    damage(document);
    assert.notDeepEqual(problems(document), []);
  });
}
