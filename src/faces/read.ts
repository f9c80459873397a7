import { CAPTURE_CHOICES, type ReadOptions, readCaptures } from '../app/read/read.ts';
import { scrubCapture } from '../app/read/scrub.ts';
import { parseDuration } from '../model/amounts.ts';
import { formatNumber } from '../model/words.ts';
import { printable } from '../render/text.ts';
import { describeFilter, FILTER, LIMITS, OUTPUT, oneOf, readFilter, readLimits } from './arguments.ts';
import { command, usage } from './command.ts';
import { EXIT } from './exit.ts';
import { exitCode, readPage, render, write } from './report.ts';
import { pageWidth, terminalPaint } from './terminal.ts';

const HELP = `unclosed read [FILE...]: the report on what lsof, ss, netstat or lsfd printed on another
machine, of Linux, macOS, BSD or Windows. Reads standard input without FILE, or for -.

Formats are found by content, also amid prompts, quotes and other text. Of several files,
the first is the earliest capture of the same machine, and the report tells the growth.

      --between DURATION         time from the first to the last file: 10m, 1h
      --format NAME              lsof, ss, netstat, lsfd, proc-net-tcp or summary, where
                                 too little is left to tell
      --scrub                    print the capture without addresses and names of hosts
                                 and users, to share it; no report
  -p, --pid PID                  sockets of this process (may be given several times)
      --port PORT                local or remote port
      --peer ADDRESS             10.0.0.7, 10.0.0.7:5432, [fe80::1]:443 or 10.0.0.0/8
  -c, --command NAME             processes whose name begins with NAME
  -4, -6                         IPv4 or IPv6 only
      --stuck-after DURATION     how long in CLOSE_WAIT is stuck: 90s, 5m, 1h (default 60s)
      --warning-sockets, --warning-age, --critical-age, --age-sockets,
      --critical-fd-share, --critical-fds-left, --warning-full-in, --critical-full-in,
      --config                   what is alarming, as of the report
      --sockets                  list every CLOSE_WAIT socket
      --all                      every finding in full, ordinary churn included
      --json                     the stable machine form (schema/report.json)
  -n, --numeric                  no names of users and services
      --no-color                 no colour (also: NO_COLOR, or not a terminal)
  -v, --verbose                  list the lines that were not understood

Examples
  ssh db-1 sudo ss -tanpi | unclosed read
  unclosed read before.txt after.txt --between 10m
  unclosed read ticket.txt --scrub > shared.txt
`;

const { pid, port, peer, command: name, ipv4, ipv6 } = FILTER;
const OPTIONS = {
  pid,
  port,
  peer,
  command: name,
  ipv4,
  ipv6,
  ...LIMITS,
  ...OUTPUT,
  between: { type: 'string' },
  format: { type: 'string' },
  scrub: { type: 'boolean' },
} as const;

/** The report on captures, or a capture that can be shared. */
export const readCommand = command(HELP, OPTIONS, async (values, files, { stdout, environment }) => {
  const paths = files.length === 0 ? ['-'] : files;
  const format = oneOf(values.format, '--format', CAPTURE_CHOICES);
  const input = process.stdin;
  if (values.scrub) {
    const [path = '-', ...more] = paths;
    if (more.length > 0) throw usage('--scrub takes one capture', 'unclosed read FILE --scrub');
    await write(stdout, await scrubCapture(path, input, format));
    return EXIT.nothing;
  }
  const filter = readFilter(values, []);
  const betweenMs = timeBetween(values.between, paths);
  const { limits, changed, files: configured } = await readLimits(values, environment);
  const options: ReadOptions = {
    paths,
    limits,
    input,
    filter,
    numeric: values.numeric ?? false,
    ...(format && { format }),
    ...(betweenMs !== undefined && { betweenMs }),
  };
  const seen = await readCaptures(options);
  process.exitCode = exitCode(seen);
  const filterText = describeFilter(filter);
  const page = readPage(values, {
    ...(filterText !== undefined && { filterText }),
    again: '',
    limits: { changed, files: configured },
  });
  const text = await render(seen, page, terminalPaint(stdout, values, environment), pageWidth(stdout));
  await write(stdout, page.verbose && !page.json ? text + lostLines(seen.lost) : text);
  return exitCode(seen);
});

function timeBetween(between: string | undefined, paths: string[]): number | undefined {
  if (between === undefined) return undefined;
  if (paths.length < 2) {
    throw usage('--between needs two captures', 'unclosed read before.txt after.txt --between 10m');
  }
  const milliseconds = parseDuration(between);
  if (milliseconds === undefined || milliseconds === 0)
    throw usage(`--between ${between}: no duration`, 'write 10m or 1h');
  return milliseconds;
}

const SHOWN = 50;

function lostLines(lost: string[]): string {
  if (lost.length === 0) return '';
  const more = lost.length > SHOWN ? `and ${formatNumber(lost.length - SHOWN)} more\n` : '';
  return `\n${lost.slice(0, SHOWN).map(printable).join('\n')}\n${more}`;
}
