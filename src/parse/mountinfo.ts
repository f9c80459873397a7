/** What /proc/PID/mountinfo (proc(5)) tells: bind mounts of network namespaces, and how /proc hides processes. */
export type MountFacts = { netns: { id: number; path: string }[]; hidepid?: string };

export function parseMountinfo(text: string): MountFacts {
  const netns: MountFacts['netns'] = [];
  let hidepid: string | undefined;
  for (const line of text.split('\n')) {
    // Optional fields stand before " - ", so the halves are taken apart first.
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '', mountPoint = ''] = left.split(' ');
    const [type, , options = ''] = right.split(' ');
    const id = /^net:\[([0-9]+)\]$/.exec(root)?.[1];
    if (type === 'nsfs' && id !== undefined) netns.push({ id: Number(id), path: unescapeOctal(mountPoint) });
    if (type === 'proc' && mountPoint === '/proc') hidepid = /(?:^|,)hidepid=([a-z0-9]+)/.exec(options)?.[1];
  }
  return { netns, ...(hidepid !== undefined && hidepid !== '0' && hidepid !== 'off' && { hidepid }) };
}

/** Space, tab, newline and backslash are written as three octal digits. */
const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
