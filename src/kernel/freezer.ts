import { writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { SystemError } from '../model/errors.ts';
import { freezerFiles, parseFrozen } from '../parse/freezer.ts';
import { attempt } from './attempt.ts';
import { readKernelText } from './read-text.ts';

/** A frozen cgroup: the file that thaws it, what to write there, and how many processes run on then. */
type FrozenCgroup = { directory: string; file: string; thaw: string; pids: number };

/**
 * The cgroup by which a process is frozen. Throws where it is one further up: thawing that lets more processes run than
 * were asked for.
 */
export function frozenCgroupOf(pid: number): FrozenCgroup {
  for (const events of freezerFiles(readKernelText(`/proc/${pid}/cgroup`))) {
    const state = attempt(() => readKernelText(events));
    if (state === undefined || parseFrozen(state) !== true) continue;
    const directory = events.slice(0, events.lastIndexOf('/'));
    const isFirst = events.endsWith('/freezer.state');
    const own = readKernelText(`${directory}/${asked(isFirst)}`).trim();
    if (own !== '1') throw new SystemError('EBUSY', `frozen by a cgroup above its own${nameOf(directory, isFirst)}`);
    return {
      ...(isFirst ? { file: events, thaw: 'THAWED' } : { file: `${directory}/cgroup.freeze`, thaw: '0' }),
      directory,
      pids: readKernelText(`${directory}/cgroup.procs`).split('\n').filter(Boolean).length,
    };
  }
  throw new SystemError('ENOENT', `no frozen cgroup of pid ${pid}`);
}

/** Whether a cgroup itself was told to freeze, and not only one above it. */
const asked = (isFirst: boolean): string => (isFirst ? 'freezer.self_freezing' : 'cgroup.freeze');

/** The one further up that was told to. */
function nameOf(directory: string, isFirst: boolean): string {
  for (let above = dirname(directory); above.startsWith('/sys/fs/cgroup/'); above = dirname(above))
    if (attempt(() => readKernelText(`${above}/${asked(isFirst)}`))?.trim() === '1') return `: ${above}`;
  return '';
}

export function thawCgroup({ file, thaw }: FrozenCgroup): void {
  try {
    writeFileSync(file, thaw, { flag: 'r+' });
  } catch (error) {
    throw new SystemError((error as NodeJS.ErrnoException).code ?? 'EIO', `write ${file}`);
  }
}
