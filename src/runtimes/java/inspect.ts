import process from 'node:process';
import type { Inside } from '../../model/inside.ts';
import { recognisePools } from '../../parse/java/pools.ts';
import { lockProcess } from '../lock.ts';
import type { Subject } from '../subject.ts';
import { AttachClient } from './attach.ts';
import { lookDeep } from './deep.ts';
import { requireAnswering } from './guards.ts';
import { identifyJvm, type Jvm, perfText, readPerfData } from './jvm.ts';
import { readStrands } from './strands.ts';
import { gapOf, NO_STACKS, refused } from './trouble.ts';

/** Looks into a Java process (HotSpot from JDK 8 on), as far as `subject.depth` allows. */
export async function inspectJava(subject: Subject): Promise<Inside> {
  const inside: Inside = { depth: subject.depth, runtime: 'java', attachments: [], gaps: [] };
  try {
    const jvm = identifyJvm(subject);
    const version = perfText(readPerfData(jvm), 'java.property.java.version');
    if (version !== undefined) inside.version = version;
    if (subject.depth === 'read') offerAttach(subject, jvm, inside);
    else await attach(subject, jvm, inside);
  } catch (error) {
    inside.gaps.push(gapOf(error, subject.process.pid, process.geteuid?.() === 0));
  }
  const pools = recognisePools(inside.strands ?? [], inside.classes ?? []);
  if (inside.strands || inside.classes) inside.pools = pools;
  return inside;
}

/** What `--attach` would do, or why it would be refused. */
function offerAttach(subject: Subject, jvm: Jvm, inside: Inside): void {
  requireAnswering(subject, jvm);
  inside.gaps.push({
    code: 'INSIDE_NOT_ASKED',
    what: `pid ${jvm.pid} is a JVM that was only read from outside`,
    effect: NO_STACKS,
    remedy:
      '--attach asks it for its threads: one SIGQUIT the first time, as jcmd and jstack do, and a pause of 15 to 30 ms with 500 threads',
  });
}

async function attach(subject: Subject, jvm: Jvm, inside: Inside): Promise<void> {
  requireAnswering(subject, jvm);
  const unlock = await lockProcess(subject.machine, jvm.pid);
  if (!unlock)
    throw refused(`another unclosed asks pid ${jvm.pid} at this moment`, 'wait for it to end, and look again');
  try {
    const client = new AttachClient(subject, jvm, inside.attachments);
    try {
      await client.open();
      await readStrands(subject, client, inside);
      if (subject.depth === 'deep') await lookDeep(subject, client, inside);
    } finally {
      client.close();
    }
  } finally {
    unlock();
  }
}
