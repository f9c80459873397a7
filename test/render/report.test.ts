import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import { DEFAULT_LIMITS, type Diagnosis, type Finding } from '../../src/model/finding.ts';
import type { Gap, Snapshot } from '../../src/model/snapshot.ts';
import type { ReportOptions } from '../../src/render/options.ts';
import { renderReport } from '../../src/render/report.ts';
import { assertGolden } from '../helpers/golden.ts';
import {
  aged,
  caseOf,
  diagnosisOf,
  endpoint,
  findingOf,
  holding,
  listener,
  process,
  snapshot,
  socket,
  sockets,
  times,
  unaccepted,
} from '../helpers/model.ts';

const OPTIONS: ReportOptions = {
  width: 80,
  paint: (_style, text) => text,
  limits: DEFAULT_LIMITS,
  all: false,
  verbose: false,
  again: '',
};

const render = (diagnosis: Diagnosis, of: Snapshot = snapshot(), options: Partial<ReportOptions> = {}): string =>
  renderReport(of, diagnosis, { ...OPTIONS, ...options });
const reportOn = (of: Snapshot, options: Partial<ReportOptions> = {}): string => render(diagnose(of), of, options);
const renderOne = (fields: Partial<Finding> = {}): string => render(diagnosisOf([findingOf(fields)]));

/** Lines that are wider than the page although they could have been broken. */
const tooWide = (page: string, width = 80): string[] =>
  page.split('\n').filter((line) => [...line].length > width && line.trim().includes(' '));

const gap = (fields: Partial<Gap> = {}): Gap => ({
  code: 'FDS_DENIED',
  what: '/proc/PID/fd of 3 processes (pid 77, 78, 79): permission denied',
  effect: '3 sockets in this report may belong to one of them',
  remedy: 'run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH',
  ...fields,
});

test('a healthy machine is two lines', () => {
  assert.equal(
    reportOn(snapshot()),
    `unclosed  db-1 · Linux 6.18 · 42 TCP sockets, 18 processes, 1 namespace · 0.09 s
Nothing stuck: looked at 42 TCP sockets of 18 processes in 1 network namespace.
`,
  );
});

test('young connections are no finding, and are counted in a sentence', () => {
  const page = reportOn(snapshot({ sockets: sockets(3, aged(100)) }));
  assert.match(page, /^Nothing stuck: .*\n3 connections in CLOSE_WAIT for less than 1 min: normal\s+churn\.$/m);
  assert.match(reportOn(snapshot({ sockets: sockets(3, aged(100)) }), { all: true }), /^OK .* churn$/m);
});

test('after the tenth finding the rest is summed up, and --all shows it', () => {
  const findings = times(13, (i) =>
    findingOf({ subject: caseOf({ process: process({ pid: 100 + i }), sockets: sockets(i + 1) }) }),
  );
  const page = render(diagnosisOf(findings));
  assert.equal(page.match(/^WARNING/gm)?.length, 10);
  assert.match(page, /^and 3 more findings with 36 sockets: --all shows them$/m);
  assert.equal(render(diagnosisOf(findings), snapshot(), { all: true }).match(/^WARNING/gm)?.length, 13);
});

test('ten findings are all shown', () => {
  assert.doesNotMatch(render(diagnosisOf(times(10, () => findingOf()))), /more finding/);
});

test('gaps of one kind are one, with the number of the others', () => {
  const page = render(diagnosisOf([], { gaps: [gap(), gap(), gap({ code: 'PARSE' }), gap()] }));
  assert.equal(page.match(/^Not seen/gm)?.length, 2);
  assert.match(page.replace(/\n */g, ' '), /\(and 2 more of this kind\) \[FDS_DENIED\]/);
});

test('a severity of ok is a note, not an alarm', () => {
  assert.match(renderOne({ severity: 'ok', crossed: [] }), /^NOTE {2}gunicorn/m);
  assert.match(renderOne({ severity: 'critical' }), /^CRITICAL {2}gunicorn/m);
});

test('the cause stands at the right edge of the first line', () => {
  const line = renderOne({ cause: 'stalled' })
    .split('\n')
    .find((it) => it.startsWith('WARNING'));
  assert.equal(line?.length, 80);
  assert.ok(line?.endsWith(' stalled'));
});

test('an age that is not exact is told with both bounds', () => {
  const age = { oldestMs: 3600_000, oldestAtMostMs: 7200_000, medianMs: 1, youngestMs: 1 };
  assert.match(renderOne({ age: { ...age, exact: false } }), /the oldest for 1 h to 2 h/);
  assert.doesNotMatch(renderOne({ age: { ...age, oldestAtMostMs: 3600_000, exact: true } }), / to 2 h/);
});

