import { InodePlaces } from './inode-map.ts';
import { TCP_STATE, type TcpSocket, type TcpTimer } from './socket.ts';

/** A list of sockets: an array of them, or rows of a table. */
export interface Sockets extends Iterable<TcpSocket> {
  readonly length: number;
  at(index: number): TcpSocket | undefined;
  some(test: (socket: TcpSocket) => boolean | undefined): boolean;
  every(test: (socket: TcpSocket) => boolean | undefined): boolean;
  filter(test: (socket: TcpSocket) => boolean): Sockets;
  map<T>(of: (socket: TcpSocket) => T): T[];
  flatMap<T>(of: (socket: TcpSocket) => T | readonly T[]): T[];
}

/** An answer of the kernel of which single sockets can be made, by their number. */
export type SocketSource = { socket(record: number): TcpSocket };

/** Where connections have their local end. */
export type LocalEnd = Pick<TcpSocket, 'netns' | 'family' | 'local'>;

/** Stands in a column for what is not known. */
export const UNKNOWN = 2 ** 32 - 1;

/** Numbers of timers in their column. */
export const TIMER: Readonly<Record<TcpTimer, number>> = {
  none: 0,
  retransmit: 1,
  keepalive: 2,
  timewait: 3,
  'zero-window-probe': 4,
};

/** Bits of the column `marks`. What may not be known has a bit for yes and one for no. */
export const MARK = { keepalive: 1, inEpoll: 2, notInEpoll: 4, awaited: 8, notAwaited: 16 } as const;

/** Names of the columns. From the timer on they hold what TcpSocket has under the same name, or UNKNOWN. */
export const COLUMNS = [
  /** What its source makes an object of. */
  'record',
  /** As the kernel numbers them. */
  'state',
  /** 0 where no file belongs to it. */
  'inode',
  /** Process that alone holds it, by one descriptor; UNKNOWN where that is not known. */
  'holder',
  /** That descriptor, or another one that was seen; UNKNOWN where none was. */
  'fd',
  /** Which of `ends` is its local one, and which of `addresses` the peer has. */
  'end',
  'peer',
  /** In 32 bits, of which captures use the sign, for names. */
  'peerPort',
  /** Bits of MARK. */
  'marks',
  'timer',
  'lastAckReceivedMs',
  'lastDataReceivedMs',
  'lastDataSentMs',
  'recvQueue',
  'sendQueue',
  'bytesAcked',
  'bytesReceived',
] as const;

export type Column = Uint32Array<ArrayBuffer>;

const FEW = 64;

/**
 * Sockets by the 100,000: what is asked of every one of them lies in columns of numbers, and an object is made of a socket
 * only when somebody looks at that one. To make objects of all, and to collect them again, takes longer than all that a
 * report asks; and of a column, sixteen numbers come at once from memory, which is what reading them waits for.
 *
 * Loops over all rows take the columns they need into variables and call nothing for each row: most runs end before the
 * compiler has made such calls cheap. A column is another one after rows were added.
 */
export class SocketTable implements Record<(typeof COLUMNS)[number], Column> {
  record = new Uint32Array(FEW);
  state = new Uint32Array(FEW);
  inode = new Uint32Array(FEW);
  holder = new Uint32Array(FEW);
  fd = new Uint32Array(FEW);
  end = new Uint32Array(FEW);
  peer = new Uint32Array(FEW);
  peerPort = new Uint32Array(FEW);
  marks = new Uint32Array(FEW);
  timer = new Uint32Array(FEW);
  lastAckReceivedMs = new Uint32Array(FEW);
  lastDataReceivedMs = new Uint32Array(FEW);
  lastDataSentMs = new Uint32Array(FEW);
  recvQueue = new Uint32Array(FEW);
  sendQueue = new Uint32Array(FEW);
  bytesAcked = new Uint32Array(FEW);
  bytesReceived = new Uint32Array(FEW);
  readonly ends: LocalEnd[] = [];
  readonly addresses: string[] = [];
  /** Whether earlier captures tell of some of them how long they have been there. */
  hasHistory = false;
  #length = 0;
  #source: SocketSource | undefined;
  /** Those that came as objects, and those that somebody has looked at. */
  readonly #sockets: (TcpSocket | undefined)[] = [];
  #rows = new InodePlaces();
  readonly #endNumbers = new Map<string, number>();
  readonly #addressNumbers = new Map<string, number>();

  get length(): number {
    return this.#length;
  }

