import { ParseError } from '../model/errors.ts';
import { type Endpoint, type Listener, type TcpSocket, type TcpTimer, tcpStateName } from '../model/socket.ts';
import { MARK, type SocketTable, TIMER, UNKNOWN } from '../model/socket-table.ts';
import { AddressCache } from './address.ts';
import { AF_INET } from './inet-diag.ts';

/**
 * The record that the BPF iterator writes for each descriptor of a TCP socket: names and sizes in their order. The
 * program that fills it (src/kernel/bpf/program.ts) and the decoder below both take their offsets from here.
 * Numbers are little-endian; addresses and the remote port are in network order, as the kernel keeps them.
 */
const FIELDS = [
  ['pid', 4],
  ['fd', 4],
  ['inode', 4],
  ['netns', 4],
  ['family', 1],
  /** 1 when the file is referred to once, by this entry of a descriptor table; 0 also where that is not known. */
  ['alone', 1],
  ['state', 1],
  /** 1 when the file is in an epoll set (file.f_ep). */
  ['inEpoll', 1],
  ['localPort', 2],
  ['remotePort', 2],
  ['uid', 4],
  ['flags', 4],
  ['error', 4],
  /** The low 32 bits of jiffies: when the record was written, and of three moments in the life of the socket. */
  ['now', 4],
  ['lastAckReceived', 4],
  ['lastDataReceived', 4],
  ['lastDataSent', 4],
  ['receiveNext', 4],
  ['copiedSequence', 4],
  ['writeSequence', 4],
  ['sendUnacknowledged', 4],
  ['acceptQueue', 4],
  ['acceptLimit', 4],
  /** The low halves of counters of 64 bits. */
  ['bytesAcked', 4],
  ['bytesReceived', 4],
  ['keepaliveExpires', 4],
  ['retransmitExpires', 4],
  ['pendingTimer', 1],
  /** 1 when sk_timer is pending. */
  ['keepalivePending', 1],
  /** 1 when a thread or an epoll set waits on the socket. */
  ['awaited', 1],
  ['shutdown', 1],
  ['localAddress', 16],
  ['remoteAddress', 16],
] as const;

export type HeldField = (typeof FIELDS)[number][0];

/** Offset and size of each field, in bytes. */
export const HELD_FIELD = Object.fromEntries(
  FIELDS.map(([name, size], index) => [
    name,
    { offset: FIELDS.slice(0, index).reduce((sum, [, before]) => sum + before, 0), size },
  ]),
) as Readonly<Record<HeldField, { offset: number; size: number }>>;

export const HELD_SIZE = FIELDS.reduce((sum, [, size]) => sum + size, 0);
const WORDS = HELD_SIZE / 4;

/** What the records of one pass cannot say of themselves. */
export type HeldFacts = {
  /** How the kernel was asked. */
  kind: 'typed' | 'generic';
  ticksPerSecond: number;
  /** Numbers of the bits SOCK_KEEPOPEN and SOCK_LINGER in `flags` (enum sock_flags); absent when not known. */
  keepaliveBit?: number;
  lingerBit?: number;
  /** Fields that this kernel does not have. */
  absent: readonly string[];
};

