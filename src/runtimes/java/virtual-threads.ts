import type { Inside } from '../../model/inside.ts';
import type { ThreadDump } from '../../parse/java/thread-dump.ts';
import { parseVirtualThreads } from '../../parse/java/virtual-threads.ts';
import type { Subject } from '../subject.ts';
import type { AttachClient } from './attach.ts';
import { failed } from './trouble.ts';
import { Workspace } from './workspace.ts';

const TIMEOUT_MS = 30_000;
const FILE = 'threads.json';

/** A thread dump leaves out virtual threads that wait, which are all that matter here: the JVM writes them to a file. */
export async function readVirtualThreads(
  subject: Subject,
  client: AttachClient,
  dump: ThreadDump,
  inside: Inside,
): Promise<void> {
  const { pid } = client.jvm;
  subject.announce(
    `virtual threads are written to a file in /tmp of the JVM (pid ${pid}), which is read and removed: no pause`,
  );
  const workspace = new Workspace(client.jvm);
  try {
    const limits = { what: 'dump of virtual threads', timeoutMs: TIMEOUT_MS, always: true } as const;
    const { text } = await client.ask(limits, 'jcmd', `Thread.dump_to_file -format=json ${workspace.file(FILE)}`);
    if (!/^Created /m.test(text))
      throw failed(
        `pid ${pid} wrote no virtual threads: ${text.trim().slice(0, 200)}`,
        `jcmd ${pid} Thread.dump_to_file -format=json FILE`,
        'virtual threads that wait are not shown',
      );
    const platform = new Set(dump.threads.flatMap(({ id }) => id ?? []));
    const { strands, leftOut } = parseVirtualThreads(new TextDecoder().decode(workspace.read(FILE)), platform);
    inside.strands?.push(...strands);
    if (leftOut > 0)
      inside.gaps.push({
        code: 'INSIDE_CUT',
        what: `virtual threads of pid ${pid} have ${leftOut} more stacks`,
        effect: 'only those are shown that most of them have',
        remedy: `jcmd ${pid} Thread.dump_to_file -format=json FILE writes all of them`,
      });
  } finally {
    workspace.remove();
  }
}