  at(row: number): TcpSocket | undefined {
    const known = this.#sockets[row];
    if (known || row < 0 || row >= this.#length) return known;
    const made = this.#source?.socket(this.record[row] ?? 0);
    this.#sockets[row] = made;
    return made;
  }

  /** Of the socket with this inode; -1 when there is none. */
  rowOf(inode: number): number {
    return this.#rows.of(inode, this.inode.subarray(0, this.#length));
  }

  /** Below 0 in captures, for names. */
  peerPortAt(row: number): number {
    return (this.peerPort[row] ?? 0) | 0;
  }

  /** Makes room for so many rows more. */
  reserve(rows: number): void {
    const needed = this.#length + rows;
    const { length: before } = this.record;
    if (needed <= before) return;
    const capacity = Math.max(needed, before * 2);
    for (const name of COLUMNS) {
      const larger = new Uint32Array(capacity);
      larger.set(this[name]);
      this[name] = larger;
    }
  }

  /** Adds rows of which their source can make objects, and gives the first one's number: the caller fills the columns. */
  add(source: SocketSource, rows: number): number {
    this.reserve(rows);
    this.#source = source;
    const first = this.#length;
    this.#length += rows;
    return first;
  }

  push(socket: TcpSocket): void {
    this.reserve(1);
    const row = this.#length++;
    this.#sockets[row] = socket;
    this.state[row] = TCP_STATE[socket.state];
    this.inode[row] = socket.inode ?? 0;
    this.holder[row] = UNKNOWN;
    this.fd[row] = UNKNOWN;
    this.end[row] = this.endOf(socket);
    this.peer[row] = this.addressOf(socket.peer.address);
    this.peerPort[row] = socket.peer.port;
    this.marks[row] = marksOf(socket);
    this.timer[row] = socket.timer === undefined ? UNKNOWN : TIMER[socket.timer];
    this.lastAckReceivedMs[row] = socket.lastAckReceivedMs ?? UNKNOWN;
    this.lastDataReceivedMs[row] = socket.lastDataReceivedMs ?? UNKNOWN;
    this.lastDataSentMs[row] = socket.lastDataSentMs ?? UNKNOWN;
    this.recvQueue[row] = socket.recvQueue ?? UNKNOWN;
    this.sendQueue[row] = socket.sendQueue ?? UNKNOWN;
    this.bytesAcked[row] = socket.bytesAcked ?? UNKNOWN;
    this.bytesReceived[row] = socket.bytesReceived ?? UNKNOWN;
    this.hasHistory ||= socket.seenAgoMs !== undefined || socket.cameWithinMs !== undefined;
  }

  /** The number of a local end in `ends`. */
  endOf({ netns, family, local }: LocalEnd): number {
    const key = `${netns} ${family} ${local.port} ${local.address}`;
    return numberOf(this.#endNumbers, key, this.ends, { netns, family, local });
  }

  /** The number of an address in `addresses`. */
  addressOf(address: string): number {
    return numberOf(this.#addressNumbers, address, this.addresses, address);
  }

  /** Keeps only the rows of which it is so. */
  retain(test: (row: number) => boolean): void {
    let kept = 0;
    for (let row = 0; row < this.#length; row++) {
      if (!test(row)) continue;
      if (kept < row) {
        for (const name of COLUMNS) this[name][kept] = this[name][row] ?? UNKNOWN;
        this.#sockets[kept] = this.#sockets[row];
      }
      kept++;
    }
    this.#length = kept;
    this.#rows = new InodePlaces();
    this.#sockets.length = Math.min(this.#sockets.length, kept);
  }

  /** Its sockets as they are now. */
  list(): SocketRows {
    if (this.#all?.length === this.#length) return this.#all;
    const rows = new Uint32Array(this.#length);
    for (let row = 0; row < rows.length; row++) rows[row] = row;
    this.#all = new SocketRows(this, rows);
    return this.#all;
  }

  #all: SocketRows | undefined;
}

/** Some sockets of a table, in an order of their own. */
export class SocketRows implements Sockets {
  readonly table: SocketTable;
  readonly rows: Uint32Array;

  constructor(table: SocketTable, rows: Uint32Array) {
    this.table = table;
    this.rows = rows;
  }

  /** Of an array a table is made. */
  static of(sockets: Sockets): SocketRows {
    if (sockets instanceof SocketRows) return sockets;
    const table = new SocketTable();
    for (const socket of sockets) table.push(socket);
    return table.list();
  }

  get length(): number {
    return this.rows.length;
  }

  at(index: number): TcpSocket | undefined {
    const row = this.rows.at(index);
    return row === undefined ? undefined : this.table.at(row);
  }

  *[Symbol.iterator](): IterableIterator<TcpSocket> {
    for (const row of this.rows) {
      const socket = this.table.at(row);
      if (socket) yield socket;
    }
  }

  some(test: (socket: TcpSocket) => boolean | undefined): boolean {
    for (const socket of this) if (test(socket)) return true;
    return false;
  }

  every(test: (socket: TcpSocket) => boolean | undefined): boolean {
    return !this.some((socket) => !test(socket));
  }

  filter(test: (socket: TcpSocket) => boolean): SocketRows {
    return new SocketRows(
      this.table,
      this.rows.filter((row) => {
        const socket = this.table.at(row);
        return socket !== undefined && test(socket);
      }),
    );
  }

  map<T>(of: (socket: TcpSocket) => T): T[] {
    return Array.from(this, (socket) => of(socket));
  }

  flatMap<T>(of: (socket: TcpSocket) => T | readonly T[]): T[] {
    return [...this].flatMap((socket) => of(socket));
  }
}

function marksOf({ keepalive, inEpoll, awaited }: TcpSocket): number {
  return (
    (keepalive ? MARK.keepalive : 0) |
    (inEpoll === undefined ? 0 : inEpoll ? MARK.inEpoll : MARK.notInEpoll) |
    (awaited === undefined ? 0 : awaited ? MARK.awaited : MARK.notAwaited)
  );
}

function numberOf<T>(numbers: Map<string, number>, key: string, things: T[], thing: T): number {
  const known = numbers.get(key);
  if (known !== undefined) return known;
  numbers.set(key, things.length);
  return things.push(thing) - 1;
}
