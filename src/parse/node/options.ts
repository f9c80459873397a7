/** What the arguments of Node.js and NODE_OPTIONS say of its inspector (`node --help`). */
export type InspectorOptions = {
  /** It opens at the start. */
  atStart: boolean;
  /** 0 lets the kernel choose. */
  port: number;
  /** --disable-sigusr1: the signal does not open it. */
  signalOff: boolean;
};

const DEFAULT_PORT = 9229;

/** Arguments of the program that look the same are taken for those of Node.js, which costs no more than a refusal. */
export function inspectorOptions(argv: readonly string[], nodeOptions = ''): InspectorOptions {
  const options: InspectorOptions = { atStart: false, port: DEFAULT_PORT, signalOff: false };
  const args = [...nodeOptions.split(/\s+/), ...argv];
  args.forEach((arg, index) => {
    if (arg === '--disable-sigusr1') options.signalOff = true;
    const [, name, value = name === 'inspect-port' || name === 'debug-port' ? args[index + 1] : undefined] =
      /^--(inspect|inspect-brk|inspect-wait|inspect-port|debug-port)(?:=(.*))?$/.exec(arg) ?? [];
    if (name === undefined) return;
    if (!name.endsWith('-port')) options.atStart = true;
    const port = /(?:^|:)([0-9]{1,5})$/.exec(value ?? '')?.[1];
    if (port !== undefined) options.port = Number(port);
  });
  return options;
}

/** The value of NODE_OPTIONS in /proc/PID/environ, and nothing else of it: there are secrets in there. */
export function nodeOptionsIn(environ: string): string | undefined {
  const line = environ.split('\0').find((entry) => entry.startsWith('NODE_OPTIONS='));
  return line?.slice('NODE_OPTIONS='.length);
}

/** Ports at which an inspector is looked for: those that Node.js and its cluster take, and the one that was named. */
export const isInspectorPort = (port: number, options: InspectorOptions): boolean =>
  (port >= DEFAULT_PORT && port <= 9300) || (port === options.port && port !== 0);
