import { record as recordTo } from '../app/record.ts';
import { plural } from '../model/words.ts';
import { FILTER, LIMITS, READING, readCapture, readFilter, readLimits } from './arguments.ts';
import { command, usage } from './command.ts';
import { EXIT } from './exit.ts';

const HELP = `unclosed record DIR: saves what the kernel says of this machine into a new folder, for a
report elsewhere (unclosed --from DIR). Nothing of the machine is changed.

      --scrub                    replace addresses, users, host and command lines
  -p, --pid PID                  look for holders among these processes only
      --stuck-after DURATION     how long in CLOSE_WAIT is stuck: 90s, 5m, 1h (default 60s)
      --source SOURCE            bpf, bpf-generic, netlink or procfs (default auto: the best
                                 that this machine allows)
      --all-holders              look at every process for further holders of a socket
      --held auto|always|never   search all processes for descriptors of closed sockets
`;

const OPTIONS = {
  pid: FILTER.pid,
  'stuck-after': LIMITS['stuck-after'],
  ...READING,
  scrub: { type: 'boolean' },
} as const;

export const recordCommand = command(HELP, OPTIONS, async (values, [directory, ...more], { stdout, environment }) => {
  if (directory === undefined) throw usage('record needs a folder', 'unclosed record DIR');
  if (more.length > 0) throw usage(`record takes one folder, not also ${more.join(' ')}`);
  const { limits } = await readLimits(values, environment);
  const capture = readCapture(values, readFilter(values, []), false);
  const scrub = values.scrub ?? false;
  const snapshot = await recordTo(directory, { ...capture, stuckAfterMs: limits.stuckAfterMs, scrub });
  const seen = `${plural(snapshot.sockets.filter(({ state }) => state === 'CLOSE_WAIT').length, 'CLOSE_WAIT socket')}, ${plural(snapshot.processCount, 'process', 'processes')}`;
  stdout.write(`recorded ${seen} to ${directory}\n`);
  stdout.write(
    scrub
      ? 'addresses, users, host and command lines are replaced; names of programs and units are not\n'
      : 'it holds addresses, user names and command lines as they are: --scrub replaces them\n',
  );
  stdout.write('only you can read the folder: give it to somebody with chown, or as an archive\n');
  stdout.write(`read it anywhere with: unclosed --from ${directory}\n`);
  return EXIT.nothing;
});
