import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { viewsOf } from '../../src/diagnose/inside/views.ts';
import { socketRows } from '../../src/diagnose/socket-rows.ts';
import type { Inside } from '../../src/model/inside.ts';
import type { LogFindings } from '../../src/model/logs.ts';
import { renderInspectJson } from '../../src/render/inspect-json.ts';
import { frame, inside, objectFor, strand } from '../helpers/inside.ts';
import { endpoint, NOW, process } from '../helpers/model.ts';
import { inbound, snapshotOf } from '../helpers/scene.ts';

const schema = (name: string) =>
  new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(
    JSON.parse(readFileSync(new URL(`../../schema/${name}.json`, import.meta.url), 'utf8')),
  );
const [INSPECT, REPORT] = [schema('inspect'), schema('report')];

const STUCK = inbound(12);
const LOGS: LogFindings = {
  outputs: { stdout: '/var/log/app.log' },
  sources: [
    {
      kind: 'file',
      name: '/var/log/app.log',
      stream: 'stdout',
      fd: 1,
      lines: 10,
      bytes: 800,
      size: 900,
      from: NOW,
      to: NOW,
      rotated: 2,
    },
    { kind: 'journal', name: 'shop.service', lines: 0, bytes: 0 },
  ],
  messages: [
    {
      id: 'too-many-open-files',
      kind: 'descriptors',
      says: 'no descriptor was left',
      count: 3,
      first: NOW,
      last: NOW,
      perMinute: [{ at: NOW, count: 3 }],
      example: 'accept: Too many open files',
      source: '/var/log/app.log',
    },
  ],
  gaps: [{ code: 'LOGS_UNREADABLE', what: 'a', effect: 'b', remedy: 'c' }],
};

/** Every field once. */
const EVERYTHING: Inside = inside({
  depth: 'deep',
  runtime: 'java',
  version: '17.0.15',
  strands: [
    strand(['com.shop.Cache.get Cache.java:31', 'run java.lang.Thread.run'], {
      name: 'exec-1',
      tid: 813,
      count: 2,
      state: 'WAITING',
      sinceMs: 1500,
      createdBy: frame('main.main main.go:3'),
      kernelState: 'sleeping',
      call: {
        name: 'recvfrom',
        kind: 'receive',
        on: [
          {
            fd: 4,
            for: 'read',
            inode: 7,
            state: 'ESTABLISHED',
            local: endpoint('10.0.0.1:1'),
            peer: endpoint('10.0.0.2:2'),
          },
        ],
        onCount: 1,
        timeoutMs: 3000,
        futex: { address: '7f00', waiters: 2, owner: 814 },
      },
      busy: 0.5,
      sleepsIn: 'do_wait',
      waitsFor: { lock: '<0x1>', owner: 'exec-2' },
      holdsInterpreter: false,
    }),
    { kind: 'goroutine', frames: [] },
  ],
  deadlocks: [{ strands: ['a', 'b'] }],
  objects: STUCK.map((it, i) =>
    objectFor(i, it, {
      local: it.local,
      endDelivered: true,
      pool: { name: 'agent' },
      handlers: [{ event: 'end', place: frame('onEnd app.js:1') }],
      created: [frame('make app.js:2')],
      referredBy: ['dict'],
    }),
  ),
  objectsComplete: true,
  endReads: [{ peer: endpoint('10.0.0.5:40000'), frames: [frame('read')], agoMs: 2000 }],
  watchedMs: 5000,
  classes: [{ name: 'java.net.Socket', count: 3 }],
  pools: [{ name: 'HikariCP' }],
  epoll: [{ fd: 5, watched: 4, stuck: [{ inode: 1000, events: 1 }] }],
  unwatched: [1001],
  attachments: [{ what: 'thread dump', tookMs: 20, pauseMs: 5 }],
  gaps: [{ code: 'INSIDE_CUT', what: 'a', effect: 'b', remedy: 'c' }],
});

function printed(seen: Inside, logs?: LogFindings) {
  const snapshot = snapshotOf({ stuck: STUCK });
  const diagnosis = diagnose(snapshot, undefined, new Map([[812, seen]]));
  const inspection = { process: process(), inside: seen, strands: viewsOf(seen, snapshot), ...(logs && { logs }) };
  return JSON.parse(renderInspectJson(snapshot, diagnosis, [inspection], socketRows(diagnosis)));
}

const LOOKS: Record<string, ReturnType<typeof printed>> = {
  everything: printed(EVERYTHING, LOGS),
  'next to nothing': printed(inside()),
};

for (const [what, document] of Object.entries(LOOKS)) {
  test(`a look that has ${what} fits the schema, and the report in it fits its own`, () => {
    assert.equal(INSPECT(document), true, JSON.stringify(INSPECT.errors));
    assert.equal(REPORT(document.report), true, JSON.stringify(REPORT.errors));
  });
}

test('what nobody looked at is null, and what was looked for and not found is empty', () => {
  const [nothing] = printed(inside({ objects: [] })).inside;
  assert.equal(nothing.strands, null);
  assert.deepEqual(nothing.objects, []);
  assert.equal(nothing.logs, null);
});

test('times are seconds, and gaps of the logs are among those of the process', () => {
  const [{ watched, strands, gaps, attachments }] = printed(EVERYTHING, LOGS).inside;
  assert.deepEqual([watched, strands[0].since, strands[0].call.timeout, attachments[0].took], [5, 1.5, 3, 0.02]);
  assert.deepEqual(
    gaps.map(({ code }: { code: string }) => code),
    ['INSIDE_CUT', 'LOGS_UNREADABLE'],
  );
});

test('the lines of code of a finding are in the report', () => {
  const [{ code }] = printed(EVERYTHING).report.findings;
  assert.deepEqual([code[0].role, code[0].frame.function], ['read-end', 'read']);
});

test('a field that is missing does not fit the schema', () => {
  for (const damage of [
    (it: ReturnType<typeof printed>) => delete it.inside[0].strands[0].frames,
    (it: ReturnType<typeof printed>) => (it.inside[0].depth = 'abyss'),
    (it: ReturnType<typeof printed>) => (it.schema = 'unclosed.inspect/2'),
  ]) {
    const document = printed(EVERYTHING, LOGS);
    damage(document);
    assert.equal(INSPECT(document), false);
  }
});
