import type { EndRead, Frame, Strand } from '../../model/inside.ts';

const classOf = (name: string): string => name.slice(0, name.lastIndexOf('.'));

/** JFR names classes and no files; a thread dump of the same JVM has the files of those that it shows. */
export function addSourceFiles(ends: readonly EndRead[], strands: readonly Strand[]): EndRead[] {
  const files = new Map<string, string>();
  for (const { frames } of strands)
    for (const { function: name, file } of frames) if (file !== undefined) files.set(classOf(name), file);
  const done = new Map<Frame[], Frame[]>(); // many reads share one stack
  return ends.map((end) => {
    const frames = done.get(end.frames) ?? end.frames.map((frame) => withFile(frame, files));
    done.set(end.frames, frames);
    return { ...end, frames };
  });
}

function withFile(frame: Frame, files: ReadonlyMap<string, string>): Frame {
  const file = frame.line === undefined ? undefined : files.get(classOf(frame.function));
  return file === undefined ? frame : { ...frame, file };
}
