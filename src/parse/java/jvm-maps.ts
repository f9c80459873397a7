/** What the text of /proc/PID/maps tells of a JVM. */
export type JvmMaps = {
  kind?: 'hotspot' | 'openj9';
  /** Where its hsperfdata file lies in the process's own file system: mapped, so it is no other process's. */
  perfFile?: string;
};

export function parseJvmMaps(text: string): JvmMaps {
  const perfFile = / (\/[^\n]*\/hsperfdata_[^/\n]+\/[0-9]+)$/m.exec(text)?.[1];
  const hotspot = /\/libjvm\.so(?: \(deleted\))?$/m.test(text);
  const openj9 = /\/libj9vm[0-9]*\.so(?: \(deleted\))?$/m.test(text);
  // OpenJ9 brings a libjvm.so too, which hands everything on.
  return {
    ...((hotspot || openj9) && { kind: openj9 ? ('openj9' as const) : ('hotspot' as const) }),
    ...(perfFile !== undefined && { perfFile }),
  };
}
