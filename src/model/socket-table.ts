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

/** Numbers of the columns. From the timer on they hold what TcpSocket has under the same name, or UNKNOWN. */
export const COLUMN = {
  /** What its source makes an object of. */
  record: 0,
  /** As the kernel numbers them. */
  state: 1,
  /** 0 where no file belongs to it. */
  inode: 2,
  /** Which of `ends` is its local one, and which of `addresses` the peer has. */
  end: 3,
  peer: 4,
  peerPort: 5,
  marks: 6,
  timer: 7,
  lastAckReceivedMs: 8,
  lastDataReceivedMs: 9,
  lastDataSentMs: 10,
  recvQueue: 11,
  sendQueue: 12,
  bytesAcked: 13,
  bytesReceived: 14,
} as const;

const COLUMNS = Object.keys(COLUMN).length;

const FEW = 64;

/**
 * Sockets by the 100,000: what is asked of every one of them lies in columns of numbers, and an object is made of a socket
 * only when somebody looks at that one. To make objects of all, and to collect them again, takes longer than all that a
 * report asks; and of a column, sixteen numbers come at once from memory, which is what reading them waits for.
 */
export class SocketTable {
  /** Column behind column, each as long as `capacity`. */
  cells = new Uint32Array(FEW * COLUMNS);
  capacity = FEW;
  readonly ends: LocalEnd[] = [];
  readonly addresses: string[] = [];
  /** Whether earlier captures tell of some of them how long they have been there. */
  hasHistory = false;
  #source: SocketSource | undefined;
  /** Those that came as objects, and those that somebody has looked at. */
  readonly #sockets: (TcpSocket | undefined)[] = [];
  readonly #endNumbers = new Map<string, number>();
  readonly #addressNumbers = new Map<string, number>();

  get length(): number {
    return this.#sockets.length;
  }

  at(row: number): TcpSocket | undefined {
    const known = this.#sockets[row];
    if (known || row < 0 || row >= this.length) return known;
    const made = this.#source?.socket(this.cell(row, COLUMN.record));
    this.#sockets[row] = made;
    return made;
  }

  cell(row: number, column: number): number {
    return this.cells[column * this.capacity + row] ?? UNKNOWN;
  }

  /** Of the socket with this inode, found by looking through the column; -1 when there is none. */
  rowOf(inode: number): number {
    const from = COLUMN.inode * this.capacity;
    return this.cells.subarray(from, from + this.length).indexOf(inode);
  }

  /** Below 0 in captures, for names. */
  peerPort(row: number): number {
    return this.cell(row, COLUMN.peerPort) | 0;
  }

  /** Makes room for so many rows more. */
  reserve(rows: number): void {
    const needed = this.length + rows;
    if (needed <= this.capacity) return;
    const { cells, capacity: before } = this;
    this.capacity = Math.max(needed, before * 2);
    this.cells = new Uint32Array(this.capacity * COLUMNS);
    for (let column = 0; column < COLUMNS; column++) {
      this.cells.set(cells.subarray(column * before, (column + 1) * before), column * this.capacity);
    }
  }

  /** Adds a row of which its source can make an object, and gives its number: the caller fills the other columns. */
  add(source: SocketSource, record: number): number {
    this.#source = source;
    const row = this.#addRow(undefined);
    this.cells[COLUMN.record * this.capacity + row] = record;
    return row;
  }

  push(socket: TcpSocket): void {
    const row = this.#addRow(socket);
    const set = (column: number, value: number | undefined): void => {
      this.cells[column * this.capacity + row] = value ?? UNKNOWN;
    };
    set(COLUMN.state, TCP_STATE[socket.state]);
    set(COLUMN.inode, socket.inode ?? 0);
    set(COLUMN.end, this.endOf(socket));
    set(COLUMN.peer, this.addressOf(socket.peer.address));
    set(COLUMN.peerPort, socket.peer.port);
    set(COLUMN.marks, marksOf(socket));
    set(COLUMN.timer, socket.timer && TIMER[socket.timer]);
    set(COLUMN.lastAckReceivedMs, socket.lastAckReceivedMs);
    set(COLUMN.lastDataReceivedMs, socket.lastDataReceivedMs);
    set(COLUMN.lastDataSentMs, socket.lastDataSentMs);
    set(COLUMN.recvQueue, socket.recvQueue);
    set(COLUMN.sendQueue, socket.sendQueue);
    set(COLUMN.bytesAcked, socket.bytesAcked);
    set(COLUMN.bytesReceived, socket.bytesReceived);
    this.hasHistory ||= socket.seenAgoMs !== undefined || socket.cameWithinMs !== undefined;
  }

  #addRow(socket: TcpSocket | undefined): number {
    this.reserve(1);
    return this.#sockets.push(socket) - 1;
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
    for (let row = 0; row < this.length; row++) {
      if (!test(row)) continue;
      if (kept < row) {
        for (let at = 0; at < this.cells.length; at += this.capacity)
          this.cells.copyWithin(at + kept, at + row, at + row + 1);
        this.#sockets[kept] = this.#sockets[row];
      }
      kept++;
    }
    this.#sockets.length = kept;
  }

  /** Its sockets as they are now. */
  list(): SocketRows {
    if (this.#all?.length === this.length) return this.#all;
    const rows = new Uint32Array(this.length);
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

  /** Row by row. An iterator would make an object for each of 100,000, and so it is for all loops over `rows`. */
  each(use: (row: number) => void): void {
    for (let index = 0; index < this.rows.length; index++) use(this.rows[index] ?? 0);
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