// Places in a record for the loops over 100,000 of them: in words, and for what is smaller in bytes.
const PID = HELD_FIELD.pid.offset / 4;
const FD = HELD_FIELD.fd.offset / 4;
const INODE = HELD_FIELD.inode.offset / 4;
const NETNS = HELD_FIELD.netns.offset / 4;
const NOW = HELD_FIELD.now.offset / 4;
const LAST_ACK_RECEIVED = HELD_FIELD.lastAckReceived.offset / 4;
const LAST_DATA_RECEIVED = HELD_FIELD.lastDataReceived.offset / 4;
const LAST_DATA_SENT = HELD_FIELD.lastDataSent.offset / 4;
const WRITE_SEQUENCE = HELD_FIELD.writeSequence.offset / 4;
const SEND_UNACKNOWLEDGED = HELD_FIELD.sendUnacknowledged.offset / 4;
const BYTES_ACKED = HELD_FIELD.bytesAcked.offset / 4;
const BYTES_RECEIVED = HELD_FIELD.bytesReceived.offset / 4;
const FLAGS = HELD_FIELD.flags.offset / 4;
const PORTS = HELD_FIELD.localPort.offset / 4; // the local one in host order, and in the upper half the remote one
const RECEIVE_NEXT = HELD_FIELD.receiveNext.offset / 4;
const COPIED_SEQUENCE = HELD_FIELD.copiedSequence.offset / 4;
/** The words that hold `family`, `alone`, `state` and `inEpoll`, and `pendingTimer`, `keepalivePending`, `awaited` and `shutdown`. */
const KIND = HELD_FIELD.family.offset / 4;
const WAITS = HELD_FIELD.pendingTimer.offset / 4;
const LOCAL_WORD = HELD_FIELD.localAddress.offset / 4;
const PEER_WORD = HELD_FIELD.remoteAddress.offset / 4;
const LOCAL_ADDRESS = HELD_FIELD.localAddress.offset;
const REMOTE_ADDRESS = HELD_FIELD.remoteAddress.offset;
const REMOTE_PORT = HELD_FIELD.remotePort.offset;
const FAMILY = HELD_FIELD.family.offset;
const ALONE = HELD_FIELD.alone.offset;
const STATE = HELD_FIELD.state.offset;
const IN_EPOLL = HELD_FIELD.inEpoll.offset;
const AWAITED = HELD_FIELD.awaited.offset;
const PENDING_TIMER = HELD_FIELD.pendingTimer.offset;
const KEEPALIVE_PENDING = HELD_FIELD.keepalivePending.offset;

/** Bytes of a sieve of inodes: those of 16 million sockets that are made one after the other each have a bit of their own. */
export const SIEVE_SIZE = 2 ** 21;

/** The records of one pass. */
export class HeldRecords {
  readonly count: number;
  readonly facts: HeldFacts;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  readonly addresses = new AddressCache();
  readonly #absent: ReadonlySet<string>;
  readonly #tickMs: number;
  readonly #tellsEpoll: boolean;
  readonly #tellsAwaited: boolean;

  constructor(bytes: Uint8Array, facts: HeldFacts) {
    if (bytes.length % HELD_SIZE !== 0)
      throw new ParseError('held sockets', `${bytes.length} bytes are no whole records`);
    this.facts = facts;
    this.count = bytes.length / HELD_SIZE;
    this.bytes = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    this.words = new Uint32Array(this.bytes.buffer, this.bytes.byteOffset, bytes.length / 4);
    this.#absent = new Set(facts.absent);
    this.#tickMs = 1000 / facts.ticksPerSecond;
    this.#tellsEpoll = this.has('inEpoll');
    this.#tellsAwaited = this.has('awaited');
  }

  has(field: HeldField): boolean {
    return !this.#absent.has(field);
  }

  word(record: number, field: HeldField): number {
    return this.words[record * WORDS + HELD_FIELD[field].offset / 4] ?? 0;
  }

  pid(record: number): number {
    return this.words[record * WORDS + PID] ?? 0;
  }

  fd(record: number): number {
    return this.words[record * WORDS + FD] ?? 0;
  }

  inode(record: number): number {
    return this.words[record * WORDS + INODE] ?? 0;
  }

  netns(record: number): number {
    return this.words[record * WORDS + NETNS] ?? 0;
  }

  state(record: number): number {
    return this.bytes[record * HELD_SIZE + STATE] ?? 0;
  }

  /** Whether a socket in state CLOSE once was connected: a new one has no peer, and one that was refused got no data. */
  wasConnected(record: number): boolean {
    return this.#remotePort(record) !== 0 && this.word(record, 'receiveNext') !== 0;
  }

