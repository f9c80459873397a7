import { check, describeFinding } from '../app/check.ts';
import { CHECK_STATES } from '../model/check.ts';
import { UnclosedError } from '../model/errors.ts';
import { renderCheck } from '../render/check.ts';
import { FILTER, LIMITS, READING, readCapture, readFilter, readLimits, readPids } from './arguments.ts';
import { type Command, command } from './command.ts';

const HELP = `unclosed check [PID]: a check for Nagios, Icinga, Naemon, Sensu and their like, or for cron.
Prints one line with performance data, then a line for each finding.

How bad it is
  -w, --warning RANGES           warning outside of these ranges ...
  -c, --critical RANGES          ... and critical outside of those (several: commas)
                                   100, stuck=100   more than 100 stuck sockets
                                   age=5m           the oldest is older than 5 min
                                   fds=50%          share of the descriptor limit of
                                                    the worst process
                                 Each takes the place of the limit on the same thing;
                                 the others hold, and without any all of them do.
                                 10: alerts below 10, ~:10 above 10, 10:20 outside of
                                 10 to 20, @10:20 inside.
      --stuck-after DURATION     how long in CLOSE_WAIT is stuck (default 60s)
      --warning-sockets, --warning-age, --critical-age, --age-sockets,
      --critical-fd-share, --critical-fds-left, --warning-full-in,
      --critical-full-in, --config
                                 limits, as for the report: unclosed --help

What to check
  -p, --pid PID                  sockets of this process (may be given several times)
      --port PORT, --peer ADDRESS, --command NAME, --unit UNIT, --container NAME,
      --netns NAME, -4, -6       as for the report
      --from DIR                 a recording instead of this machine
      --source SOURCE            bpf, bpf-generic, netlink or procfs (default auto: the best
                                 that this machine allows)
      --all-holders              look at every process for further holders of a socket
      --held auto|always|never   search for descriptors of closed sockets

  -v, --verbose                  the evidence and the next steps as well

Exit codes
  0 OK   1 WARNING   2 CRITICAL   3 UNKNOWN: not everything could be seen, a process that
  does not exist, or a command line that is not understood

Examples
  sudo unclosed check
  sudo unclosed check -w 100 -c 500
  sudo unclosed check --unit shop -w stuck=20,age=5m -c stuck=100,age=30m,fds=50%
`;

const { command: name, ...otherFilters } = FILTER;

const OPTIONS = {
  ...otherFilters,
  // -c is critical here, as in every plugin.
  command: { type: name.type },
  ...LIMITS,
  ...READING,
  from: { type: 'string' },
  warning: { type: 'string', short: 'w', multiple: true },
  critical: { type: 'string', short: 'c', multiple: true },
  verbose: { type: 'boolean', short: 'v' },
} as const;

const checked = command(HELP, OPTIONS, async (values, positionals, { stdout, environment }) => {
  const { from, warning = [], critical = [], verbose = false } = values;
  const filter = readFilter(values, readPids(positionals));
  const { limits } = await readLimits(values, environment);
  const result = await check({
    ...readCapture(values, filter, false),
    ...(from !== undefined && { from }),
    filter,
    limits,
    warning,
    critical,
  });
  stdout.write(renderCheck(result, describeFinding, verbose));
  return CHECK_STATES.indexOf(result.state);
});

/** A monitoring system reads standard output, and takes whatever went wrong for UNKNOWN. */
export const checkCommand: Command = {
  ...checked,
  async run(argv, surroundings) {
    try {
      return await checked.run(argv, surroundings);
    } catch (error) {
      surroundings.stdout.write(`${unknown(error)}\n`);
      if (!(error instanceof UnclosedError))
        surroundings.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
      return CHECK_STATES.indexOf('UNKNOWN');
    }
  },
};

function unknown(error: unknown): string {
  const why =
    error instanceof UnclosedError
      ? `${error.message}; ${error.remedy} [${error.code}]`
      : `this is a fault of unclosed: ${error instanceof Error ? error.message : error}`;
  return `UNCLOSED UNKNOWN - ${why.replace(/[\u0000-\u001f\u007f-\u009f|]/g, '?')}`;
}
