/** uid to name from /etc/passwd. As with getpwuid(3), the first line of a uid wins; lines that are no entry are skipped. */
export function parsePasswd(text: string): Map<number, string> {
  const users = new Map<number, string>();
  for (const line of text.split('\n')) {
    const [name, , uid] = line.split(':');
    if (!name || !/^[^#+\s-]\S*$/.test(name) || uid === undefined || !/^[0-9]{1,10}$/.test(uid)) continue;
    if (!users.has(Number(uid))) users.set(Number(uid), name);
  }
  return users;
}
