/** Who did something, as far as it is known. */
export type Actor = { uid: number; user?: string; sudo_user?: string; pid: number };

/** One line of the log. `run` binds the lines of one run of the program together. */
export type LogEntry = {
  schema: 'unclosed.log/1';
  at: string;
  run: string;
  command: 'tune' | 'relieve';
  /** `begin` is written before anything is done, `end` when it is known what came of it. */
  event: 'begin' | 'end';
  by: Actor;
  /** Of this start of the machine: pids, inodes and namespaces of another one mean nothing now. */
  boot: string;
  version: string;
  /** What was to be done, or what came of it. */
  what: Record<string, unknown>;
};
