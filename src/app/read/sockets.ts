import type { TcpState } from '../../model/socket.ts';
import type { Capture } from '../../parse/captures/capture.ts';
import type { CapturedHolder, CaptureFormat, CaptureRow } from '../../parse/captures/row.ts';

/** A socket as all rows about it together tell. */
export type MergedSocket = Omit<CaptureRow, 'line' | 'holders' | 'closed' | 'incomplete'> & {
  holders: CapturedHolder[];
  /** A capture that names processes shows it, and names none for it. */
  noHolderShown: boolean;
  /** The last capture that shows it. */
  capture: Capture;
};

export type MergedCaptures = {
  sockets: MergedSocket[];
  /** Descriptors of connections that have ended. */
  closed: CaptureRow[];
  /** Rows without State column that were taken as CLOSE_WAIT. */
  assumed: number;
  /** Rows that tell of a socket no more than that it is one. */
  bare: number;
};

/** Tools that print one row for each descriptor: several rows may be one socket. The others print one for each socket. */
const BY_DESCRIPTOR: ReadonlySet<CaptureFormat> = new Set(['lsof', 'lsof-fields', 'lsof-json', 'lsfd', 'lsfd-json']);

/**
 * Puts together what several rows and several captures of one moment tell of a socket: the same inode, the same address
 * in the kernel, or the same two ends.
 */
export function mergeCaptures(captures: Capture[]): MergedCaptures {
  const merger = new Merger();
  for (const capture of captures) merger.add(capture);
  const known = merger.sockets.filter(({ state, local }) => state !== undefined && local !== undefined);
  return { sockets: known, closed: merger.closed, assumed: merger.assumed, bare: merger.sockets.length - known.length };
}

class Merger {
  readonly sockets: MergedSocket[] = [];
  readonly closed: CaptureRow[] = [];
  assumed = 0;
  readonly #byInode = new Map<number, MergedSocket>();
  readonly #byDevice = new Map<string, MergedSocket>();
  readonly #byEnds = new Map<string, MergedSocket[]>();

  add(capture: Capture): void {
    const { format, rows } = capture;
    // With -o, a socket without a timer has none; without -o nothing is known.
    const timers = format === 'ss' && rows.some(({ timer }) => timer !== undefined);
    const processes = rows.some(({ holders }) => holders !== undefined);
    for (const row of rows) {
      if (row.closed) this.closed.push(row);
      else this.#addRow(row, capture, timers, processes);
    }
  }

  #addRow(row: CaptureRow, capture: Capture, timers: boolean, processes: boolean): void {
    const { line: _line, incomplete: _cut, closed: _closed, holders = [], ...facts } = row;
    if (facts.state === undefined && capture.format === 'ss') {
      facts.state = 'CLOSE_WAIT';
      this.assumed++;
    }
    if (timers) facts.timer ??= 'none';
    dropQueueOfOthers(facts, capture.format);
    const known = this.#find(facts, capture);
    const socket = known ?? { ...facts, holders: [], noHolderShown: false, capture };
    if (known) fill(known, facts, capture);
    else this.sockets.push(socket);
    for (const holder of holders) addHolder(socket.holders, holder);
    socket.noHolderShown = socket.holders.length === 0 && (socket.noHolderShown || processes);
    this.#index(socket, !known);
  }

  #find({ inode, device, local, peer }: Partial<CaptureRow>, capture: Capture): MergedSocket | undefined {
    const byInode = inode ? this.#byInode.get(inode) : undefined;
    const exact = byInode ?? (device === undefined ? undefined : this.#byDevice.get(device));
    if (exact || !local) return exact;
    return this.#byEnds.get(keyOf(local, peer))?.find((it) => {
      if (inode && it.inode && it.inode !== inode) return false;
      // Listeners may share an end (SO_REUSEPORT), and each row of ss is a socket of its own.
      if (it.capture === capture) return BY_DESCRIPTOR.has(capture.format) && device === undefined && !inode;
      return true;
    });
  }

  #index(socket: MergedSocket, isNew: boolean): void {
    const { inode, device, local, peer } = socket;
    if (inode) this.#byInode.set(inode, socket);
    if (device !== undefined) this.#byDevice.set(device, socket);
    if (!local) return;
    const key = keyOf(local, peer);
    const same = this.#byEnds.get(key);
    if (!same) this.#byEnds.set(key, [socket]);
    else if (isNew || !same.includes(socket)) same.push(socket);
  }
}

const keyOf = (local: MergedSocket['local'], peer: MergedSocket['peer']): string =>
  `${local?.address} ${local?.port} ${peer?.address ?? ''} ${peer?.port ?? ''}`;

// On Linux the FIN counts as one byte of Recv-Q. Elsewhere it does not, so 0 and 1 do not tell there what they tell here.
function dropQueueOfOthers(facts: { state?: TcpState; recvQueue?: number }, format: CaptureFormat): void {
  if (format === 'netstat-bsd' && facts.state === 'CLOSE_WAIT' && (facts.recvQueue ?? 0) <= 1) delete facts.recvQueue;
}

/** What is known later replaces what was known before, and what is not known later stays. */
function fill(socket: MergedSocket, facts: Partial<CaptureRow>, capture: Capture): void {
  const { inode } = socket;
  Object.assign(socket, facts, { capture });
  if (inode && !socket.inode) socket.inode = inode;
}

function addHolder(holders: CapturedHolder[], holder: CapturedHolder): void {
  const same = holders.find(
    ({ pid, fd }) => pid === holder.pid && (fd === undefined || holder.fd === undefined || fd === holder.fd),
  );
  // lsof cuts names after 9 characters, netstat after 20, and ss tells the 15 that the kernel keeps.
  const name = (same?.name?.length ?? 0) > (holder.name?.length ?? 0) ? same?.name : holder.name;
  if (same) Object.assign(same, holder, name !== undefined && { name });
  else holders.push({ ...holder });
}
