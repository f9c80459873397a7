import { isIP } from 'node:net';
import { type Answer, Tape } from '../kernel/tape.ts';
import { ParseError } from '../model/errors.ts';
import { formatIpv4, formatIpv6 } from '../parse/address.ts';
import { StructReader } from '../parse/bytes.ts';
import { HELD_FIELD, HELD_SIZE } from '../parse/held-socket.ts';
import { AF_INET, INET_DIAG_MSG_SIZE } from '../parse/inet-diag.ts';
import { walkDatagram } from '../parse/netlink.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * A copy of a tape without addresses, command lines and names of users and hosts. The same address or user is replaced
 * by the same stand-in everywhere, so that the report is the same but for the names. Loopback, wildcard and root stay,
 * and so do ports, and the names of programs, units and containers.
 */
export function scrubTape(tape: Tape, scrubber = new Scrubber()): Tape {
  // Users are named last, when every uid that occurs has its stand-in.
  const entries = tape.entries().sort(([a], [b]) => Number(a === PASSWD) - Number(b === PASSWD));
  const answers = new Map(
    entries.map(([question, all]) => [question, all.map((it) => scrubAnswer(scrubber, question, it))]),
  );
  const scrubbed = new Tape();
  for (const [question] of tape.entries()) {
    const asked = question.startsWith('files/sys/fs/cgroup/') ? scrubber.cgroup(question) : question;
    for (const it of answers.get(question) ?? []) scrubbed.add(asked, it);
  }
  return scrubbed;
}

const PASSWD = 'files/etc/passwd';