test('the filters in force are said, and where a recording came from', () => {
  const recording = snapshot({ source: { kind: 'recording', path: '/tmp/rec' } });
  assert.match(reportOn(recording), /^recording \/tmp\/rec, taken 2026-11-20 03:12:44 UTC$/m);
  assert.match(reportOn(snapshot(), { filter: 'pid 812' }), /^only pid 812$/m);
});

test('with --verbose it says how it was read', () => {
  assert.match(reportOn(snapshot(), { verbose: true }), /NETLINK_SOCK_DIAG/);
  assert.doesNotMatch(reportOn(snapshot()), /NETLINK_SOCK_DIAG/);
});

test('with --verbose the limits that are not the default are told, with where they come from', () => {
  const changed = [{ name: 'warning_age', value: '10 min', source: '--warning-age' }];
  const told = (options: Partial<ReportOptions>): string =>
    render(diagnosisOf([]), snapshot(), { verbose: true, ...options });
  assert.match(told({ changed: [] }), /^limits: the defaults$/m);
  const page = told({ changed, files: ['/etc/unclosed/config.toml'] });
  assert.match(page, /^limits: the defaults but warning_age 10 min \(--warning-age\)$/m);
  assert.match(page, /^configuration: \/etc\/unclosed\/config\.toml$/m);
});

test('a limit that does not count is told with the reason', () => {
  const page = renderOne({ severity: 'ok', crossed: [], harmless: 'the pool is bounded', cause: 'stale-pool' });
  assert.match(page, /^ {4}no alarm: the pool is bounded$/m);
});

test('paint changes nothing but the styles', () => {
  const findings = diagnosisOf([findingOf(), findingOf({ severity: 'critical' })], { gaps: [gap()] });
  const painted = render(findings, snapshot(), { paint: (style, text) => `<${style}>${text}</>` });
  assert.equal(painted.replace(/<[a-z]*>|<\/>/g, ''), render(findings));
  assert.match(painted, /<critical>CRITICAL<\/>/);
});

test('the first line of a large machine fits into 80 columns', () => {
  for (const [tcpSockets, processCount, count] of [
    [420, 187, 3],
    [102_000, 12_345, 250],
    [1_048_576, 100_000, 1000],
  ] as const) {
    const namespaces = times(count, (id) => ({ id, read: true }));
    const page = reportOn(
      snapshot({
        tcpSockets,
        processCount,
        namespaces,
        tookMs: 12_340,
        host: { name: 'a-host-with-a-long-name.example.com', kernel: '6.18.4' },
      }),
    );
    assert.deepEqual(tooWide(page), []);
  }
});

test('the path of a recording and the filters do not widen the page', () => {
  const page = reportOn(snapshot({ source: { kind: 'recording', path: `/srv/${'folder/'.repeat(12)}` } }), {
    filter: 'pid 812, '.repeat(12),
  });
  assert.deepEqual(tooWide(page), []);
});

// Whatever a program, a container or a file can be called.
const name = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 120 }),
  fc.string({
    unit: fc.constantFrom('\u001b', '[', '2', 'J', '\n', '\r', '\t', ' ', 'x', '\u009b', '\u202e'),
    maxLength: 60,
  }),
);

const arbitraryPage = fc
  .record({
    name,
    unit: name,
    container: name,
    host: name,
    fact: name,
    says: name,
    why: name,
    what: name,
    peer: name,
    path: name,
    filter: name,
  })
  .chain((names) =>
    fc.record({ names: fc.constant(names), kind: fc.constantFrom('held', 'backlog', 'unowned', 'closed' as const) }),
  )
  .map(({ names, kind }) => {
    const holder = process({
      name: names.name,
      unit: names.unit,
      container: { engine: 'docker', id: 'abc', name: names.container },
    });
    const finding = findingOf({
      subject: caseOf({
        kind: kind as 'held',
        process: holder,
        ...(kind === 'backlog' && { listener: listener() }),
        direction: 'outbound',
        peers: [
          { address: '10.0.0.7', port: 5432, service: 'postgresql', sockets: 1, process: { pid: 1, name: names.peer } },
        ],
      }),
      evidence: [{ fact: names.fact, says: names.says }],
      next: [{ why: names.why }, { command: 'unclosed 812 --sockets', why: 'lists' }],
    });
    const of = snapshot({
      host: { name: names.host, kernel: '6.18.4' },
      source: { kind: 'recording', path: names.path },
    });
    return render(diagnosisOf([finding], { gaps: [gap({ what: names.what })] }), of, { filter: names.filter });
  });

