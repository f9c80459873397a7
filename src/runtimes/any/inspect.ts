import { attempt } from '../../kernel/attempt.ts';
import { type Memory, openMemory } from '../../kernel/memory.ts';
import { lookAtThread, readSleep } from '../../kernel/thread-times.ts';
import { SystemError } from '../../model/errors.ts';
import type { Call, Deadlock, Inside, Strand, WaitedOn } from '../../model/inside.ts';
import type { Gap } from '../../model/snapshot.ts';
import { type CallArguments, type Pieces, placesOf, readArguments } from '../../parse/call-arguments.ts';
import { intArgument, knowsCallsOf, type Meaning, meaningOf, type RawCall } from '../../parse/syscall.ts';
import type { Subject } from '../subject.ts';
import { readEventLoops } from './event-loops.ts';
import { Files } from './files.ts';
import { callsDenied, callsUnknown, memoryDenied, memoryLeftAlone, threadsCut, threadsGone } from './gaps.ts';
import { findDeadlocks, labelOf, readOwners, type Sleeper } from './locks.ts';
import { isSameCall, readCall, type SeenThread, type SeenThreads, seeThreads } from './threads.ts';

/** Between the two looks at how long threads have been running. */
const SECOND_LOOK_MS = 200;
/** So many of what a thread waits for are shown. */
const MOST_SHOWN = 16;
/** Memory that is read of one process: 4096 descriptors in poll are 32 kB. */
const MOST_BYTES = 4 << 20;

/** A thread in a system call, with what the call is where that is known, and what its arguments say. */
type InCall = { thread: SeenThread; raw: RawCall; meaning: Meaning | undefined; said: CallArguments };

/**
 * What every program tells without being touched: which threads it has, in which system calls they are, on what they wait,
 * how busy they are, and what its event loops watch.
 */
export function inspectThreads(subject: Subject): Inside {
  const { machine, process } = subject;
  const began = performance.now();
  const seen = seeThreads(machine, process.pid);
  const { gaps: loopGaps, ...loops } = readEventLoops(subject);
  if (!seen) return { depth: 'read', ...loops, attachments: [], gaps: [threadsGone(process.pid), ...loopGaps] };
  const gaps = [...gapsOf(subject, seen), ...loopGaps];
  const memory = openUnlessStuck(subject, seen, gaps);
  try {
    const inCalls = seen.threads.flatMap((thread) => understand(subject, memory, thread) ?? []);
    const strands = strandsOf(subject, seen, inCalls);
    const sleepers = inCalls.flatMap(({ thread, raw, said: { futex } }) => (futex ? [{ thread, raw, futex }] : []));
    const ownersOf = (some: Sleeper[]) => (memory ? readOwners(subject, memory, seen.threads, some) : new Map());
    const before = ownersOf(sleepers);
    lookAgain(subject, strands, seen, performance.now() - began);
    // Locks change hands: only who still waits for the same owner after the second look waits for it.
    const still = sleepers.filter(({ thread, raw }) => isSameCall(raw, readCall(machine, process.pid, thread.tid)));
    const owners = new Map([...ownersOf(still)].filter(([tid, owner]) => before.get(tid) === owner));
    const deadlocks = nameOwners(strands, owners);
    return { depth: 'read', strands, ...(deadlocks.length > 0 && { deadlocks }), ...loops, attachments: [], gaps };
  } finally {
    memory?.close();
  }
}

function gapsOf({ machine, process: { pid }, arch }: Subject, { denied, left }: SeenThreads): Gap[] {
  const gaps: Gap[] = [];
  if (denied) gaps.push(callsDenied(pid));
  else if (!knowsCallsOf(arch)) gaps.push(callsUnknown(`system calls of ${arch} are not known here`));
  else if (isNarrow(attempt(() => machine.readHead(`/proc/${pid}/exe`, 5))))
    gaps.push(callsUnknown('it is a 32-bit program, whose system calls have other numbers'));
  if (left > 0) gaps.push(threadsCut(left));
  return gaps;
}

const ELFCLASS32 = 1; // linux/elf.h: e_ident[EI_CLASS]
const isNarrow = (head: Uint8Array | undefined): boolean => head?.[4] === ELFCLASS32;

function openUnlessStuck(
  { process: { pid } }: Subject,
  { threads, denied }: SeenThreads,
  gaps: Gap[],
): Memory | undefined {
  if (denied) return undefined;
  const stuck = threads.find(({ state }) => state === 'uninterruptible');
  if (stuck) {
    gaps.push(memoryLeftAlone(stuck.tid));
    return undefined;
  }
  try {
    return openMemory(pid, MOST_BYTES);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    gaps.push(memoryDenied(pid, error.code));
    return undefined;
  }
}

