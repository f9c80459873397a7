import type { Gap } from '../../model/snapshot.ts';

const NO_OBJECTS = 'which object of the program stands for which connection, and which code has it, is not known';

export const refused = (what: string, remedy: string): Gap => ({
  code: 'INSIDE_REFUSED',
  what,
  effect: `it was not touched: ${NO_OBJECTS}`,
  remedy,
});

export const denied = (what: string): Gap => ({
  code: 'INSIDE_DENIED',
  what,
  effect: NO_OBJECTS,
  remedy: 'run as root, or as the user of that process where the system allows to trace it (kernel.yama.ptrace_scope)',
});

export const unsupported = (what: string, remedy: string): Gap => ({
  code: 'INSIDE_UNSUPPORTED',
  what,
  effect: NO_OBJECTS,
  remedy,
});

export const failed = (what: string, effect: string, remedy: string): Gap => ({
  code: 'INSIDE_FAILED',
  what,
  effect,
  remedy,
});

export const notAsked = (pid: number, open: string | undefined): Gap => ({
  code: 'INSIDE_NOT_ASKED',
  what:
    open === undefined
      ? 'the inspector of Node.js was not opened'
      : `the inspector of Node.js seems to be open already, at ${open}, and was not asked`,
  effect: NO_OBJECTS,
  remedy:
    open === undefined
      ? `unclosed inspect ${pid} --attach: one SIGUSR1, a few lines on its stderr, and for about a second a debug port on loopback to which every local user can connect`
      : `unclosed inspect ${pid} --attach: asks it there, and leaves it open`,
});

export const notAll = (pid: number, missing: number): Gap => ({
  code: 'INSIDE_NOT_ASKED',
  what: `for ${missing} of its stuck sockets no object was reached that tells how they are read`,
  effect: 'they may lie idle in a pool of its own, be below TLS, or be let go of: that is not told apart',
  remedy: `unclosed inspect ${pid} --deep: looks through its whole memory, and stops it for 0.35 s per million objects`,
});

export const cut = (what: string, effect: string, remedy: string): Gap => ({
  code: 'INSIDE_CUT',
  what,
  effect,
  remedy,
});
