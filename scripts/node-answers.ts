// Writes fixtures/node/: what the inspector of a Node.js answers when a leaking program is asked, one file per version and
// case, for test/runtimes/node/questions.test.ts, and the program as it was then.
//   node scripts/node-answers.ts /path/to/node…
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Inspector, type Session } from '../src/runtimes/node/inspector.ts';
import { askSockets, loopTurns, runningFrames } from '../src/runtimes/node/questions.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = `${root}fixtures/node`;
const OPTIONS = { wanted: [], most: 1000, budgetMs: 1000 };

type Entry = { method: string; result?: unknown; error?: string; events?: { method: string; params: unknown }[] };

/** A session that writes down what it is answered. Scripts are told by events while the debugger is switched on. */
function recording(session: Session): { session: Session; entries: Entry[] } {
  const entries: Entry[] = [];
  const events: { method: string; params: unknown }[] = [];
  session.on('Debugger.scriptParsed', (params) => events.push({ method: 'Debugger.scriptParsed', params }));
  session.on('Debugger.paused', (params) => entries.push({ method: 'paused', result: params }));
  return {
    entries,
    session: {
      on: (event, listener) => session.on(event, listener),
      async send<T>(method: string, params: object, timeoutMs: number): Promise<T> {
        const entry: Entry = { method };
        entries.push(entry);
        try {
          const result = await session.send<T>(method, params, timeoutMs);
          entry.result = result;
          if (method === 'Debugger.enable') entry.events = events.splice(0);
          return result;
        } catch (error) {
          entry.error = (error as Error).message;
          throw error;
        }
      },
    },
  };
}

const KEPT = /^(?:[0-9]+|name|report|functions|\[\[FunctionLocation\]\]|\[\[TargetFunction\]\])$/;
const DROPPED = [
  'description',
  'configurable',
  'enumerable',
  'writable',
  'isOwn',
  'scopeChain',
  'this',
  'privateProperties',
];

/** Without the text of functions, and without properties and scripts that nobody looks at. */
function shortened(entries: Entry[]): Entry[] {
  const text = JSON.stringify(entries, (key, value) => {
    if (DROPPED.includes(key)) return undefined;
    const isProperties = (key === 'result' || key === 'internalProperties') && Array.isArray(value);
    return isProperties ? value.filter(({ name }) => KEPT.test(name)) : value;
  });
  const used = new Set([...text.matchAll(/"scriptId":"([0-9]+)","lineNumber"/g)].map(([, id]) => id));
  return (JSON.parse(text.replaceAll(root, '/srv/shop/')) as Entry[]).map((entry) => ({
    ...entry,
    ...(entry.events && {
      events: entry.events.flatMap(({ method, params }) => {
        const { scriptId, url } = params as { scriptId: string; url: string };
        return used.has(scriptId) ? [{ method, params: { scriptId, url } }] : [];
      }),
    }),
  }));
}

async function record(node: string, name: string, everywhere: boolean): Promise<void> {
  const child = spawn(node, ['--inspect=0', `${root}workloads/node/inside.mjs`, name], { stdio: 'pipe' });
  try {
    let text = '';
    const url = await new Promise<RegExpExecArray>((resolve) => {
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (piece) => {
          text += piece;
          const found = /ws:\/\/127\.0\.0\.1:([0-9]+)\/([0-9a-f-]+)/.exec(text);
          if (found && text.includes('READY')) resolve(found);
        });
    });
    const dial = async () => connect(Number(url[1]), '127.0.0.1');
    const inspector = await Inspector.connect(dial, url[2] ?? '');
    const { session, entries } = recording(inspector);
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (!(await loopTurns(session))) await runningFrames(session);
    const { version } = await askSockets(session, OPTIONS, everywhere);
    await inspector.close(1000);
    const file = `${version?.split('.')[0]}-${name}${everywhere ? '-everywhere' : ''}.json`;
    writeFileSync(
      `${folder}/${file}`,
      `${shortened(entries)
        .map((entry) => JSON.stringify(entry))
        .join('\n')}\n`,
    );
    console.log(file);
  } finally {
    child.kill('SIGKILL');
  }
}

mkdirSync(folder, { recursive: true });
copyFileSync(`${root}workloads/node/inside.mjs`, `${folder}/inside.mjs`);
for (const node of process.argv.slice(2)) {
  await record(node, 'pooled', false);
  await record(node, 'unread', false);
  await record(node, 'paused', false);
  await record(node, 'busy', false);
  if (node === process.argv[2]) await record(node, 'pooled', true);
}
