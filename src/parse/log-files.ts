/** Whether a descriptor is open for writing, from the line with flags of /proc/PID/fdinfo/FD (O_ACCMODE is the low two bits). */
export function isWritten(fdinfo: string): boolean {
  const flags = /^flags:\s*([0-7]{1,12})$/m.exec(fdinfo)?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & 3) !== 0;
}

// Databases, queues and recordings are called logs too, and are no text.
const NO_TEXT =
  /\.(?:db|sqlite3?|wal|jfr|hprof|pcap|dat|bin|idx|index|gz|zst|xz|bz2|lock|pid|sock|tmp|ibd|ldb|sst|aof|rdb)$|-(?:wal|shm|journal)$|^(?:ib_logfile|binlog\.|mysql-bin\.|relay-bin\.|undo_)|^[0-9A-F]{24}$/i;

/** Whether a file that a program writes to may be a log, by its path. */
export function mayBeLog(path: string): boolean {
  const clean = path.replace(/ \(deleted\)$/, '');
  const name = clean.slice(clean.lastIndexOf('/') + 1);
  if (!clean.startsWith('/') || NO_TEXT.test(name)) return false;
  return /log|out|err|trace/i.test(name) || /^\/var\/log\/|\/logs?\//.test(clean);
}

/** Whether a name beside a log is that of an older part of it: app.log.1, app.log-20260102.gz, app.2026-01-02.log. */
export function isRotated(name: string, log: string): boolean {
  const dot = log.lastIndexOf('.');
  const stem = dot > 0 ? log.slice(0, dot) : log;
  const end = dot > 0 ? log.slice(dot) : '';
  if (name === log) return false;
  if (name.startsWith(log)) return /^[.-][0-9]/.test(name.slice(log.length));
  return stem.length > 2 && name.startsWith(stem) && name.includes(end) && /^[._-][0-9]/.test(name.slice(stem.length));
}

/** What is shown as text must be text: a NUL in its beginning is none. */
export const isText = (bytes: Uint8Array): boolean => !bytes.subarray(0, 4096).includes(0);