test('whatever names there are, no control character but the newline reaches the output', () => {
  fc.assert(
    fc.property(arbitraryPage, (page) =>
      assert.doesNotMatch(page, /[^\n\P{Cc}]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/u),
    ),
  );
});

test('whatever names there are, no line that can be broken is wider than 80 columns', () => {
  fc.assert(
    fc.property(arbitraryPage, (page) => {
      const body = page.slice(page.indexOf('\n\n')); // the first lines have tests of their own
      assert.deepEqual(tooWide(body), []);
    }),
  );
});

test('a recording cannot send control characters through the name of its kernel or of a service', () => {
  const clearScreen = '\u001b[2J';
  const out = socket({ local: endpoint('10.0.0.1:50000'), peer: endpoint('10.0.0.7:5432') });
  const processes = [process({ sockets: holding(out) })];
  const byKernel = snapshot({ host: { name: 'a', kernel: clearScreen } });
  const byService = snapshot({ sockets: [out], processes, services: new Map([[5432, clearScreen]]) });
  for (const it of [byKernel, byService]) assert.doesNotMatch(reportOn(it), /\u001b/);
});

test('a peer and its number of sockets stay on one line', () => {
  const peers = times(5, (i) => ({ address: `10.100.100.10${i}`, sockets: 34 }));
  for (const { address } of peers) assert.ok(renderOne({ subject: caseOf({ peers }) }).includes(`${address}: 34`));
});

const leaking = (count: number, fields: Parameters<typeof socket>[0] = {}) => {
  const all = times(count, (i) =>
    socket({
      inode: 1000 + i,
      peer: endpoint(`10.0.0.${5 + (i % 7)}:${40_000 + i}`),
      ...aged(60_000 + i * 48_000 + ((i * 7919) % 45_000)), // as irregular as people are
      ...fields,
    }),
  );
  return {
    all,
    holder: process({ runtime: 'python', unit: 'shop.service', openFds: 700, sockets: holding(...all, listener()) }),
  };
};

const golden = (title: string, of: Snapshot): void => {
  test(`the report on ${title} is the golden one`, () => {
    const page = reportOn(of);
    assertGolden(`fixtures/golden/report-${title.replaceAll(' ', '-')}.txt`, page);
    assert.deepEqual(
      page.split('\n').filter((line) => line !== line.trimEnd()),
      [],
    );
  });
};

const { all, holder } = leaking(240);
golden(
  'a leak',
  snapshot({ sockets: all, listeners: [listener()], processes: [holder], services: new Map([[8000, 'http']]) }),
);
golden(
  'a stopped process',
  snapshot({ sockets: all, listeners: [listener()], processes: [{ ...holder, state: 'stopped' }] }),
);
golden(
  'a full accept queue',
  snapshot({
    sockets: times(129, (i) => unaccepted({ peer: endpoint(`10.0.0.5:${i + 1}`), ...aged(60_000 + i * 1000) })),
    listeners: [listener({ queue: 129 })],
    processes: [process({ sockets: holding(listener()) })],
  }),
);
golden(
  'closed but held',
  snapshot({ closedButHeld: times(130, (i) => ({ pid: 812, fd: i, inode: i + 1 })), processes: [holder] }),
);
golden('sockets without a holder', snapshot({ sockets: all, gaps: [gap()] }));
golden('churn alone', snapshot({ sockets: sockets(4, aged(20)) }));
golden(
  'outbound connections',
  snapshot({
    sockets: times(12, (i) =>
      socket({
        inode: 1000 + i,
        recvQueue: 1,
        local: endpoint(`10.0.0.1:${50_000 + i}`),
        peer: endpoint('10.0.0.7:5432'),
      }),
    ),
    services: new Map([[5432, 'postgresql']]),
    processes: [process({ name: 'node', runtime: 'node', sockets: holding(...sockets(12)) })],
  }),
);
golden(
  'a shared leak of unknown age',
  snapshot({
    sockets: sockets(5, { timer: 'keepalive', timerMs: 900, lastAckReceivedMs: 800 }),
    listeners: [listener()],
    processes: [holder, process({ pid: 900, name: 'worker', startedAt: 2e9, sockets: holding(...sockets(5)) })],
  }),
);