/** What it says in memory counts only if the thread is still in the call after that was read. */
function understand(subject: Subject, memory: Memory | undefined, thread: SeenThread): InCall | undefined {
  const { raw, tid } = thread;
  if (!raw) return undefined;
  const { machine, process, arch } = subject;
  const meaning = meaningOf(raw, arch);
  if (!meaning) return { thread, raw, meaning, said: {} };
  const places = placesOf(meaning, raw);
  const asksMemory = places.files.some(({ length }) => length > 0) || places.time !== undefined;
  const read = (place: { address: bigint; length: number }): Uint8Array | undefined => {
    if (place.length === 0) return new Uint8Array();
    return memory?.read(place.address, place.length);
  };
  const pieces: Pieces = { files: places.files.map(read), time: places.time && read(places.time) };
  const good = !asksMemory || isSameCall(raw, readCall(machine, process.pid, tid));
  const trusted: Pieces = good ? pieces : { files: pieces.files.map(() => undefined) };
  return { thread, raw, meaning, said: readArguments(meaning, raw, trusted) };
}

function strandsOf(subject: Subject, { threads }: SeenThreads, inCalls: readonly InCall[]): Strand[] {
  const files = new Files(subject);
  const waiters = new Map<bigint, number>();
  for (const { said } of inCalls)
    if (said.futex) waiters.set(said.futex.address, (waiters.get(said.futex.address) ?? 0) + 1);
  const calls = new Map(inCalls.map((it) => [it.thread.tid, callOf(it, files, waiters)]));
  return threads.map(({ tid, name, state }): Strand => {
    const call = calls.get(tid);
    return { kind: 'thread', name, tid, kernelState: state, frames: [], ...(call && { call }) };
  });
}

function callOf({ raw, meaning, said }: InCall, files: Files, waiters: ReadonlyMap<bigint, number>): Call {
  if (!meaning) return { name: `system call ${raw.number}` };
  const { files: polled, timeoutMs, forever, futex } = said;
  const all = meaning.onFd ? [{ fd: intArgument(raw, 0) }] : polled;
  const on = all?.slice(0, MOST_SHOWN).map((file): WaitedOn => ({ ...files.at(file.fd), ...file }));
  return {
    name: meaning.call,
    ...(meaning.kind && { kind: meaning.kind }),
    ...(on && { on }),
    ...(all && all.length > MOST_SHOWN && { onCount: all.length }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(forever && { forever }),
    ...(futex && {
      futex: { address: `0x${futex.address.toString(16)}`, waiters: waiters.get(futex.address) ?? 1 },
    }),
  };
}

/** How busy each thread is, and where it sleeps if it cannot be woken; `sinceMs` is the time since the first look. */
function lookAgain(
  { machine, process: { pid }, signal }: Subject,
  strands: Strand[],
  { threads }: SeenThreads,
  sinceMs: number,
): void {
  if (signal.aborted) return;
  const began = performance.now();
  machine.pause(Math.max(0, SECOND_LOOK_MS - sinceMs));
  const before = new Map(threads.map((thread) => [thread.tid, thread]));
  for (const strand of strands) {
    const { tid = 0 } = strand;
    const first = before.get(tid);
    const second = lookAtThread(machine, pid, tid);
    if (!first || !second) continue;
    const elapsedMs = Math.max(SECOND_LOOK_MS, sinceMs + performance.now() - began);
    strand.busy = Math.min(1, Math.max(0, second.usedMs - first.usedMs) / elapsedMs);
    if (first.state !== 'uninterruptible' || second.state !== first.state) continue;
    const sleepsIn = readSleep(machine, pid, tid);
    if (sleepsIn !== undefined) strand.sleepsIn = sleepsIn;
  }
}

/** Adds to each strand whose lock it waits for, and gives those that wait for each other. */
function nameOwners(strands: Strand[], owners: ReadonlyMap<number, number>): Deadlock[] {
  if (owners.size === 0) return [];
  const labels = new Map(strands.map((strand) => [strand.tid ?? 0, labelOf(strand)]));
  for (const strand of strands) {
    const owner = owners.get(strand.tid ?? 0);
    const futex = strand.call?.futex;
    if (owner === undefined || !futex) continue;
    futex.owner = owner;
    strand.waitsFor = { lock: `mutex at ${futex.address}`, owner: labels.get(owner) ?? `thread (${owner})` };
  }
  return findDeadlocks(owners, labels);
}
