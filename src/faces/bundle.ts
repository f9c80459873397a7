import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Bundle, collect } from '../app/bundle.ts';
import { UnclosedError } from '../model/errors.ts';
import { formatNumber } from '../model/words.ts';
import { renderBundleIndex } from '../render/bundle-index.ts';
import { renderInspectJson } from '../render/inspect-json.ts';
import { isoTime, jsonText, renderJson } from '../render/json.ts';
import { type ArchivedFile, tarOf } from '../render/tar.ts';
import type { Paint } from '../render/text.ts';
import { command, usage } from './command.ts';
import { EXIT } from './exit.ts';
import { INSPECTING, inspectPage, readInspect } from './inspect.ts';
import type { Output } from './output.ts';
import { write } from './report.ts';

const HELP = `unclosed bundle PID [-o FILE.tar.gz]: everything that whoever maintains the program asks
back for, in one archive: the report, a recording, what was seen inside the process,
excerpts of its logs, versions, limits and kernel parameters, with an index to paste into
an issue (README.md). Only reads, unless --attach or --deep are given: unclosed help
inspect.

What is left out: the environment of the process, always; what options on command lines
were given; names of users and of the host; addresses (loopback stays). The same one is
replaced by the same stand-in everywhere. Names of programs, units, containers, files of
code and functions stay: look before you send it.

  -o, --output FILE              the archive (default: unclosed-PID-TIME.tar.gz); - is
                                 standard output
      --keep-addresses           leave addresses as they are
  -p, --pid PID                  the process (may be given several times)
      --attach                   ask its runtime as well
      --deep                     also what takes a noticeable pause, or some seconds
      --pprof URL                where a Go program serves net/http/pprof
      --no-logs                  without excerpts of its logs
      --stuck-after DURATION     how long in CLOSE_WAIT is stuck (default 60s)
      --config FILE              read limits from this file as well
  -n, --numeric                  no names of services

Exit codes
  0 written   2 could not look, or not write   70 a fault of unclosed

Examples
  sudo unclosed bundle 812
  ssh db-1 sudo unclosed bundle 812 -o - > leak.tar.gz
`;

const OPTIONS = {
  ...INSPECTING,
  output: { type: 'string', short: 'o' },
  'keep-addresses': { type: 'boolean' },
} as const;

/** Writes the archive. What it is called is the last line on standard output, or on standard error where that is the archive. */
export const bundleCommand = command(HELP, OPTIONS, async (values, positionals, surroundings) => {
  const { stdout, stderr } = surroundings;
  const toStdout = values.output === '-';
  if (toStdout && stdout.isTTY)
    throw usage('an archive is nothing for a terminal', 'unclosed bundle PID -o FILE.tar.gz');
  const { options, done } = await readInspect(values, positionals, surroundings);
  if (!toStdout) requireNew(values.output ?? DEFAULT_PLACE);
  let bundle: Bundle;
  try {
    bundle = await collect({ ...options, keepAddresses: values['keep-addresses'] ?? false });
  } finally {
    done();
  }
  const time = isoTime(bundle.seen.snapshot.takenAt / 1000);
  const name = `unclosed-${options.pids.join('-')}-${time.replace(/[-:]|\..*/g, '')}`;
  const archive = await packed(name, filesOf(bundle, time));
  const path = values.output ?? `${name}.tar.gz`;
  if (toStdout) await writeBytes(stdout, archive);
  else writeNew(path, archive);
  await write(
    toStdout ? stderr : stdout,
    `wrote ${toStdout ? 'the archive' : path} (${formatNumber(Math.ceil(archive.length / 1024))} kB): ${name}/README.md is its index\n` +
      `names of programs, units and functions are in it${values['keep-addresses'] ? ', and addresses' : ''}: look before you send it\n`,
  );
  return EXIT.nothing;
});

const plain: Paint = (_style, text) => text;

function filesOf({ seen, surroundings, recording, scrub }: Bundle, time: string): ArchivedFile[] {
  const { snapshot, diagnosis, inspections } = seen;
  const rows = seen.rows();
  const page = scrub(inspectPage(seen, { width: 80, paint: plain, all: true }));
  const short = scrub(inspectPage(seen, { width: 80, paint: plain, all: false }));
  // Each text for itself: across the marks of JSON, an escaped line break would be the first letter of a name.
  const json = (text: string): string =>
    jsonText(JSON.parse(text, (_key, value) => (typeof value === 'string' ? scrub(value) : value)));
  return [
    { name: 'README.md', data: renderBundleIndex(short, surroundings, inspections, time, scrub) },
    { name: 'inspect.txt', data: page },
    { name: 'inspect.json', data: json(renderInspectJson(snapshot, diagnosis, inspections, rows)) },
    { name: 'report.json', data: json(renderJson(snapshot, diagnosis, rows)) },
    { name: 'machine.json', data: `${JSON.stringify(surroundings, null, 2)}\n` },
    ...recording.map(({ name, bytes }) => ({ name: `recording/${name}`, data: bytes })),
  ];
}

async function packed(folder: string, files: ArchivedFile[]): Promise<Uint8Array> {
  const named = files.map(({ name, data }) => ({ name: `${folder}/${name}`, data }));
  return promisify(gzip)(tarOf(named, Date.now()));
}

const DEFAULT_PLACE = 'unclosed.tar.gz';

/** Before anything is done to the process, for nothing if there is no place for the archive. */
function requireNew(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    throw unwritable(path, (error as Error).message, error);
  }
  if (path !== DEFAULT_PLACE && existsSync(path)) throw unwritable(path, 'is there already');
}

const unwritable = (path: string, why: string, cause?: unknown): UnclosedError =>
  new UnclosedError(
    'BUNDLE_WRITE',
    `${path}: ${why}`,
    'name a new file in a folder that you may write to: -o FILE.tar.gz',
    { cause },
  );

/** It holds what not everybody shall read, and does not replace what somebody else has put there. */
function writeNew(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(path, bytes, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw unwritable(path, (error as Error).message, error);
  }
}

const writeBytes = (stdout: Output, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    stdout.write(bytes, () => resolve());
  });