function scrubAnswer(scrubber: Scrubber, question: string, answer: Answer): Answer {
  if ('refused' in answer) return { refused: answer.refused.replace(/ (?!\/proc\/)\/\S*\//g, ' /') };
  const { bytes } = answer;
  const text = (change: (text: string) => string): Answer => ({ bytes: encoder.encode(change(decoder.decode(bytes))) });
  if (/^netns\/[0-9]+\/dump-/.test(question)) return { bytes: scrubber.dump(bytes) };
  if (/^held\/.*\.bin$/.test(question)) return { bytes: scrubber.held(bytes) };
  if (/^files\/proc\/[0-9a-z]+\/net\/tcp6?$/.test(question)) return text((it) => scrubber.procNetTcp(it));
  if (question === 'host.json') return text((it) => JSON.stringify({ ...JSON.parse(it), name: 'host' }));
  if (question === 'fd-owners.tsv') return text((it) => scrubber.fdOwners(it));
  if (question === PASSWD) return text((it) => scrubber.passwd(it));
  if (/\/cmdline$/.test(question)) return text(programOnly);
  if (/\/status$/.test(question)) return text((it) => scrubber.status(it));
  if (/\/cgroup$/.test(question)) return text((it) => scrubber.cgroup(it));
  if (/\/maps$/.test(question))
    return text((it) => it.replace(/ \/\S.*?\/((?:aiohttp\/|charset_normalizer\/)?[^/\n]*)$/gm, ' /$1'));
  // Of open files the names of jars stay, which tell a library, and what is no file: socket:[1234].
  if (/^links\/proc\/[0-9]+\/fd\//.test(question))
    return text((it) => (it.startsWith('/') ? (/[^/]*\.jar$/.exec(it)?.[0] ?? '/') : it));
  if (/^links\//.test(question)) return text((it) => it.replace(/^.*\//, '/'));
  if (question === 'files/proc/self/mountinfo') return text(mountsThatMatter);
  if (/^containers\//.test(question)) return text(() => '{}');
  return answer;
}

/**
 * `/srv/app/bin/python3 secret.py --token x` becomes `python3`. A process that wrote its own title has one string, in
 * which a space may end the program's name; with arguments apart from it, a space belongs to it.
 */
const programOnly = (text: string): string => {
  const [first = '', ...rest] = text.replace(/\0+$/, '').split('\0');
  const program = (rest.length > 0 ? first : first.replace(/ .*$/s, '')).replace(/^.*\//s, '');
  return program === '' ? '' : `${program}\0`;
};

const mountsThatMatter = (text: string): string =>
  text
    .split('\n')
    .filter((line) => / - (nsfs|proc) /.test(line))
    .map((line) => line.replace(/ \/\S*\/([^/ ]+) /, ' /run/netns/$1 '))
    .join('\n');

/** Everybody has them. */
const COMMON_USERS: Record<number, string> = { 0: 'root', 65534: 'nobody' };

/** Keeps which stand-in belongs to which address, user and value of an option. */
export class Scrubber {
  readonly #keepAddresses: boolean;
  readonly #values = new Map<string, string>();
  readonly #v4 = new Map<string, Uint8Array>();
  readonly #v6 = new Map<string, Uint8Array>();
  readonly #uids = new Map<number, number>();

  constructor({ keepAddresses = false } = {}) {
    this.#keepAddresses = keepAddresses;
  }

  uid(uid: number): number {
    if (uid in COMMON_USERS) return uid;
    const known = this.#uids.get(uid);
    if (known !== undefined) return known;
    const standIn = 10_001 + this.#uids.size;
    this.#uids.set(uid, standIn);
    return standIn;
  }

  /** Names of users' slices hold their numbers: in the paths of cgroups, and in questions that go there. */
  cgroup(text: string): string {
    return text.replace(/\buser(-|@)([0-9]+)/g, (_, mark, uid) => `user${mark}${this.uid(Number(uid))}`);
  }

  /** 10.1.0.1, 10.1.0.2, ...; loopback and wildcard stay. */
  ipv4(address: Uint8Array): Uint8Array {
    if (this.#keepAddresses || address[0] === 127 || address.every((byte) => byte === 0)) return address;
    return standIn(this.#v4, address, (n) => new Uint8Array([10, 1 + (n >> 16), (n >> 8) & 0xff, n & 0xff]));
  }

  /** 2001:db8::1, ... (RFC 3849, for documentation); mapped IPv4 addresses as above. */
  ipv6(address: Uint8Array): Uint8Array {
    if (this.#keepAddresses || address.subarray(0, 15).every((byte) => byte === 0)) return address; // :: and ::1
    const mapped = address.subarray(0, 10).every((byte) => byte === 0) && address[10] === 0xff && address[11] === 0xff;
    if (mapped) {
      const copy = address.slice();
      copy.set(this.ipv4(address.slice(12)), 12);
      return copy;
    }
    return standIn(this.#v6, address, (n) => {
      const made = new Uint8Array(16);
      made.set([0x20, 0x01, 0x0d, 0xb8]);
      made.set([(n >> 16) & 0xff, (n >> 8) & 0xff, n & 0xff], 13);
      return made;
    });
  }

  /** Addresses, and the names of home directories and of mail addresses, in text that people read. */
  text(text: string): string {
    return text
      .replace(V4, (all) => formatIpv4(this.ipv4(Uint8Array.from(all.split('.'), Number))))
      .replace(V6, (all) => (isIP(all) === 6 ? formatIpv6(this.ipv6(ipv6Bytes(all))) : all))
      .replace(HOST_BY_ADDRESS, (_, octets) => {
        const made = formatIpv4(this.ipv4(Uint8Array.from(octets.split('-'), Number)));
        return `ip-${made.replaceAll('.', '-')}`;
      })
      .replace(CUT_ADDRESS, (all) => (this.#keepAddresses ? all : '…'))
      .replace(/(\/home\/|\/Users\/)([^/\s"':]+)/g, (_, before, name) => `${before}${this.#value(name, 'user-')}`)
      .replace(/[\w.+-]+@(?=[\w-]+\.[\w.-]*[a-z])[\w.-]+/gi, (all) => this.#value(all, 'mail-'));
  }

  #value(value: string, kind: string): string {
    const known = this.#values.get(value) ?? `${kind}${this.#values.size + 1}`;
    this.#values.set(value, known);
    return known;
  }

  /**
   * A command line with the program, the file that an interpreter runs, and the names of options; what those are given, and all
   * other words, get stand-ins. A short option may have its value attached: of it only the letter stays.
   */
  command(text: string): string {
    const [program = '', ...words] = text.match(/'[^']*'|\S+/g) ?? [];
    const base = program.replace(/^.*\//, '');
    let script = INTERPRETERS.test(base);
    const kept = words.map((word) => {
      const [, name, equals = '', value = ''] = /^(--?[A-Za-z][\w.:+-]*)(=?)(.*)$/s.exec(word) ?? [];
      if (name !== undefined) {
        const isLong = name.startsWith('--') || base === 'java' || equals !== '';
        return `${isLong ? name : name.slice(0, 2)}${value === '' ? equals : `=${this.#value(value, 'VALUE')}`}`;
      }
      const isScript = script && /^[\w./-]+\.(?:py|[cm]?js|ts|rb|php|pl|jar)$/.test(word);
      script &&= !isScript;
      return isScript ? word.replace(/^.*\//, '') : this.#value(word, 'VALUE');
    });
    return [base, ...kept].join(' ');
  }

  /** Framed datagrams of a dump (see recorder.ts): addresses and uid of each struct inet_diag_msg. */
  dump(bytes: Uint8Array): Uint8Array {
    const copy = new Uint8Array(bytes); // Buffer.slice would be a view
    const view = new DataView(copy.buffer);
    for (let offset = 0; offset + 4 <= copy.length; ) {
      const length = view.getUint32(offset, true);
      const datagram = copy.subarray(offset + 4, Math.min(copy.length, offset + 4 + length));
      try {
        walkDatagram(new StructReader('nlmsghdr', datagram), datagram.length, (_type, start, end) =>
          end - start < INET_DIAG_MSG_SIZE ? datagram.fill(0, start, end) : this.#message(datagram, start),
        );
      } catch (error) {
        if (!(error instanceof ParseError)) throw error;
        datagram.fill(0); // of what is not understood it is not known what it tells
      }
      offset += 4 + length;
    }
    return copy;
  }

  /** Records of held sockets: addresses and uid of each. */
  held(bytes: Uint8Array): Uint8Array {
    const copy = new Uint8Array(bytes);
    const view = new DataView(copy.buffer);
    for (let start = 0; start + HELD_SIZE <= copy.length; start += HELD_SIZE) {
      const size = view.getUint8(start + HELD_FIELD.family.offset) === AF_INET ? 4 : 16;
      for (const { offset } of [HELD_FIELD.localAddress, HELD_FIELD.remoteAddress]) {
        const address = copy.slice(start + offset, start + offset + size);
        copy.set(size === 4 ? this.ipv4(address) : this.ipv6(address), start + offset);
      }
      const uid = start + HELD_FIELD.uid.offset;
      view.setUint32(uid, this.uid(view.getUint32(uid, true)), true);
    }
    return copy;
  }

  // struct inet_diag_msg: idiag_family 0, idiag_src 8, idiag_dst 24, idiag_uid 64
  #message(bytes: Uint8Array, start: number): void {
    const size = bytes[start] === AF_INET ? 4 : 16;
    for (const at of [start + 8, start + 24]) {
      const address = bytes.slice(at, at + size);
      bytes.set(size === 4 ? this.ipv4(address) : this.ipv6(address), at);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset + start + 64, 4);
    view.setUint32(0, this.uid(view.getUint32(0, true)), true);
  }

  /** Addresses are words in host order there; the uid is the eighth column. */
  procNetTcp(text: string): string {
    return text
      .replace(/\b([0-9A-F]{32}|[0-9A-F]{8}):([0-9A-F]{4})\b(?= [0-9A-F]{8,32}:| [0-9A-F]{2} )/g, (_, hex, port) => {
        const address = swapWords(Uint8Array.from(hex.match(/../g) ?? [], (byte: string) => Number.parseInt(byte, 16)));
        const made = swapWords(address.length === 4 ? this.ipv4(address) : this.ipv6(address));
        return `${Array.from(made, (byte) => byte.toString(16).padStart(2, '0'))
          .join('')
          .toUpperCase()}:${port}`;
      })
      .replace(/^(\s*[0-9]+:(?:\s+\S+){6}\s+)([0-9]+)/gm, (_, before, uid) => before + this.uid(Number(uid)));
  }

  fdOwners(text: string): string {
    return text
      .split('\n')
      .map((line) => {
        const [pid, uid, ...rest] = line.split('\t');
        return uid === undefined || uid === '-' ? line : [pid, this.uid(Number(uid)), ...rest].join('\t');
      })
      .join('\n');
  }

  passwd(text: string): string {
    return [...text.matchAll(/^[^:\n]*:[^:\n]*:([0-9]+):/gm)]
      .map((match) => Number(match[1]))
      .filter((uid) => uid in COMMON_USERS || this.#uids.has(uid))
      .map((uid) => `${COMMON_USERS[uid] ?? `user${this.uid(uid)}`}:x:${this.uid(uid)}::::`)
      .join('\n');
  }

  status(text: string): string {
    return text
      .replace(/^Uid:\s.*$/m, (line) => line.replace(/[0-9]+/g, (uid) => String(this.uid(Number(uid)))))
      .replace(/^(Gid|Groups):.*$/gm, '$1:');
  }
}

/** Shorter ones are words of their own too often. */
const SHORTEST_NAME = 3;

/** Names of people and of the host, wherever they stand as words. */
export function replaceWords(text: string, words: ReadonlyMap<string, string>): string {
  let replaced = text;
  for (const [word, by] of words) {
    if (word.length < SHORTEST_NAME || /^[0-9]+$/.test(word) || word === 'localhost') continue;
    const quoted = word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    replaced = replaced.replace(new RegExp(`(?<![\\w.-])${quoted}(?![\\w-])`, 'gi'), by);
  }
  return replaced;
}

const INTERPRETERS = /^(?:python|pypy|node|ruby|php|perl|java|uwsgi|gunicorn)/;
const V4 = /(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.]*[0-9])/g;
const V6 = /(?<![0-9a-zA-Z:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![0-9a-fA-F:]|\.[0-9])/g;

/** What clouds call their hosts: ip-10-0-4-7.ec2.internal. */
const HOST_BY_ADDRESS = /(?<![\w-])ip-((?:[0-9]{1,3}-){3}[0-9]{1,3})(?![0-9-])/g;
/** Of what a page has cut, the beginning is left. */
const CUT_ADDRESS =
  /(?<![0-9.])(?!127\.)(?:[0-9]{1,3}\.){1,3}[0-9]{0,3}…|(?<![\w:])[0-9a-fA-F]{1,4}:(?:[0-9a-fA-F]{0,4}:)+[0-9a-fA-F]{0,4}…|[\w.+-]+@[\w.-]*…/g;

/** Sixteen bytes of an IPv6 address in text (RFC 4291), without an IPv4 address at its end. */
function ipv6Bytes(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] => (part === '' ? [] : part.split(':').map((it) => Number.parseInt(it, 16)));
  const [before, after] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? [] : Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0);
  return Uint8Array.from([...before, ...zeros, ...after].flatMap((group) => [group >> 8, group & 0xff]));
}

/** The key is the address; numbers follow the order of first sight. */
function standIn(known: Map<string, Uint8Array>, address: Uint8Array, make: (n: number) => Uint8Array): Uint8Array {
  const key = address.join('.');
  const made = known.get(key) ?? make(known.size + 1);
  known.set(key, made);
  return made;
}

function swapWords(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes, (_, i) => bytes[(i & ~3) + 3 - (i & 3)] ?? 0);
}
