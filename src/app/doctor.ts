import { release } from 'node:os';
import { findHolders } from '../kernel/holders.ts';
import type { Machine } from '../kernel/machine.ts';
import { listNetns, readMounts } from '../kernel/netns.ts';
import { readTextTable } from '../kernel/tables.ts';
import { SystemError, UnclosedError } from '../model/errors.ts';
import { plural } from '../model/words.ts';
import { HELD_SIZE } from '../parse/held-socket.ts';
import { stateMask } from '../parse/inet-diag.ts';
import { liveMachine, type SourceChoice } from './machine.ts';

/** One way to look at this machine, tried. */
export type Trial = {
  name: string;
  works: boolean;
  /** What it gives, and since which kernel. */
  gives: string;
  /** What was seen, or why it does not work. */
  seen: string;
  remedy?: string;
};

export type Examination = { kernel: string; node: string; arch: string; uid: number | undefined; trials: Trial[] };

/** Tries everything that a report can be made with. Reads only. */
export async function examine(): Promise<Examination> {
  const trials: Trial[] = [];
  for (const [choice, name, since] of [
    ['bpf', 'BPF iterator', 'Linux 5.11'],
    ['bpf-generic', 'BPF iterator, generic', 'Linux 5.8'],
  ] as const) {
    trials.push(
      await attemptWith(choice, {
        name,
        gives: `sockets of all namespaces with their holders, in one pass (${since})`,
        remedy: bpfRemedy(since),
        look: (machine) => ({ seen: `${plural(heldCount(machine), 'descriptor')} of TCP sockets` }),
      }),
    );
  }
  trials.push(
    await attemptWith('netlink', {
      name: 'netlink',
      gives: 'sockets with ages and queues, those in accept queues too',
      remedy: 'allow netlink sockets (seccomp profile), load the kernel module tcp_diag, and install koffi',
      look: (machine) => namespacesEntered(machine),
    }),
    await attemptWith('netlink', {
      name: 'descriptors',
      gives: 'the holders of sockets where BPF is not to be had',
      remedy: 'run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, on the host',
      look: (machine) => tablesRead(machine),
    }),
    await attemptWith('procfs', {
      name: 'text files',
      gives: 'sockets without ages, when nothing else works',
      remedy: 'mount /proc',
      look: (machine) => textRows(machine),
    }),
  );
  return { kernel: release(), node: process.versions.node, arch: process.arch, uid: process.geteuid?.(), trials };
}

type Attempt = Pick<Trial, 'name' | 'gives'> & {
  remedy: string | ((error: SystemError | UnclosedError) => string);
  look: (machine: Machine) => Seen;
};

/** What was seen, and whether that is less than all. */
type Seen = { seen: string; partly?: boolean };

async function attemptWith(choice: SourceChoice, { name, gives, remedy, look }: Attempt): Promise<Trial> {
  try {
    const { seen, partly } = look(await liveMachine(choice));
    return { name, works: true, gives, seen, ...(partly && typeof remedy === 'string' && { remedy }) };
  } catch (error) {
    if (!(error instanceof SystemError || error instanceof UnclosedError)) throw error;
    return {
      name,
      works: false,
      gives,
      seen: error.message,
      remedy: typeof remedy === 'string' ? remedy : remedy(error),
    };
  }
}

/** Rights where those are missing, and else the kernel: root cannot run as root. */
const bpfRemedy =
  (since: string) =>
  (error: SystemError | UnclosedError): string =>
    error.code === 'EPERM'
      ? 'run as root, or with CAP_BPF and CAP_PERFMON, outside of containers (before Linux 5.11 also with ulimit -l of 8 or more)'
      : `a kernel that is ${since} or newer, has BTF (CONFIG_DEBUG_INFO_BTF), and for the generic one no lockdown=confidentiality`;

function heldCount(machine: Machine): number {
  const states = stateMask('ESTABLISHED', 'CLOSE_WAIT', 'LISTEN');
  return machine.heldSockets({ states }).bytes.length / HELD_SIZE;
}

function namespacesEntered(machine: Machine): Seen {
  const entries = listNetns(machine, machine.processes(), readMounts(machine));
  let refusal: SystemError | undefined;
  let entered = 0;
  for (const entry of entries) {
    try {
      machine.openNetns(entry, entry.paths[0] ?? '').close();
      entered++;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      refusal = error;
    }
  }
  if (entered === 0 && refusal) throw refusal;
  const all = plural(entries.length, 'network namespace');
  return refusal ? { seen: `in ${entered} of ${all}: ${refusal.message}`, partly: true } : { seen: `in ${all}` };
}

function tablesRead(machine: Machine): Seen {
  const { lookedAt, denied } = findHolders(machine, machine.processes(), {
    inodes: new Map(),
    netns: new Set(),
    users: new Set(),
    cgroups: new Set(),
    everywhere: true,
  });
  const all = plural(lookedAt + denied.length, 'process', 'processes');
  if (denied.length === 0) return { seen: `of ${all}` };
  if (lookedAt === 0) throw new SystemError('EACCES', '/proc/PID/fd');
  return { seen: `of ${lookedAt} of ${all}: permission denied for the others`, partly: true };
}

function textRows(machine: Machine): Seen {
  const [own] = listNetns(machine, [], { netns: [] });
  if (!own) throw new SystemError('ENOENT', '/proc/self/ns/net');
  const { sockets, listeners } = readTextTable(machine, own);
  return { seen: `${plural(sockets.length + listeners.length, 'socket')} of the own network namespace` };
}
