import process from 'node:process';
import type { Inside } from '../../model/inside.ts';
import { parseSocketReads } from '../../parse/java/socket-reads.ts';
import { addSourceFiles } from '../../parse/java/source-files.ts';
import type { Subject } from '../subject.ts';
import type { AttachClient } from './attach.ts';
import { compareClasses, countClasses } from './classes.ts';
import { recordReads } from './recording.ts';
import { gapOf } from './trouble.ts';

/** Long enough for connections that come each second, and short for one who waits. */
const WATCH_MS = 5_000;

/** A recording begins so long after it was asked for, at most. */
const START_MS = 1_000;

/** What the JVM reads while it is watched, and which of its objects become more meanwhile. */
export async function lookDeep(subject: Subject, client: AttachClient, inside: Inside): Promise<void> {
  const note = (error: unknown, effect: string): undefined => {
    inside.gaps.push(gapOf(error, client.jvm.pid, process.geteuid?.() === 0, effect));
  };
  const before = await countClasses(subject, client).catch((error) =>
    note(error, 'which objects the program has is not known'),
  );
  try {
    const recording = await recordReads(subject, client, WATCH_MS);
    const { ends, leftOut, since } = parseSocketReads(recording.bytes, subject.machine.now());
    inside.endReads = addSourceFiles(ends, inside.strands ?? []);
    const droppedMs = Math.round((since ?? recording.startedAt) - recording.startedAt);
    const isWhole = droppedMs < START_MS;
    inside.watchedMs = isWhole ? recording.watchedMs : Math.max(0, recording.watchedMs - droppedMs);
    if (!isWhole)
      inside.gaps.push({
        code: 'INSIDE_CUT',
        what: `pid ${client.jvm.pid} reads so often that the recording of socket reads lost its beginning`,
        effect: `only the last ${(inside.watchedMs / 1000).toFixed(1)} s of ${recording.watchedMs / 1000} s are known`,
        remedy: 'look again when there is less traffic',
      });
    if (leftOut > 0)
      inside.gaps.push({
        code: 'INSIDE_CUT',
        what: `${leftOut} more reads of pid ${client.jvm.pid} gave the end of a stream`,
        effect: 'only the newest ones are told',
        remedy: 'what they have in common is told by those',
      });
  } catch (error) {
    note(error, 'which code read the ends of connections and did not close them stays unknown');
  }
  if (!before || subject.signal.aborted) return;
  try {
    inside.classes = compareClasses(before, await countClasses(subject, client));
  } catch (error) {
    note(error, 'which objects become more is not known');
    inside.classes = compareClasses(before);
  }
}