  socket(record: number): TcpSocket {
    return new HeldSocket(this, record);
  }

  listener(record: number): Listener {
    return {
      netns: this.netns(record),
      family: this.family(record),
      local: this.local(record),
      queue: this.word(record, 'acceptQueue'),
      limit: this.word(record, 'acceptLimit'),
      uid: this.word(record, 'uid'),
      inode: this.inode(record),
    };
  }

  family(record: number): 4 | 6 {
    return this.isV4(record) ? 4 : 6;
  }

  isV4(record: number): boolean {
    return this.bytes[record * HELD_SIZE + FAMILY] === AF_INET;
  }

  local(record: number): Endpoint {
    return { address: this.#address(record, LOCAL_ADDRESS), port: this.#localPort(record) };
  }

  peer(record: number): Endpoint {
    return { address: this.#address(record, REMOTE_ADDRESS), port: this.#remotePort(record) };
  }

  /** Whether no other entry of a descriptor table refers to the same socket. Processes may share a table. */
  isAlone(record: number): boolean {
    return this.bytes[record * HELD_SIZE + ALONE] === 1;
  }

  /**
   * Where the records end that are like this one: further descriptors of the same process, each above the one before and alone,
   * of sockets with the same local end, of which the kernel says the same but for numbers and times. They are told apart from
   * others once for all of them.
   */
  endOfLike(record: number): number {
    const { words, count } = this;
    const first = record * WORDS;
    let fd = words[first + FD] ?? 0;
    let next = record + 1;
    if (!this.isAlone(record)) return next;
    for (; next < count; next++) {
      const at = next * WORDS;
      const nextFd = words[at + FD] ?? 0;
      if (words[at + PID] !== words[first + PID] || nextFd <= fd) break;
      if (words[at + KIND] !== words[first + KIND] || words[at + WAITS] !== words[first + WAITS]) break;
      if (words[at + FLAGS] !== words[first + FLAGS] || words[at + NETNS] !== words[first + NETNS]) break;
      if (!this.#hasSameLocal(first, at)) break;
      fd = nextFd;
    }
    return next;
  }

  /**
   * The first record from one on whose socket may have come before, or `to`; all before it are put into the sieve. A file with one
   * descriptor can come twice all the same: in a table that processes share, or when it is moved while the pass is under way.
   */
  nextSeen(sieve: Uint8Array, from: number, to: number): number {
    const { words } = this;
    let record = from;
    for (; record < to; record++) {
      const inode = words[record * WORDS + INODE] ?? 0;
      const place = (inode >>> 3) & (SIEVE_SIZE - 1);
      const bits = sieve[place] ?? 0;
      const bit = 1 << (inode & 7);
      if ((bits & bit) !== 0) break;
      sieve[place] = bits | bit;
    }
    return record;
  }

  /** Of two places in words. Of IPv4 the further words of an address are 0. */
  #hasSameLocal(first: number, at: number): boolean {
    const { words } = this;
    return (
      words[at + LOCAL_WORD] === words[first + LOCAL_WORD] &&
      words[at + LOCAL_WORD + 1] === words[first + LOCAL_WORD + 1] &&
      words[at + LOCAL_WORD + 2] === words[first + LOCAL_WORD + 2] &&
      words[at + LOCAL_WORD + 3] === words[first + LOCAL_WORD + 3] &&
      (((words[at + PORTS] ?? 0) ^ (words[first + PORTS] ?? 0)) & 0xffff) === 0
    );
  }

  /**
   * Adds like records to a table: the row of the first, and what none is younger than in CLOSE_WAIT, -1 where that is not clear.
   * `holder` alone holds them, if that is known.
   */
  addTo(table: SocketTable, from: number, to: number, holder = UNKNOWN): { row: number; atLeastMs: number } {
    const row = table.add(this, to - from);
    const end = row + to - from;
    const ends = this.#endsIn(table);
    table.holder.fill(holder, row, end);
    table.state.fill(this.state(from), row, end);
    table.end.fill(ends.local(from), row, end);
    table.marks.fill(this.#marks(from), row, end);
    table.timer.fill(TIMER[this.timer(from)], row, end);
    return { row, atLeastMs: this.#copy(table, ends, row, from, to) };
  }

  #copy(table: SocketTable, ends: KnownEnds, row: number, first: number, end: number): number {
    const { words } = this;
    const tickMs = this.#tickMs;
    const { record, inode, fd, peer, peerPort, recvQueue, sendQueue, bytesAcked, bytesReceived } = table;
    const { lastAckReceivedMs, lastDataReceivedMs, lastDataSentMs } = table;
    // Of IPv6 a word is not the address.
    const isV4 = this.isV4(first);
    let peerWord = -1;
    let peerNumber = 0;
    let youngestMs = UNKNOWN;
    // Data comes with an acknowledgement; where it seems to be older than that, one of the times has wrapped.
    let wrapped = false;
    for (let it = first, to = row; it < end; it++, to++) {
      const from = it * WORDS;
      record[to] = it;
      inode[to] = words[from + INODE] ?? 0;
      fd[to] = words[from + FD] ?? 0;
      if (words[from + PEER_WORD] !== peerWord || !isV4) peerNumber = ends.peer(it);
      peerWord = words[from + PEER_WORD] ?? 0;
      peer[to] = peerNumber;
      const port = (words[from + PORTS] ?? 0) >>> 16; // in network order
      peerPort[to] = ((port & 0xff) << 8) | (port >>> 8);
      const now = words[from + NOW] ?? 0;
      const ack = elapsed(now, words[from + LAST_ACK_RECEIVED] ?? 0, tickMs);
      const data = elapsed(now, words[from + LAST_DATA_RECEIVED] ?? 0, tickMs);
      lastAckReceivedMs[to] = ack;
      lastDataReceivedMs[to] = data;
      lastDataSentMs[to] = elapsed(now, words[from + LAST_DATA_SENT] ?? 0, tickMs);
      if (ack > data) wrapped = true;
      if (ack < youngestMs) youngestMs = ack;
      let unread = ((words[from + RECEIVE_NEXT] ?? 0) - (words[from + COPIED_SEQUENCE] ?? 0)) | 0;
      if (unread < 0) unread = 0;
      recvQueue[to] = unread;
      sendQueue[to] = ((words[from + WRITE_SEQUENCE] ?? 0) - (words[from + SEND_UNACKNOWLEDGED] ?? 0)) >>> 0;
      bytesAcked[to] = words[from + BYTES_ACKED] ?? 0;
      bytesReceived[to] = words[from + BYTES_RECEIVED] ?? 0;
    }
    return wrapped ? -1 : youngestMs;
  }

  #endsIn(table: SocketTable): KnownEnds {
    if (this.#ends?.table !== table) this.#ends = new KnownEnds(this, table);
    return this.#ends;
  }

  #ends: KnownEnds | undefined;

  #localPort(record: number): number {
    return (this.words[record * WORDS + PORTS] ?? 0) & 0xffff;
  }

  #remotePort(record: number): number {
    const at = record * HELD_SIZE + REMOTE_PORT;
    return ((this.bytes[at] ?? 0) << 8) | (this.bytes[at + 1] ?? 0);
  }

  #address(record: number, offset: number): string {
    const at = record * HELD_SIZE + offset;
    return this.family(record) === 4 ? this.addresses.v4(this.bytes, at) : this.addresses.v6(this.bytes, at);
  }

