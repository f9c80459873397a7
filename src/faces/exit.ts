/** 1 is free for "found", so a fault of ours must not end with it, as an uncaught error of Node's does. */
export const EXIT = { nothing: 0, found: 1, couldNotLook: 2, fault: 70 } as const;

export type Streams = { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream };
