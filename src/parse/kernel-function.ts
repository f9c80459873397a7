/** A name as the kernel's symbol table has it; suffixes such as .isra.0 are the compiler's. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}/;

/** The function in which a thread sleeps, from /proc/PID/task/TID/wchan; `0` stands for none, or for one that is not told. */
export const parseWchan = (text: string): string | undefined => NAME.exec(text.trim())?.[0];

/** The innermost function of a kernel stack, from the first line of /proc/PID/task/TID/stack: `[<0>] name+0x1e/0xa0 [module]`. */
export const parseStackTop = (text: string): string | undefined =>
  /^\[<[0-9a-f]{1,16}>\] (\S{1,256})/.exec(text)?.[1]?.match(NAME)?.[0];
