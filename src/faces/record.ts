import { record as recordTo } from '../app/look.ts';
import { plural } from '../model/words.ts';
import type { Arguments } from './arguments.ts';
import { EXIT, type Streams } from './exit.ts';

/** `unclosed record DIR` */
export async function record(args: Arguments, streams: Streams): Promise<number> {
  const { directory = '', scrub, source, capture } = args;
  const snapshot = await recordTo(directory, { ...capture, source, scrub });
  const seen = `${plural(snapshot.sockets.filter(({ state }) => state === 'CLOSE_WAIT').length, 'CLOSE_WAIT socket')}, ${plural(snapshot.processCount, 'process', 'processes')}`;
  streams.stdout.write(`recorded ${seen} to ${directory}\n`);
  streams.stdout.write(
    scrub
      ? 'addresses, users, host and command lines are replaced; names of programs and units are not\n'
      : 'it holds addresses, user names and command lines as they are: --scrub replaces them\n',
  );
  streams.stdout.write('only you can read the folder: give it to somebody with chown, or as an archive\n');
  streams.stdout.write(`read it anywhere with: unclosed --from ${directory}\n`);
  return EXIT.nothing;
}
