import { TCP_STATE } from '../../model/socket.ts';
import type { Member } from '../../parse/btf.ts';
import { HELD_FIELD, HELD_SIZE, type HeldField } from '../../parse/held-socket.ts';
import { Assembler, FRAME, type Register, type Width } from './assembler.ts';

/** Where a member of a struct of the running kernel is; undefined where this kernel has none. */
export type MemberOf = (struct: string, path: string) => Member | undefined;

export type HeldProgramRequest = {
  /** `typed` loads through typed pointers (bpf_sock_from_file, Linux 5.11), `generic` copies each field (Linux 5.8). */
  kind: 'typed' | 'generic';
  /** Mask of TCP states (1 << state): which sockets are wanted. */
  states: number;
  /** Number processes as the reader's pid namespace does, and not as the first one does. */
  translatePids: boolean;
  /** Only of descriptors with these numbers. */
  fds?: FdRange;
};

/** From the first to before the last, which is absent where there is no end. */
export type FdRange = { from: number; to?: number };

/** The program, and the fields that this kernel does not have: they are 0 in every record. */
export type HeldProgram = { instructions: Uint8Array; absent: HeldField[] };

/** This kernel lacks something without which there is no program. */
export class MissingType extends Error {}

/** A place in the kernel: `struct.member`, further on through pointers with `->`. */
type Place = string;

/**
 * Fields that are copied as they are, from the first place that this kernel has. Places begin at the file of the
 * descriptor or at its socket.
 */
const COPIED: Partial<Record<HeldField, readonly Place[]>> = {
  inode: ['file.f_inode -> inode.i_ino'],
  netns: ['sock.__sk_common.skc_net.net -> net.ns.inum'],
  family: ['sock.__sk_common.skc_family'],
  state: ['sock.__sk_common.skc_state'],
  localPort: ['sock.__sk_common.skc_num'],
  remotePort: ['sock.__sk_common.skc_dport'],
  uid: ['sock.sk_uid.val'],
  flags: ['sock.__sk_common.skc_flags'],
  error: ['sock.sk_err'],
  lastAckReceived: ['tcp_sock.rcv_tstamp'],
  lastDataReceived: ['inet_connection_sock.icsk_ack.lrcvtime'],
  lastDataSent: ['tcp_sock.lsndtime'],
  receiveNext: ['tcp_sock.rcv_nxt'],
  copiedSequence: ['tcp_sock.copied_seq'],
  writeSequence: ['tcp_sock.write_seq'],
  sendUnacknowledged: ['tcp_sock.snd_una'],
  bytesAcked: ['tcp_sock.bytes_acked'],
  bytesReceived: ['tcp_sock.bytes_received'],
  acceptQueue: ['sock.sk_ack_backlog'],
  acceptLimit: ['sock.sk_max_ack_backlog'],
  keepaliveExpires: ['inet_connection_sock.icsk_keepalive_timer.expires', 'sock.sk_timer.expires'],
  retransmitExpires: ['inet_connection_sock.icsk_timeout', 'inet_connection_sock.icsk_retransmit_timer.expires'],
  pendingTimer: ['inet_connection_sock.icsk_pending'],
  shutdown: ['sock.sk_shutdown'],
};

/** Fields that are 1 where a pointer is not NULL. */
const POINTING: Partial<Record<HeldField, readonly Place[]>> = {
  inEpoll: ['file.f_ep'], // Linux 5.11
  keepalivePending: ['inet_connection_sock.icsk_keepalive_timer.entry.pprev', 'sock.sk_timer.entry.pprev'],
};

/** Fields that are 1 where a list (struct list_head) has more than its own head, unless they have a place above. */
const LISTED: Partial<Record<HeldField, readonly Place[]>> = {
  inEpoll: ['file.f_ep_links'], // until Linux 5.10
  awaited: ['sock.sk_wq -> socket_wq.wait.head'],
};

/** How often a file is referred to, and the number that says twice: by one descriptor, and by the iterator that shows it. */
const REFERENCES: readonly { place: Place; twice: number }[] = [
  { place: 'file.f_ref.refcnt.counter', twice: 1 }, // Linux 6.13, where 0 is one reference
  { place: 'file.f_count.counter', twice: 2 },
];

/** What a report can do without. */
const OPTIONAL: ReadonlySet<HeldField> = new Set(['alone', 'inEpoll', 'awaited', 'flags', 'error', 'shutdown']);

// struct bpf_iter__task_file, the context, and struct bpf_iter_meta
const CONTEXT = { meta: 0, task: 8, fd: 16, file: 24 };
const META_SEQ = 0;

