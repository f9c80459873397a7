// The cgroup freezer: Documentation/admin-guide/cgroup-v2.rst (cgroup.events) and cgroup-v1/freezer-subsystem.rst.

/** Files that tell whether a cgroup is frozen, given /proc/PID/cgroup. They are there only where that path is not of another namespace. */
export function freezerFiles(cgroup: string): string[] {
  return cgroup.split('\n').flatMap((line) => {
    const [, controllers, path] = /^[0-9]+:([^:]*):(\/.+)$/.exec(line) ?? [];
    if (path === undefined || path.includes('/../')) return [];
    if (controllers === '')
      return [`/sys/fs/cgroup${path}/cgroup.events`, `/sys/fs/cgroup/unified${path}/cgroup.events`];
    return controllers === 'freezer' ? [`/sys/fs/cgroup/freezer${path}/freezer.state`] : [];
  });
}

/** Reads either kind of file. Undefined when it says nothing of it. */
export function parseFrozen(text: string): boolean | undefined {
  const second = /^frozen ([01])$/m.exec(text)?.[1];
  if (second !== undefined) return second === '1';
  const first = text.trim();
  if (first === 'FROZEN') return true;
  return first === 'THAWED' || first === 'FREEZING' ? false : undefined;
}
