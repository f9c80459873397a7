import { lstatSync, unlinkSync } from 'node:fs';
import { attempt } from '../../kernel/attempt.ts';
import { readText } from '../../kernel/machine.ts';
import { SystemError } from '../../model/errors.ts';
import type { Attachment } from '../../model/inside.ts';
import { attachRequest, parseAttachAnswer } from '../../parse/java/attach-answer.ts';
import { attachSockets } from '../../parse/java/attach-sockets.ts';
import type { Subject } from '../subject.ts';
import { requireAnswering, requireQuitHandler } from './guards.ts';
import { type Jvm, stoppedMs } from './jvm.ts';
import { pause } from './pause.ts';
import { type OpenDirectory, openDirectory, placeTrigger } from './trigger.ts';
import { failed, refused } from './trouble.ts';
import { askSocket, isAlive } from './wire.ts';

/**
 * How long an answer may take. `what` is what is done, for the list of attachments. What was begun is ended even when
 * everything is to end early (`always`).
 */
export type Limits = { what: string; timeoutMs: number; always?: true };

const MOST_BYTES = 32 << 20;
const WAKE_MS = 5_000;
const FIRST_POLL_MS = 20;
const LAST_POLL_MS = 300;
/** So long the file stays for a JVM that has the signal and has not looked yet: without it, it prints a thread dump. */
const SETTLE_MS = 1_000;

/** Asks one JVM over its attach socket, /tmp/.java_pid<nspid> in its own file system. */
export class AttachClient {
  readonly jvm: Jvm;
  readonly attachments: Attachment[];
  readonly #subject: Subject;
  readonly #tmp: OpenDirectory;

  constructor(subject: Subject, jvm: Jvm, attachments: Attachment[]) {
    this.#subject = subject;
    this.jvm = jvm;
    this.attachments = attachments;
    this.#tmp = openDirectory(`/proc/${jvm.pid}/root/tmp`);
  }

  /**
   * Whose the file is that should be the JVM's socket. Processes in pid namespaces of their own that share /tmp, as containers of a
   * pod may, use one name.
   */
  #socket(): 'own' | 'none' | 'foreign' {
    const { pid, nspid, uid } = this.jvm;
    const status = lstatSync(this.#tmp.path(this.#name), { throwIfNoEntry: false });
    if (!status) return 'none';
    if (!status.isSocket() || status.uid !== uid) return 'foreign';
    const { machine } = this.#subject;
    const held = attempt(() => machine.fdTable(pid).sockets);
    const table = attempt(() => readText(machine, `/proc/${pid}/net/unix`));
    if (!held || table === undefined) return 'own'; // which the answer tells, too
    return attachSockets(table, nspid).some((inode) => held.has(inode)) ? 'own' : 'foreign';
  }

  get #name(): string {
    return `.java_pid${this.jvm.nspid}`;
  }

  /** Has it listen, where it does not yet. */
  async open(): Promise<void> {
    requireAnswering(this.#subject, this.jvm);
    const socket = this.#socket();
    if (socket === 'own') return;
    if (socket === 'foreign') await this.#removeStale();
    await this.#wake();
  }

  /** The file stays of a JVM that had this pid before and was killed; one that lives in the same /tmp is left alone. */
  async #removeStale(): Promise<void> {
    const path = this.#tmp.path(this.#name);
    if (!lstatSync(path).isSocket() || (await isAlive(path)))
      throw refused(
        `/tmp of pid ${this.jvm.pid} is shared with another JVM of the same number, which listens there`,
        'look into that one instead, or give each its own /tmp',
      );
    unlinkSync(path);
  }

  /** The answer to one command as text, `cut` when it is too large. Throws when it answers that it failed. */
  async ask(limits: Limits, command: string, ...args: string[]): Promise<{ text: string; cut: boolean }> {
    await this.open();
    return await this.#askOnce(limits, command, args);
  }

  async #askOnce(
    { what, timeoutMs, always }: Limits,
    command: string,
    args: string[],
  ): Promise<{ text: string; cut: boolean }> {
    requireAnswering(this.#subject, this.jvm);
    const bytes = attachRequest(command, ...args);
    const signal = always ? new AbortController().signal : this.#subject.signal;
    const question = { bytes, timeoutMs, mostBytes: MOST_BYTES, signal };
    const stopped = stoppedMs(this.jvm);
    const began = performance.now();
    const answer = await askSocket(this.#tmp, this.#name, this.jvm, question);
    this.#note(what, began, stopped);
    if (answer.bytes.length === 0)
      throw failed(
        `pid ${this.jvm.pid} closed the connection without an answer`,
        'run it as root, or as the user of the process',
      );
    const { code, text } = parseAttachAnswer(answer.bytes);
    if (code !== 0) throw failed(`pid ${this.jvm.pid} refuses ${what}: ${firstLine(text)}`, 'look at what it says');
    return { text, cut: answer.cut };
  }

  #note(what: string, began: number, stopped: number | undefined): void {
    const after = stoppedMs(this.jvm);
    const pauseMs = after === undefined || stopped === undefined ? undefined : Math.max(0, round(after - stopped));
    this.attachments.push({
      what,
      tookMs: round(performance.now() - began),
      ...(pauseMs !== undefined && { pauseMs }),
    });
  }

  /** Has the JVM open its socket: with a file that says what is wanted, and one SIGQUIT. */
  async #wake(): Promise<void> {
    const { pid } = this.jvm;
    requireAnswering(this.#subject, this.jvm);
    requireQuitHandler(this.#subject, this.jvm);
    if (this.#subject.signal.aborted) throw new SystemError('ECANCELED', 'attach');
    this.#subject.announce(
      `one SIGQUIT has the JVM (pid ${pid}) open its attach listener, as jcmd does: no pause, one thread and one socket in /tmp more until it ends`,
    );
    const { Target } = await import('../../kernel/target.ts'); // foreign functions, which load only where they are needed
    const target = new Target(pid, this.#subject.process.startedAt ?? Number.NaN);
    const began = performance.now();
    try {
      const removeTrigger = placeTrigger(this.jvm);
      try {
        requireAnswering(this.#subject, this.jvm);
        requireQuitHandler(this.#subject, this.jvm);
        target.signal('SIGQUIT');
        await this.#waitUntilItListens(target, began);
      } finally {
        removeTrigger();
      }
    } finally {
      target.close();
    }
    this.#note('SIGQUIT, which opens the attach listener (one thread more)', began, undefined);
  }

  async #waitUntilItListens(target: { hasEnded(): boolean }, began: number): Promise<void> {
    for (let wait = FIRST_POLL_MS; this.#socket() !== 'own'; wait = Math.min(LAST_POLL_MS, wait * 1.5)) {
      const waited = performance.now() - began;
      if (target.hasEnded()) throw failed(`pid ${this.jvm.pid} has ended`, 'look at the process that came after it');
      if (this.#subject.signal.aborted && waited > SETTLE_MS) throw new SystemError('ECANCELED', 'attach');
      if (waited > WAKE_MS) throw new SystemError('ETIMEDOUT', 'wait for the attach listener');
      await pause(wait);
    }
  }

  close(): void {
    this.#tmp.close();
  }
}

const firstLine = (text: string): string => text.trim().split('\n', 1)[0]?.slice(0, 200) ?? '';

const round = (milliseconds: number): number => Math.round(milliseconds * 10) / 10;
