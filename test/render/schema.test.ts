import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { readCaptures } from '../../src/app/read/read.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { socketRows } from '../../src/diagnose/socket-rows.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import { TCP_STATE } from '../../src/model/socket.ts';
import { renderJson } from '../../src/render/json.ts';
import { aged, endpoint, holding, listener, process, snapshot, socket, sockets, unaccepted } from '../helpers/model.ts';

const SCHEMA = JSON.parse(readFileSync(new URL('../../schema/report.json', import.meta.url), 'utf8'));
const validate: ValidateFunction = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(SCHEMA);

function problems(document: unknown): string[] {
  validate(document);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

function printed(from: Snapshot, withSockets: boolean): Record<string, unknown> {
  const diagnosis = diagnose(from);
  return JSON.parse(renderJson(from, diagnosis, withSockets ? socketRows(diagnosis) : undefined));
}

const HELD = sockets(12, { timer: 'keepalive', timerMs: 5000, cookie: 18_446_744_073_709_551_615n, cgroupId: 77n });
const BACKLOG = unaccepted({ local: endpoint('10.0.0.1:9000') });
const FULL = listener({ local: endpoint('[::]:9000'), family: 6, queue: 129, inode: 901 });
const QUEUE = listener({ local: endpoint('0.0.0.0:9000'), queue: 129, inode: 902 });
const UNOWNED = socket({ inode: 5000, local: endpoint('10.0.0.1:40001'), peer: endpoint('10.0.0.7:5432') });
const TEXT_ONLY = socket({ inode: 6000, local: endpoint('[2001:db8::1]:40002'), peer: endpoint('[2001:db8::2]:443') });
for (const field of ['lastAckReceivedMs', 'lastDataReceivedMs', 'lastDataSentMs', 'uid'] as const)
  delete TEXT_ONLY[field];

/** Every kind of finding at once, and every optional field in one of them. */
const EVERYTHING = snapshot({
  sockets: [...HELD, BACKLOG, UNOWNED, TEXT_ONLY],
  listeners: [listener(), FULL, QUEUE],
  closedButHeld: [{ pid: 900, fd: 7, inode: 7000 }],
  closedButHeldAtMost: 1,
  services: new Map([[5432, 'postgresql']]),
  gaps: [{ code: 'FDS_DENIED', what: '/proc/77/fd: permission denied', effect: 'none', remedy: 'run as root' }],
  processes: [
    process({
      runtime: 'python',
      libraries: [{ name: 'gunicorn' }, { name: 'aiohttp', version: '3.9.1' }],
      unit: 'shop.service',
      container: { engine: 'docker', id: 'a'.repeat(64), name: 'shop' },
      pod: { uid: 'u', name: 'shop-1', namespace: 'prod' },
      threads: 4,
      parent: 1,
      fdHardLimit: Number.POSITIVE_INFINITY,
      sockets: holding(...HELD, listener()),
    }),
    process({ pid: 813, parent: 812, sockets: holding(...HELD) }),
    process({ pid: 900, state: 'stopped', sockets: new Map([[902, [3]]]) }),
    { pid: 77, name: 'bare', sockets: holding(TEXT_ONLY) },
  ],
});

const kindsIn = ({ findings }: ReturnType<typeof diagnose>): string[] =>
  [...new Set(findings.map(({ subject }) => subject.kind))].sort();

test('the snapshot of this test leads to every kind of finding', () => {
  assert.deepEqual(kindsIn(diagnose(EVERYTHING)), ['backlog', 'closed', 'held', 'unowned']);
});

for (const withSockets of [false, true]) {
  test(`every kind of finding fits the schema ${withSockets ? 'with' : 'without'} --sockets`, () => {
    const document = printed(EVERYTHING, withSockets);
    assert.deepEqual(problems(document), []);
    assert.equal('sockets' in document, withSockets);
  });
}

test('a healthy machine, a recording, churn, and a namespace that was not counted fit the schema', () => {
  const { tcpSockets: _, host: _host, ...uncounted } = snapshot();
  const young = socket(aged(500));
  for (const from of [
    snapshot(),
    snapshot({ source: { kind: 'recording', path: '/tmp/leak' } }),
    snapshot({ source: { kind: 'capture', format: 'lsof' } }),
    snapshot({ sockets: [young], processes: [process({ sockets: holding(young) })] }),
    uncounted,
  ])
    assert.deepEqual(problems(printed(from, true)), []);
});

// biome-ignore lint/suspicious/noExplicitAny: a document that is about to be damaged has no type
type Break = (document: any) => void;

const WRONG: Record<string, Break> = {
  'another version': (it) => (it.schema = 'unclosed.report/2'),
  'a field that is missing': (it) => delete it.totals.stuck,
  'a cause that is none': (it) => (it.findings[0].cause = 'bad-luck'),
  'a severity that is none': (it) => (it.status = 'fine'),
  'a confidence as a number': (it) => (it.findings[0].confidence = 0.9),
  'a state with a dash': (it) => (it.sockets[0].state = 'CLOSE-WAIT'),
  'a state that is none in by_state': (it) => (it.totals.by_state.WAIT = 1),
  'a pattern that is none': (it) => (it.findings[0].patterns = ['wave']),
  'a runtime that is none': (it) => (it.findings.find((f: { holder: unknown }) => f.holder).holder.runtime = 'cobol'),
  'a direction that is none': (it) => (it.findings[0].direction = 'sideways'),
  'a port beyond 65535': (it) => (it.sockets[0].peer.port = 65_536),
  'a cookie as a number': (it) => (it.sockets[0].cookie = 1),
  'a negative age': (it) => (it.sockets[0].age.at_least = -1),
  'a time that is no ISO time': (it) => (it.taken_at = 'yesterday'),
  'a recording without a path': (it) => (it.source = { kind: 'recording' }),
  'a gap without a remedy': (it) => delete it.gaps[0].remedy,
};

for (const [what, damage] of Object.entries(WRONG)) {
  test(`${what} does not fit the schema`, () => {
    const document = printed(EVERYTHING, true);
    damage(document);
    assert.notDeepEqual(problems(document), []);
  });
}

test('fields that are not known yet fit the schema', () => {
  assert.deepEqual(problems({ ...printed(EVERYTHING, true), novelty: 1 }), []);
});

test('every field that is printed is described, and states are those of the model', () => {
  const document = printed(EVERYTHING, true);
  assert.deepEqual(undescribed(document, SCHEMA, ''), []);
  assert.deepEqual(SCHEMA.$defs.state.enum, Object.keys(TCP_STATE));
});

// biome-ignore lint/suspicious/noExplicitAny: a JSON Schema nests without end
type Schema = { [key: string]: any };

/** Paths of fields for which no part of the schema has a property. */
function undescribed(value: unknown, schema: Schema, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const parts = partsOf(schema);
  if (Array.isArray(value)) {
    const items = parts.find(({ items }) => items)?.items;
    return items ? value.flatMap((entry) => undescribed(entry, items, `${path}[]`)) : [`${path}[]`];
  }
  return Object.entries(value).flatMap(([key, entry]) => {
    if (parts.some(({ additionalProperties }) => additionalProperties)) return [];
    const described = parts.find(({ properties }) => properties?.[key])?.properties[key];
    return described ? undescribed(entry, described, `${path}.${key}`) : [`${path}.${key}`];
  });
}

function partsOf(schema: Schema): Schema[] {
  const target = schema.$ref ? SCHEMA.$defs[schema.$ref.replace('#/$defs/', '')] : undefined;
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(target ? [target] : [])];
  return [schema, ...inner.flatMap(partsOf)];
}

for (const name of ['ss-tanpieo', 'netstat-antp', 'lsof', 'lsof-p', 'ss-tan']) {
  test(`what is printed of a capture (${name}) is what the schema says`, async () => {
    const path = new URL(`../../fixtures/captures/linux-6.18/${name}.txt`, import.meta.url).pathname;
    const {
      snapshot: seen,
      diagnosis,
      rows,
    } = await readCaptures({ paths: [path, path], input: globalThis.process.stdin });
    const document = JSON.parse(renderJson(seen, diagnosis, rows()));
    assert.deepEqual(problems(document), []);
    assert.equal(document.source.kind, 'capture');
    assert.equal(document.taken_at, null);
    assert.equal(document.host, undefined);
    if (name === 'lsof') for (const { recv_q, inode } of document.sockets) assert.ok(recv_q === null && inode > 0);
    if (name === 'ss-tan')
      for (const { inode, holders } of document.sockets) assert.deepEqual([inode, holders], [null, []]);
  });
}
