import type { Evidence } from '../model/finding.ts';
import { plural } from '../model/words.ts';
import type { Conduct } from './conduct.ts';

/** For what threads sleep that are in one of these functions of the kernel, by how their names begin. */
const WAITED_FOR: readonly (readonly [beginning: RegExp, what: string])[] = [
  [/^(nfs|rpc|xprt)/, 'a server of NFS that does not answer'],
  [/^(cifs|smb)/, 'a server of SMB that does not answer'],
  [/^(ceph|rbd)/, 'a server of Ceph that does not answer'],
  [/^(fuse|request_wait_answer)/, 'a file system in user space (FUSE) that does not answer'],
  [/^(jbd2|ext4|xfs|xlog|btrfs)/, 'a local file system: its disk, or its journal'],
  [/^(io_schedule|wait_on_page|folio_wait|bit_wait_io|blk_|submit_bio)/, 'a disk'],
  [/^(rwsem|down_|__?mutex|percpu_down)/, 'a lock inside the kernel, often that of its own memory (mmap)'],
  [/^(kernel_clone|_do_fork|do_fork)/, 'a child to start its program (vfork)'],
];

/** What threads in uninterruptible sleep wait for, as far as the kernel's function tells. */
export function sleepEvidence({ uninterruptible, sleepsIn }: Conduct, whose: string): Evidence[] {
  if (uninterruptible === 0) return [];
  const found = WAITED_FOR.find(([beginning]) => sleepsIn.some((name) => beginning.test(name)));
  const where = sleepsIn.length === 0 ? '' : `, in ${sleepsIn.slice(0, 2).join(', ')}`;
  return [
    {
      fact: `${plural(uninterruptible, 'thread')} of ${whose} in uninterruptible sleep (state D)${where}`,
      says: `for ${found?.[1] ?? 'a disk, a network file system or a driver that does not answer'}`,
    },
  ];
}
