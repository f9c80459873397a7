import { type Listener, TCP_STATE, type TcpSocket, type TcpTimer } from '../../src/model/socket.ts';

// What the kernel writes, from plain data: the opposite of src/parse, and written without it.

const TIMERS: readonly TcpTimer[] = ['none', 'retransmit', 'keepalive', 'timewait', 'zero-window-probe'];
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
const NLM_F_MULTI = 0x2;
export const NLM_F_DUMP_INTR = 0x10;
const INET_DIAG_INFO = 2;
export const INET_DIAG_MD5SIG = 18;
const INET_DIAG_CGROUP_ID = 21;

/** Four bytes of an IPv4 address. */
export const ipv4 = (text: string): number[] => text.split('.').map(Number);

/** 16 bytes of an IPv6 address; of an IPv4 one, mapped. */
export function ipv6(text: string): number[] {
  if (!text.includes(':')) return [...Array<number>(10).fill(0), 0xff, 0xff, ...ipv4(text)];
  const [head = '', tail] = text.split('::').map((half) => half.split(':').filter(Boolean));
  const front = head === '' ? [] : head;
  const back = tail ?? [];
  const groups = [...front, ...Array<string>(8 - front.length - back.length).fill('0'), ...back];
  return groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]);
}

/** A netlink message: struct nlmsghdr, the payload, padding to a multiple of four. */
export function message(type: number, payload: Uint8Array, flags = NLM_F_MULTI): Buffer {
  const bytes = Buffer.alloc(16 + Math.ceil(payload.length / 4) * 4);
  bytes.writeUInt32LE(16 + payload.length, 0); // nlmsg_len
  bytes.writeUInt16LE(type, 4); // nlmsg_type
  bytes.writeUInt16LE(flags, 6); // nlmsg_flags
  bytes.writeUInt32LE(1, 8); // nlmsg_seq
  bytes.set(payload, 16);
  return bytes;
}

export const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
};

export const done = (flags = NLM_F_MULTI): Buffer => message(NLMSG_DONE, int32(0), flags);

/** struct nlattr: length, type, value, padding. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  bytes.writeUInt16LE(4 + value.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(value, 4);
  return bytes;
}

/** struct tcp_info of Linux 6.18 (280 bytes), all zero but for the times. */
export function tcpInfo(sent: number, received: number, acknowledged: number, size = 280): Buffer {
  const bytes = Buffer.alloc(Math.max(size, 60));
  bytes.writeUInt32LE(sent, 44);
  bytes.writeUInt32LE(received, 52);
  bytes.writeUInt32LE(acknowledged, 56);
  return bytes.subarray(0, size);
}

/** struct inet_diag_msg with its attributes, of a socket or a listener. */
export function inetDiagMessage(it: TcpSocket | Listener, withInfo = true, more: Buffer[] = []): Buffer {
  const bytes = Buffer.alloc(72);
  const address = (text: string): number[] => (it.family === 4 ? ipv4(text) : ipv6(text));
  bytes[0] = it.family === 4 ? 2 : 10; // idiag_family
  bytes.writeUInt16BE(it.local.port, 4); // idiag_sport
  bytes.set(address(it.local.address), 8); // idiag_src
  const attributes: Buffer[] = [...more];
  if ('state' in it) {
    bytes[1] = TCP_STATE[it.state];
    bytes[2] = TIMERS.indexOf(it.timer ?? 'none');
    bytes.writeUInt16BE(it.peer.port, 6); // idiag_dport
    bytes.set(address(it.peer.address), 24); // idiag_dst
    bytes.writeBigUInt64LE(it.cookie ?? 0n, 44);
    bytes.writeUInt32LE(it.timerMs ?? 0, 52);
    bytes.writeUInt32LE(it.recvQueue ?? 0, 56);
    bytes.writeUInt32LE(it.sendQueue ?? 0, 60);
    const { lastDataSentMs, lastDataReceivedMs, lastAckReceivedMs } = it;
    if (withInfo && lastDataReceivedMs !== undefined && lastAckReceivedMs !== undefined) {
      // Up to the times, as before Linux 4.1, where the socket knows no bytes.
      const size = it.bytesAcked === undefined ? 60 : 280;
      const info = tcpInfo(lastDataSentMs ?? 0, lastDataReceivedMs, lastAckReceivedMs, size);
      if (it.bytesAcked !== undefined) info.writeUInt32LE(it.bytesAcked, 120);
      if (it.bytesAcked !== undefined) info.writeUInt32LE(it.bytesReceived ?? 0, 128);
      attributes.push(attribute(INET_DIAG_INFO, info));
    }
  } else {
    bytes[1] = TCP_STATE.LISTEN;
    bytes.writeUInt32LE(it.queue, 56);
    bytes.writeUInt32LE(it.limit ?? 0, 60);
  }
  bytes.writeUInt32LE(it.uid ?? 0, 64);
  bytes.writeUInt32LE(it.inode ?? 0, 68);
  if (it.cgroupId !== undefined) {
    const id = Buffer.alloc(8);
    id.writeBigUInt64LE(it.cgroupId);
    attributes.push(attribute(INET_DIAG_CGROUP_ID, id));
  }
  return Buffer.concat([bytes, ...attributes]);
}

/** The same as /proc/net/tcp or tcp6 prints it (net/ipv4/tcp_ipv4.c: get_tcp4_sock). */
export function procNetTcp(all: (TcpSocket | Listener)[], family: 4 | 6): string {
  const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
  const end = ({ address, port }: { address: string; port: number }): string => {
    const raw = Buffer.from(family === 4 ? ipv4(address) : ipv6(address)).swap32();
    return `${raw.toString('hex').toUpperCase()}:${hex(port, 4)}`;
  };
  const nobody = { address: family === 4 ? '0.0.0.0' : '::', port: 0 };
  const rows = all.map((it, i) => {
    const state = 'state' in it ? TCP_STATE[it.state] : TCP_STATE.LISTEN;
    const queues = 'state' in it ? [it.sendQueue, it.recvQueue] : [0, it.queue];
    const timer = 'state' in it ? TIMERS.indexOf(it.timer ?? 'none') : 0;
    return `${String(i).padStart(4)}: ${end(it.local)} ${end('state' in it ? it.peer : nobody)} ${hex(state, 2)} ${hex(queues[0] ?? 0, 8)}:${hex(queues[1] ?? 0, 8)} ${hex(timer, 2)}:00000000 00000000 ${String(it.uid ?? 0).padStart(5)}        0 ${it.inode ?? 0} 1 0000000000000000 100 0 0 10 0`;
  });
  return `${['  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode', ...rows].join('\n')}\n`;
}
