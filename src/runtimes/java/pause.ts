import { setTimeout } from 'node:timers/promises';

/** Lets time pass; returns early when it is to end. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(milliseconds, undefined, { ...(signal && { signal }) });
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
  }
}
