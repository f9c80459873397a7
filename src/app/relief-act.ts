import { setTimeout as sleep } from 'node:timers/promises';
import { standingOf } from '../diagnose/ages.ts';
import { isSentOn } from '../diagnose/relief/select.ts';
import { frozenCgroupOf, thawCgroup } from '../kernel/freezer.ts';
import { SystemError } from '../model/errors.ts';
import type { Process } from '../model/process.ts';
import { type Deed, type ReliefAction, type ReliefPlan, SOCKET_ACTIONS } from '../model/relief.ts';
import type { TcpSocket } from '../model/socket.ts';
import { restart } from './restart.ts';

type TargetModule = typeof import('../kernel/target.ts');
type Target = InstanceType<TargetModule['Target']>;
type OpenSocket = InstanceType<TargetModule['OpenSocket']>;

export type ActOptions = {
  olderThanMs: number;
  /** Time to end after SIGTERM; SIGKILL comes after it only where that was asked for. */
  graceMs: number;
  kill: boolean;
};

/** Opens the process that a plan is about. It is the one that was looked at, or this throws. */
export async function openTarget({ pid, startedAt }: Process): Promise<Target> {
  const { Target: Opened } = await import('../kernel/target.ts');
  if (startedAt === undefined) throw new SystemError('ENODATA', `start time of pid ${pid}`);
  return new Opened(pid, startedAt);
}

/** Does what the plan says, to this process alone. */
export async function act(plan: ReliefPlan, target: Target, options: ActOptions): Promise<Deed> {
  const { decision, process } = plan;
  if (decision.kind !== 'act' || !process) throw new Error('nothing to act on');
  const { action } = decision;
  const deed: Deed = { pid: target.pid, action };
  try {
    target.require();
    if (SOCKET_ACTIONS.has(action)) return { ...deed, ...(await endSockets(plan, action, target, options)) };
    const failed = await onProcess(plan, process, action, target, options);
    return failed === undefined ? deed : { ...deed, failed };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return { ...deed, failed: inWords(error) };
  }
}

async function onProcess(
  plan: ReliefPlan,
  process: Process,
  action: ReliefAction,
  target: Target,
  options: ActOptions,
): Promise<string | undefined> {
  switch (action) {
    case 'raise-fd-limit':
      target.raiseFdLimit(plan.fdLimit?.to ?? 0);
      return undefined;
    case 'resume':
      target.signal('SIGCONT');
      return undefined;
    case 'thaw': {
      thawCgroup(frozenCgroupOf(target.pid));
      return undefined;
    }
    case 'restart-unit':
    case 'restart-container':
      return restart(action, process);
    default:
      return terminate(target, options);
  }
}

async function terminate(target: Target, { graceMs, kill }: ActOptions): Promise<string | undefined> {
  target.signal('SIGTERM');
  if (await hasEndedWithin(target, graceMs)) return undefined;
  if (!kill) return `it has not ended ${graceMs / 1000} s after SIGTERM: --kill sends SIGKILL then`;
  target.signal('SIGKILL');
  return (await hasEndedWithin(target, graceMs)) ? undefined : 'it has not ended after SIGKILL: it waits in the kernel';
}

async function hasEndedWithin(target: Target, milliseconds: number): Promise<boolean> {
  const end = Date.now() + milliseconds;
  while (!target.hasEnded()) {
    if (Date.now() >= end) return false;
    await sleep(50);
  }
  return true;
}

type Ended = Required<Pick<Deed, 'acted' | 'left'>> & Pick<Deed, 'failed'>;

async function endSockets(
  { selection: { sockets }, process }: ReliefPlan,
  action: ReliefAction,
  target: Target,
  { olderThanMs }: ActOptions,
): Promise<Ended> {
  const ended: Ended = { acted: [], left: {} };
  const [first] = sockets;
  if (!first || process === undefined) return ended;
  const netlink = action === 'destroy' ? await openDiag(first.socket.netns, process) : undefined;
  try {
    for (const { socket, fd } of sockets) {
      const why =
        socket.netns === first.socket.netns
          ? endSocket(socket, fd, action, target, olderThanMs, netlink?.fd)
          : 'in another network namespace';
      if (why === undefined) ended.acted.push(socket.inode ?? 0);
      else ended.left[why] = (ended.left[why] ?? 0) + 1;
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    ended.failed = inWords(error);
  } finally {
    netlink?.close();
  }
  return ended;
}

/** Undefined when it was done; else why it was left as it is. Only what concerns all of them is thrown. */
function endSocket(
  { inode = 0 }: TcpSocket,
  fd: number,
  action: ReliefAction,
  target: Target,
  olderThanMs: number,
  netlink: number | undefined,
): string | undefined {
  try {
    return target.withSocket(fd, inode, (open) => {
      const fresh = open.look();
      if (!fresh.isCloseWait) return 'no longer in CLOSE_WAIT';
      if (!isOldEnough(fresh, olderThanMs)) return 'younger than it was thought to be';
      if (action !== 'keepalive' && isSentOn(fresh, olderThanMs)) return 'sent on meanwhile';
      end(open, action, netlink);
      return undefined;
    });
  } catch (error) {
    if (!(error instanceof SystemError) || !(error.code in ALONE)) throw error;
    // The process itself is another one, or gone: nothing more is done to it.
    if (error.code === 'ESTALE' && !error.call.startsWith('descriptor')) throw error;
    return ALONE[error.code];
  }
}

/** Errors of one socket, which say nothing of the next one. */
const ALONE: Record<string, string> = {
  EBADF: 'closed by the program meanwhile',
  ESTALE: 'closed by the program meanwhile',
  ENOENT: 'gone meanwhile',
  ENOTCONN: 'gone meanwhile',
};

function isOldEnough(
  {
    lastAckReceivedMs,
    lastDataReceivedMs,
    lastDataSentMs,
  }: Pick<TcpSocket, 'lastAckReceivedMs' | 'lastDataReceivedMs' | 'lastDataSentMs'>,
  olderThanMs: number,
): boolean {
  const times = { lastAckReceivedMs, lastDataReceivedMs, lastDataSentMs } as Partial<TcpSocket>;
  return standingOf({ timer: 'none', ...times } as TcpSocket, olderThanMs) === 'stuck';
}

function end(open: OpenSocket, action: ReliefAction, netlink: number | undefined): void {
  if (action === 'shutdown') open.shutdown();
  else if (action === 'keepalive') open.probe();
  else if (netlink !== undefined) open.destroy(netlink);
}

async function openDiag(netns: number, process: Process | undefined): Promise<{ fd: number; close(): void }> {
  const { openDiagIn } = await import('../kernel/fast.ts');
  return openDiagIn(netns, process?.pid ?? 0);
}

export function inWords({ code, message, call }: SystemError): string {
  if (code === 'ESTALE') return call;
  if (code === 'ESRCH') return 'the process has ended meanwhile';
  if (code === 'EOPNOTSUPP') return 'this kernel cannot end sockets from outside (CONFIG_INET_DIAG_DESTROY)';
  if (code === 'EBUSY' || code === 'EEXIST') return call;
  if (code === 'ENOSYS') return `this kernel is too old for it (${call})`;
  if (code === 'EPERM' || code === 'EACCES') return `${message}: this needs more rights (root, outside of a container)`;
  return message;
}
