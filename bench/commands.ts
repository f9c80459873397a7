import { fileURLToPath } from 'node:url';
import type { Command, World } from './case.ts';

const BIN = fileURLToPath(new URL('../dist/bin.cjs', import.meta.url));

/**
 * Our command line. Without --stuck-after our young sockets were ordinary churn, whose holders nobody looks for: half of
 * the work.
 */
export const ours = (...args: string[]): Command => ({
  name: ['unclosed', ...args].join(' '),
  run: () => [process.execPath, BIN, '--no-color', '--stuck-after', '1s', ...args],
  needs: [BIN],
  codes: [0, 1],
  found: foundByUs,
});

const ss = ['ss', '-tnpi', 'state', 'close-wait'];
const lsof = ['lsof', '-nP', '-iTCP', '-sTCP:CLOSE_WAIT'];
const netstat = ['netstat', '-tanp'];

// With a single state, ss prints no State column: a socket's line begins with its two queues.
const SS_ROW = /^\d+ +\d+ /gm;

/** What any Node.js program costs before it does anything. */
export const FLOOR: Command = {
  name: 'node -e 0',
  run: () => [process.execPath, '-e', '0'],
  needs: [],
  codes: [0],
};

/** What people run by hand today. */
export const BY_HAND: Command[] = [
  { name: ss.join(' '), run: () => ss, needs: ['ss'], codes: [0], found: matches(SS_ROW) },
  // 1 when nothing was found.
  { name: lsof.join(' '), run: () => lsof, needs: ['lsof'], codes: [0, 1], found: matches(/\(CLOSE_WAIT\)/g) },
  { name: netstat.join(' '), run: () => netstat, needs: ['netstat'], codes: [0], found: matches(/ CLOSE_WAIT /g) },
];

/** Lists the descriptors of all processes, and of sockets little more than that they are some. */
const LSFD: Command = { name: 'lsfd', run: () => ['lsfd'], needs: ['lsfd'], codes: [0] };

/** The same, once for every network namespace. */
export const BY_HAND_IN_EACH_NAMESPACE: Command[] = [...BY_HAND, LSFD].map((command) => ({
  ...command,
  name: `for each namespace: nsenter -n ${command.name}`,
  run: (world) => inEachNamespace(command.run(world), world),
  needs: [...command.needs, 'nsenter'],
}));

function matches(pattern: RegExp): (output: string) => number {
  return (output) => output.match(pattern)?.length ?? 0;
}

function inEachNamespace(command: string[], world: World): string[] {
  const loop = 'pids=$1; shift; for pid in $pids; do nsenter --net=/proc/$pid/ns/net "$@"; done; true';
  return ['bash', '-c', loop, 'bash', world.namespaces.join(' '), ...command];
}

/** Our report says "17 of 20 connections wait to be closed" in every finding, and sums up those it does not show. */
function foundByUs(report: string): number {
  const shown = report.matchAll(/^ +([\d,]+)(?: of [\d,]+)? (?:connections?|sockets?) waits? to be closed/gm);
  const summedUp = report.matchAll(/^and [\d,]+ more findings? with ([\d,]+) sockets?/gm);
  const counts = [...shown, ...summedUp].map(([, count = '']) => Number(count.replaceAll(',', '')));
  return counts.reduce((sum, count) => sum + count, 0);
}
