/**
 * Inodes of the sockets that listen for attach clients of the JVM with this pid (in its own namespace), from the text of
 * /proc/PID/net/unix. HotSpot binds the name with `.tmp` behind, and renames the file.
 */
export function attachSockets(text: string, nspid: number): number[] {
  const name = `/.java_pid${nspid}`;
  return text.split('\n').flatMap((line) => {
    if (!line.endsWith(name) && !line.endsWith(`${name}.tmp`)) return [];
    const inode = /^[0-9a-fA-F]+:(?: +[0-9a-fA-F]+){5} +([0-9]+) /.exec(line)?.[1];
    return inode === undefined ? [] : [Number(inode)];
  });
}
