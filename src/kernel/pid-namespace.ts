import { readlinkSync } from 'node:fs';

/** PROC_PID_INIT_INO (include/linux/proc_ns.h): the first pid namespace. */
const FIRST_PID_NAMESPACE = 'pid:[4026531836]';

/** Whether processes are numbered for us as the kernel numbers them. */
export function isFirstPidNamespace(): boolean {
  try {
    return readlinkSync('/proc/self/ns/pid') === FIRST_PID_NAMESPACE;
  } catch {
    return false; // numbers are then translated, which is right everywhere
  }
}
