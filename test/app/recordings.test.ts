import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { look } from '../../src/app/look.ts';
import { DEFAULT_LIMITS } from '../../src/model/finding.ts';
import { renderReport } from '../../src/render/report.ts';
import { renderSocketsTable } from '../../src/render/sockets-table.ts';
import { assertGolden } from '../helpers/golden.ts';

// Each folder of fixtures/recordings is one stuck program, captured once by scripts/record.ts, with the program's own
// word on what it did (truth.json) and the report that we expect (report.txt).

const FOLDER = 'fixtures/recordings';
const absolute = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

// Most of these programs have one thread and no epoll set: what is not read stays with that thread.
const CAUSES: Record<string, string> = {
  'missing-close': 'missing-close',
  'nasty-name': 'missing-close',
  keepalive: 'missing-close',
  unread: 'stalled',
  outbound: 'stale-pool',
  // Its peers acknowledge what it wrote long after their FIN.
  'late-ack': 'half-close',
  // The server that made the connections holds them too.
  inherited: 'missing-close',
  'write-only': 'not-reading',
  blocked: 'stalled',
  'never-accepted': 'accept-backlog',
  'closed-but-held': 'closed-but-held',
  stopped: 'stalled',
};

for (const name of readdirSync(absolute(FOLDER))) {
  test(`${name}: the recording gives the same causes, holders and report`, async () => {
    const { snapshot, diagnosis, rows } = await look({ from: absolute(`${FOLDER}/${name}/raw`), stuckAfterMs: 0 });
    const truth = JSON.parse(readFileSync(absolute(`${FOLDER}/${name}/truth.json`), 'utf8'));
    const found = diagnosis.findings.filter(({ cause }) => cause !== 'churn');
    assert.equal(found.length, 1);
    assert.equal(found[0]?.cause, CAUSES[truth.case] ?? 'unknown');
    const { subject } = found[0] ?? assert.fail();
    assert.equal(subject.closedFds + subject.sockets.length, truth.count);
    assert.deepEqual(
      subject.sockets
        .map(({ inode }) => inode)
        .filter(Boolean)
        .sort(),
      truth.case === 'closed-but-held' ? [] : truth.inodes.sort(),
    );

    const page = renderReport({ ...snapshot, source: { kind: 'recording', path: name } }, diagnosis, {
      width: 80,
      paint: (_style, text) => text,
      limits: { ...DEFAULT_LIMITS, stuckAfterMs: 0 },
      all: false,
      verbose: true,
      again: '',
    });
    assertGolden(`${FOLDER}/${name}/report.txt`, `${page}\n${renderSocketsTable(rows())}`);
  });
}
