import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import { SystemError } from '../../model/errors.ts';
import { type PerfData, parseHsperfdata } from '../../parse/java/hsperfdata.ts';
import { parseJvmMaps } from '../../parse/java/jvm-maps.ts';
import { parseStat, parseStatus } from '../../parse/proc-pid.ts';
import type { Subject } from '../subject.ts';
import { NO_STACKS, Trouble } from './trouble.ts';

/** A JVM as it is seen from outside. */
export type Jvm = {
  pid: number;
  /** Its pid in its own namespace, by which it names its files. */
  nspid: number;
  /** Effective ones, as we see them. */
  uid: number;
  gid: number;
  startTicks: number;
  /** Path of its hsperfdata file as we reach it. */
  perfPath?: string;
};

const UNSUPPORTED =
  'unclosed looks into HotSpot, as OpenJDK, Temurin, Corretto, Zulu and GraalVM have it, from JDK 8 on';

/** Reads what a JVM is, without touching it. */
export function identifyJvm({ machine, process: { pid } }: Subject): Jvm {
  const maps = parseJvmMaps(readText(machine, `/proc/${pid}/maps`));
  const { uid, gid, nspid } = parseStatus(readText(machine, `/proc/${pid}/status`), `/proc/${pid}/status`);
  const { startTicks } = parseStat(readText(machine, `/proc/${pid}/stat`), `/proc/${pid}/stat`);
  if (maps.kind !== 'hotspot') {
    const what =
      maps.kind === 'openj9'
        ? `pid ${pid} runs OpenJ9, which has another attach protocol`
        : `pid ${pid} has no libjvm.so: a native image, or no JVM`;
    const remedy =
      maps.kind === 'openj9' ? `jcmd ${pid} Thread.print, with the jcmd of that JDK, shows its stacks` : UNSUPPORTED;
    throw new Trouble({ code: 'INSIDE_UNSUPPORTED', what, effect: NO_STACKS, remedy });
  }
  if (uid === undefined || gid === undefined) throw new SystemError('ESRCH', `/proc/${pid}/status`);
  return {
    pid,
    nspid: nspid?.at(-1) ?? pid, // NSpid is there since Linux 4.1
    uid,
    gid,
    startTicks,
    ...(maps.perfFile !== undefined && { perfPath: `/proc/${pid}/root${maps.perfFile}` }),
  };
}

/** It has 32 kB, unless -XX:PerfDataMemorySize says otherwise. */
const MOST_PERF_DATA = 4 << 20;

/** What it tells of itself in its hsperfdata file; undefined without one (-XX:-UsePerfData). */
export function readPerfData({ perfPath }: Jvm): PerfData | undefined {
  return perfPath === undefined ? undefined : attempt(() => parseHsperfdata(readRegularFile(perfPath, MOST_PERF_DATA)));
}

/** Reads a file that another user could have put there: no links, no pipes, and not more than `most` bytes. */
export function readRegularFile(path: string, most: number, owner?: number): Uint8Array {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const status = fstatSync(fd);
    if (!status.isFile() || (owner !== undefined && status.uid !== owner))
      throw new SystemError('EINVAL', `open ${path}`);
    if (status.size > most) throw new SystemError('EFBIG', `read ${path}`);
    const bytes = new Uint8Array(status.size);
    let length = 0;
    for (let got = -1; length < bytes.length && got !== 0; length += got)
      got = readSync(fd, bytes, length, bytes.length - length, null);
    return bytes.subarray(0, length);
  } catch (error) {
    if (error instanceof SystemError) throw error;
    throw new SystemError((error as NodeJS.ErrnoException).code ?? 'EIO', `read ${path}`);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

export const perfNumber = (perf: PerfData | undefined, name: string): number | undefined => {
  const value = perf?.get(name);
  return typeof value === 'bigint' ? Number(value) : undefined;
};

export const perfText = (perf: PerfData | undefined, name: string): string | undefined => {
  const value = perf?.get(name);
  return typeof value === 'string' && value !== '' ? value : undefined;
};

/** For how long all its threads have stood still since it began: -XX:+UsePerfData counts it. */
export function stoppedMs(jvm: Jvm): number | undefined {
  const perf = readPerfData(jvm);
  const ticks = perfNumber(perf, 'sun.rt.safepointTime');
  const frequency = perfNumber(perf, 'sun.os.hrt.frequency');
  return ticks === undefined || !frequency ? undefined : (ticks / frequency) * 1000;
}