  /** Milliseconds between a moment and the writing of the record. What happened meanwhile has happened just now. */
  #since(record: number, moment: number): number {
    const at = record * WORDS;
    return elapsed(this.words[at + NOW] ?? 0, this.words[at + moment] ?? 0, this.#tickMs);
  }

  lastAckReceivedMs(record: number): number {
    return this.#since(record, LAST_ACK_RECEIVED);
  }

  lastDataReceivedMs(record: number): number {
    return this.#since(record, LAST_DATA_RECEIVED);
  }

  lastDataSentMs(record: number): number {
    return this.#since(record, LAST_DATA_SENT);
  }

  unread(record: number): number {
    const at = record * WORDS;
    return Math.max(0, ((this.words[at + RECEIVE_NEXT] ?? 0) - (this.words[at + COPIED_SEQUENCE] ?? 0)) | 0);
  }

  unsent(record: number): number {
    const at = record * WORDS;
    return ((this.words[at + WRITE_SEQUENCE] ?? 0) - (this.words[at + SEND_UNACKNOWLEDGED] ?? 0)) >>> 0;
  }

  timer(record: number): TcpTimer {
    const pending = PENDING[this.bytes[record * HELD_SIZE + PENDING_TIMER] ?? 0];
    if (pending) return pending;
    return this.bytes[record * HELD_SIZE + KEEPALIVE_PENDING] === 1 ? 'keepalive' : 'none';
  }