const S_IFMT = 0xf000;
const S_IFSOCK = 0xc000;
const SOCKFS_MAGIC = 0x534f434b; // include/uapi/linux/magic.h
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
/** struct upid: int nr, struct pid_namespace *ns. Shift for an index. */
const UPID_SHIFT = 4;

// What stays in registers. TASK is free for other use once the pid is written.
const CTX = 6;
const FILE = 7;
const TASK = 8;
const SOCK = 9;
// The stack: the record right below the frame, then one word for what is read on the way.
const RECORD = -HELD_SIZE;
const SCRATCH = RECORD - 8;

/** Writes the program of iter/task_file that emits a record for each descriptor of a wanted TCP socket. */
export function heldSocketProgram(request: HeldProgramRequest, memberOf: MemberOf): HeldProgram {
  return new Writer(request, memberOf).write();
}

class Writer {
  readonly #asm = new Assembler();
  readonly #request: HeldProgramRequest;
  readonly #memberOf: MemberOf;
  readonly #absent: HeldField[] = [];

  constructor(request: HeldProgramRequest, memberOf: MemberOf) {
    this.#request = request;
    this.#memberOf = memberOf;
  }

  write(): HeldProgram {
    const asm = this.#asm;
    asm
      .move(CTX, 1)
      .load(8, FILE, CTX, CONTEXT.file)
      .jumpIfEqual(FILE, { value: 0 }, 'out')
      .load(8, TASK, CTX, CONTEXT.task)
      .jumpIfEqual(TASK, { value: 0 }, 'out');
    this.#outUnlessIn(this.#request.fds);
    if (this.#request.kind === 'typed') this.#findSocketTyped();
    else this.#findSocketGeneric();
    for (let offset = RECORD; offset < 0; offset += 8) asm.storeValue(8, FRAME, offset, 0);
    this.#writePid();
    asm.load(4, 1, CTX, CONTEXT.fd).store(4, FRAME, at('fd'), 1);
    asm.call('jiffies64').store(4, FRAME, at('now'), 0);
    const listening: readonly HeldField[] = ['acceptQueue', 'acceptLimit'];
    const timed: readonly HeldField[] = ['retransmitExpires'];
    const always = (Object.keys(HELD_FIELD) as HeldField[]).filter((it) => ![...listening, ...timed].includes(it));
    for (const name of always) this.#writeField(name);
    this.#writeAlone();
    // Each of these lies in a line of memory of its own, which nobody else here needs.
    asm.load(1, 1, FRAME, at('state')).jumpIfNotEqual(1, { value: TCP_STATE.LISTEN }, 'connected');
    for (const name of listening) this.#writeField(name);
    asm.label('connected').load(1, 1, FRAME, at('pendingTimer')).jumpIfEqual(1, { value: 0 }, 'no timer');
    for (const name of timed) this.#writeField(name);
    asm.label('no timer');
    this.#writeAddresses();
    asm
      .load(8, 1, CTX, CONTEXT.meta)
      .load(8, 1, 1, META_SEQ)
      .move(2, FRAME)
      .add(2, { value: RECORD })
      .move(3, { value: HELD_SIZE })
      .call('seq_write')
      .label('out')
      .move(0, { value: 0 })
      .exit();
    return { instructions: asm.assemble(), absent: this.#absent };
  }

  #outUnlessIn({ from, to }: FdRange = { from: 0 }): void {
    if (from > 0 || to !== undefined) this.#asm.load(4, 1, CTX, CONTEXT.fd);
    if (from > 0) this.#asm.jumpIfLess(1, { value: from }, 'out');
    if (to !== undefined) this.#asm.jumpIfAtLeast(1, { value: to }, 'out');
  }

  /** SOCK becomes a pointer to struct tcp_sock of which the verifier knows, so that loads through it are plain. */
  #findSocketTyped(): void {
    this.#asm
      .move(1, FILE)
      .call('sock_from_file')
      .jumpIfEqual(0, { value: 0 }, 'out')
      .load(8, SOCK, 0, this.#need('socket', 'sk').offset)
      .jumpIfEqual(SOCK, { value: 0 }, 'out')
      .load(1, 1, SOCK, this.#need('sock', '__sk_common.skc_state').offset);
    this.#outUnlessWanted();
    this.#asm.move(1, SOCK).call('skc_to_tcp_sock').jumpIfEqual(0, { value: 0 }, 'out').move(SOCK, 0);
  }

  /** SOCK becomes a number: what is behind it is copied by the kernel, which checks each address. */
  #findSocketGeneric(): void {
    const asm = this.#asm
      .load(8, 1, FILE, this.#need('file', 'f_inode').offset)
      .load(2, 2, 1, this.#need('inode', 'i_mode').offset)
      .and(2, { value: S_IFMT })
      .jumpIfNotEqual(2, { value: S_IFSOCK }, 'out')
      // A socket *file* opened with O_PATH has the same type, and is of another file system.
      .load(8, 1, 1, this.#need('inode', 'i_sb').offset)
      .load(8, 1, 1, this.#need('super_block', 's_magic').offset)
      .jumpIfNotEqual(1, { value: SOCKFS_MAGIC }, 'out')
      .load(8, SOCK, FILE, this.#need('file', 'private_data').offset)
      .jumpIfEqual(SOCK, { value: 0 }, 'out');
    this.#copy(8, SCRATCH, SOCK, this.#need('socket', 'sk').offset);
    asm.load(8, SOCK, FRAME, SCRATCH).jumpIfEqual(SOCK, { value: 0 }, 'out');
    this.#copyToScratch(2, SOCK, this.#need('sock', '__sk_common.skc_family').offset);
    asm.jumpIfEqual(1, { value: AF_INET }, 'internet').jumpIfNotEqual(1, { value: AF_INET6 }, 'out').label('internet');
    this.#copyToScratch(2, SOCK, this.#need('sock', 'sk_protocol').offset);
    asm.jumpIfNotEqual(1, { value: IPPROTO_TCP }, 'out');
    this.#copyToScratch(1, SOCK, this.#need('sock', '__sk_common.skc_state').offset);
    this.#outUnlessWanted();
  }

  /** Takes the state in r1. */
  #outUnlessWanted(): void {
    this.#asm
      .move(2, { value: 1 })
      .leftShift(2, 1)
      .and(2, { value: this.#request.states })
      .jumpIfEqual(2, { value: 0 }, 'out');
  }

  /** A process is known by the number of its first thread, in the numbering of the pid namespace of whoever reads. */
  #writePid(): void {
    const asm = this.#asm;
    if (!this.#request.translatePids) {
      asm.load(4, 1, TASK, this.#need('task_struct', 'tgid').offset).store(4, FRAME, at('pid'), 1);
      return;
    }
    const threadPid = this.#need('task_struct', 'thread_pid').offset;
    this.#copy(8, SCRATCH, TASK, this.#need('task_struct', 'group_leader').offset);
    asm.load(8, TASK, FRAME, SCRATCH);
    this.#copy(8, SCRATCH, TASK, threadPid);
    asm.load(8, TASK, FRAME, SCRATCH).call('get_current_task');
    this.#copy(8, SCRATCH, 0, threadPid);
    asm.load(8, 1, FRAME, SCRATCH);
    this.#copyToScratch(4, 1, this.#need('pid', 'level').offset);
    asm.leftShift(1, { value: UPID_SHIFT }).add(TASK, 1);
    this.#copy(4, at('pid'), TASK, this.#need('pid', 'numbers').offset);
  }

  #writeField(name: HeldField): void {
    const places = COPIED[name] ?? POINTING[name] ?? [];
    const lists = LISTED[name] ?? [];
    if (places.length + lists.length === 0) return;
    const path = this.#firstOf(places);
    const list = path ? undefined : this.#firstOf(lists);
    const end = `after ${name}`;
    if (path) {
      this.#follow(path, end);
      if (name in POINTING) this.#asm.jumpIfEqual(1, { value: 0 }, end).move(1, { value: 1 });
      this.#asm.store(widthOf(HELD_FIELD[name].size), FRAME, at(name), 1).label(end);
    } else if (list) {
      this.#goIfEmpty(list, end);
      this.#asm.storeValue(1, FRAME, at(name), 1).label(end);
    } else {
      if (!OPTIONAL.has(name)) throw new MissingType(`this kernel has no ${places.join(' and no ')}`);
      this.#absent.push(name);
    }
  }

  #writeAlone(): void {
    for (const { place, twice } of REFERENCES) {
      const path = this.#firstOf([place]);
      if (!path) continue;
      this.#follow(path, 'shared');
      this.#asm.jumpIfNotEqual(1, { value: twice }, 'shared').storeValue(1, FRAME, at('alone'), 1).label('shared');
      return;
    }
    this.#absent.push('alone');
  }

  /** Goes to the label where a list is not more than its own head, or a pointer on the way to it is NULL. */
  #goIfEmpty(path: readonly Hop[], label: string): void {
    const head = path.at(-1);
    const way = path.slice(0, -1);
    if (!head) return;
    const base = way.length > 0 ? 1 : startOf(head);
    const known = this.#isKnown(path);
    if (way.length > 0) {
      this.#follow(way, label);
      this.#asm.jumpIfEqual(1, { value: 0 }, label);
    }
    const { offset } = head.member;
    this.#asm.move(TASK, base).add(TASK, { value: offset });
    this.#load(base, { offset, size: 8 }, known); // list_head.next
    this.#asm.jumpIfEqual(1, TASK, label);
  }

  /** r1 becomes what a path leads to. Where a pointer on the way is NULL it goes to the label. */
  #follow(path: readonly Hop[], ifNull: string): void {
    const known = this.#isKnown(path);
    path.forEach((hop, index) => {
      if (index > 0) this.#asm.jumpIfEqual(1, { value: 0 }, ifNull);
      this.#load(index > 0 ? 1 : startOf(hop), hop.member, known);
    });
  }

  /** Pointers that come from the file are known to the verifier in either kind of program. */
  #isKnown(path: readonly Hop[]): boolean {
    return this.#isTyped || path[0]?.struct === 'file';
  }

  /** r1 becomes the member. */
  #load(base: Register, { offset, size }: Member, known = this.#isTyped): void {
    if (known) this.#asm.load(widthOf(size), 1, base, offset);
    else this.#copyToScratch(widthOf(size), base, offset);
  }

  get #isTyped(): boolean {
    return this.#request.kind === 'typed';
  }

