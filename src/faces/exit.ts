import type { Output } from './output.ts';

/** 1 is free for "found", so a fault of ours must not end with it, as an uncaught error of Node's does. */
export const EXIT = { nothing: 0, found: 1, couldNotLook: 2, fault: 70 } as const;

/** Of commands that act. Apart from those of a report, so that no script takes the one for the other; 2 and 70 are the same. */
export const ACTION_EXIT = { done: 0, dryRun: 10, nothingToDo: 11, refused: 12, failed: 13 } as const;

export type Streams = { readonly stdout: Output; readonly stderr: NodeJS.WriteStream };