  /** Undefined where the number of the flag's bit is not known. */
  flag(record: number, bit: number | undefined): boolean | undefined {
    return bit === undefined ? undefined : (((this.words[record * WORDS + FLAGS] ?? 0) >>> bit) & 1) === 1;
  }

  #marks(record: number): number {
    const inEpoll = this.bytes[record * HELD_SIZE + IN_EPOLL] === 1 ? MARK.inEpoll : MARK.notInEpoll;
    const awaited = this.bytes[record * HELD_SIZE + AWAITED] === 1 ? MARK.awaited : MARK.notAwaited;
    return (
      (this.#tellsEpoll ? inEpoll : 0) |
      (this.#tellsAwaited ? awaited : 0) |
      (this.flag(record, this.facts.keepaliveBit) ? MARK.keepalive : 0)
    );
  }

  /** Milliseconds until a moment. */
  until(record: number, field: HeldField): number {
    const ticks = (this.word(record, field) - this.word(record, 'now')) >>> 0;
    return ticks > ALMOST_AROUND ? 0 : Math.floor(ticks * this.#tickMs);
  }

  byte(record: number, field: HeldField): number {
    return this.bytes[record * HELD_SIZE + HELD_FIELD[field].offset] ?? 0;
  }
}

/**
 * Numbers of ends in a table. A leak has many sockets and few ends, so those of IPv4 are known by their numbers, and text is
 * made of them once.
 */
class KnownEnds {
  readonly table: SocketTable;
  readonly #records: HeldRecords;
  readonly #locals = new Map<number, number>();
  readonly #peers = new Map<number, number>();
  #netns = -1;

  constructor(records: HeldRecords, table: SocketTable) {
    this.#records = records;
    this.table = table;
  }

  local(record: number): number {
    const { words } = this.#records;
    const at = record * WORDS;
    const make = (): number => this.table.endOf(this.#records.socket(record));
    if (!this.#records.isV4(record)) return make();
    const netns = words[at + NETNS] ?? 0;
    if (netns !== this.#netns) this.#locals.clear();
    this.#netns = netns;
    return numberOf(this.#locals, (words[at + LOCAL_WORD] ?? 0) * 65_536 + ((words[at + PORTS] ?? 0) & 0xffff), make);
  }

  peer(record: number): number {
    const make = (): number => this.table.addressOf(this.#records.peer(record).address);
    if (!this.#records.isV4(record)) return make();
    return numberOf(this.#peers, this.#records.words[record * WORDS + PEER_WORD] ?? 0, make);
  }
}

function numberOf(known: Map<number, number>, key: number, make: () => number): number {
  const number = known.get(key) ?? make();
  known.set(key, number);
  return number;
}

/** In milliseconds, of two moments in ticks. */
function elapsed(now: number, moment: number, tickMs: number): number {
  const ticks = (now - moment) >>> 0;
  return ticks > ALMOST_AROUND ? 0 : Math.floor(ticks * tickMs);
}

/** Ticks are counted in 32 bits. A difference this close to all of them is a moment that lies ahead by a little. */
const ALMOST_AROUND = 2 ** 32 - 2 ** 20;

// Values of icsk_pending (include/net/inet_connection_sock.h) as net/ipv4/inet_diag.c tells them on.
const PENDING: readonly (TcpTimer | undefined)[] = [
  undefined,
  'retransmit', // ICSK_TIME_RETRANS
  undefined, // ICSK_TIME_DACK: an acknowledgement waits, which counts as no timer
  'zero-window-probe', // ICSK_TIME_PROBE0
  undefined,
  'retransmit', // ICSK_TIME_LOSS_PROBE
  'retransmit', // ICSK_TIME_REO_TIMEOUT
];

// RCV_SHUTDOWN and SEND_SHUTDOWN (include/net/sock.h)
const SHUTDOWN: Readonly<Record<number, TcpSocket['shutdown']>> = { 1: 'receive', 2: 'send', 3: 'both' };

/** A socket that reads its fields from its record when they are asked for: of 100,000 most are asked for few. */
class HeldSocket implements TcpSocket {
  readonly #records: HeldRecords;
  readonly #record: number;

  constructor(records: HeldRecords, record: number) {
    this.#records = records;
    this.#record = record;
  }

  get netns(): number {
    return this.#records.netns(this.#record);
  }

  get family(): 4 | 6 {
    return this.#records.family(this.#record);
  }

  get state(): TcpSocket['state'] {
    return tcpStateName(this.#records.state(this.#record)) ?? 'CLOSE';
  }

  get local(): Endpoint {
    return this.#records.local(this.#record);
  }

  get peer(): Endpoint {
    return this.#records.peer(this.#record);
  }

  get recvQueue(): number {
    return this.#records.unread(this.#record);
  }

  get sendQueue(): number {
    return this.#records.unsent(this.#record);
  }

  get timer(): TcpTimer {
    return this.#records.timer(this.#record);
  }

  get timerMs(): number | undefined {
    const { timer } = this;
    if (timer === 'none') return undefined;
    return this.#records.until(this.#record, timer === 'keepalive' ? 'keepaliveExpires' : 'retransmitExpires');
  }

  get uid(): number {
    return this.#records.word(this.#record, 'uid');
  }

  get inode(): number {
    return this.#records.inode(this.#record);
  }

  get lastAckReceivedMs(): number {
    return this.#records.lastAckReceivedMs(this.#record);
  }

  get lastDataReceivedMs(): number {
    return this.#records.lastDataReceivedMs(this.#record);
  }

  get lastDataSentMs(): number {
    return this.#records.lastDataSentMs(this.#record);
  }

  get bytesAcked(): number {
    return this.#records.word(this.#record, 'bytesAcked');
  }

  get bytesReceived(): number {
    return this.#records.word(this.#record, 'bytesReceived');
  }

  get keepalive(): boolean | undefined {
    return this.#records.flag(this.#record, this.#records.facts.keepaliveBit);
  }

  get linger(): boolean | undefined {
    return this.#records.flag(this.#record, this.#records.facts.lingerBit);
  }

  get inEpoll(): boolean | undefined {
    return this.#records.has('inEpoll') ? this.#records.byte(this.#record, 'inEpoll') === 1 : undefined;
  }

  get awaited(): boolean | undefined {
    return this.#records.has('awaited') ? this.#records.byte(this.#record, 'awaited') === 1 : undefined;
  }

  get shutdown(): TcpSocket['shutdown'] {
    return SHUTDOWN[this.#records.byte(this.#record, 'shutdown')];
  }

  get error(): number | undefined {
    return this.#records.word(this.#record, 'error') || undefined;
  }
}