  #writeAddresses(): void {
    const asm = this.#asm;
    asm.load(1, 1, FRAME, at('family')).jumpIfNotEqual(1, { value: AF_INET }, 'version 6');
    this.#writeAddress('localAddress', this.#need('sock', '__sk_common.skc_rcv_saddr').offset, 4);
    this.#writeAddress('remoteAddress', this.#need('sock', '__sk_common.skc_daddr').offset, 4);
    asm.jump('addresses').label('version 6');
    const v6 = ['skc_v6_rcv_saddr', 'skc_v6_daddr'].map((name) => this.#memberOf('sock', `__sk_common.${name}`));
    const [local, remote] = v6;
    if (local && remote) {
      this.#writeAddress('localAddress', local.offset, 16);
      this.#writeAddress('remoteAddress', remote.offset, 16);
    }
    asm.label('addresses');
  }

  /** Word by word: the kernel's type of an IPv6 address ends in an array of words, beyond which no load may reach. */
  #writeAddress(name: 'localAddress' | 'remoteAddress', offset: number, size: number): void {
    for (let word = 0; word < size; word += 4) {
      this.#load(SOCK, { offset: offset + word, size: 4 });
      this.#asm.store(4, FRAME, at(name) + word, 1);
    }
  }

  /** bpf_probe_read_kernel from a place behind `base` to the stack. */
  #copy(size: number, to: number, base: Register, offset: number): void {
    this.#asm
      .move(3, base)
      .add(3, { value: offset })
      .move(1, FRAME)
      .add(1, { value: to })
      .move(2, { value: size })
      .call('probe_read_kernel');
  }

  /** r1 becomes what is there, widened with zeros. */
  #copyToScratch(width: Width, base: Register, offset: number): void {
    this.#copy(width, SCRATCH, base, offset);
    this.#asm.load(width, 1, FRAME, SCRATCH);
  }

  #firstOf(places: readonly Place[]): Hop[] | undefined {
    for (const place of places) {
      const hops = place.split(' -> ').map((hop): Hop | undefined => {
        const dot = hop.indexOf('.');
        const struct = hop.slice(0, dot);
        const member = this.#memberOf(struct, hop.slice(dot + 1));
        return member && { struct, member };
      });
      if (hops.every((hop) => hop !== undefined)) return hops;
    }
    return undefined;
  }

  #need(struct: string, path: string): Member {
    const member = this.#memberOf(struct, path);
    if (!member) throw new MissingType(`this kernel has no ${struct}.${path}`);
    return member;
  }
}

type Hop = { struct: string; member: Member };

const startOf = ({ struct }: Hop): Register => (struct === 'file' ? FILE : SOCK);

/** Offset of a field from the frame. */
const at = (name: HeldField): number => RECORD + HELD_FIELD[name].offset;

function widthOf(size: number): Width {
  if (size === 1 || size === 2 || size === 4 || size === 8) return size;
  throw new MissingType(`no load has ${size} bytes`);
}
