/** What make_sockets.py reports about the world it made. */
export type World = {
  /** The maker; its network namespace is where everything is. */
  pid: number;
  close_wait: number;
  established: number;
  holders: number[];
  idle: number;
  namespaces: number[];
};

/** A program to measure. */
export type Command = {
  name: string;
  run: (world: World) => string[];
  /** Programs it needs. */
  needs: string[];
  /** Exit codes that are an answer. */
  codes: number[];
  /** How many CLOSE_WAIT sockets its output tells of: a command that finds too few was not measured. */
  found?: (output: string) => number;
};

/** One world, and the commands that look at it. */
export type Scenario = { label: string; make: string[]; commands: Command[] };

export type Case = { name: string; about: string; scenarios: Scenario[] };
