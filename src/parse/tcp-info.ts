import type { StructReader } from './bytes.ts';

/** Times of struct tcp_info, in milliseconds before now, and what was acknowledged. Filled again and again; `present` says for this socket. */
export type TcpInfoTimes = {
  present: boolean;
  lastDataSentMs: number;
  lastDataReceivedMs: number;
  lastAckReceivedMs: number;
  /** -1 before Linux 4.1, which does not tell. */
  bytesAcked: number;
  bytesReceived: number;
};

/** To be filled. */
export const noTcpInfo = (): TcpInfoTimes => ({
  present: false,
  lastDataSentMs: 0,
  lastDataReceivedMs: 0,
  lastAckReceivedMs: 0,
  bytesAcked: -1,
  bytesReceived: -1,
});

/** From tcpi_pmtu to tcpi_max_pacing_rate. */
const BEFORE_BYTES_ACKED = 60;

/**
 * Reads the times of struct tcp_info (include/uapi/linux/tcp.h), which are counted in ticks of the kernel's clock (1 to
 * 10 ms). The struct grew at its end only, so these offsets hold since Linux 2.6.
 */
export function readTcpInfoTimes(reader: StructReader, times: TcpInfoTimes): void {
  reader.skip(8); // tcpi_state .. the bit fields
  reader.skip(4 * 9); // tcpi_rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets
  times.lastDataSentMs = reader.u32(); // tcpi_last_data_sent
  reader.skip(4); // tcpi_last_ack_sent, "Not remembered, sorry" says the header
  times.lastDataReceivedMs = reader.u32(); // tcpi_last_data_recv
  times.lastAckReceivedMs = reader.u32(); // tcpi_last_ack_recv
  times.bytesAcked = -1;
  times.bytesReceived = -1;
  if (reader.left >= BEFORE_BYTES_ACKED + 16) {
    reader.skip(BEFORE_BYTES_ACKED);
    times.bytesAcked = reader.u32(); // tcpi_bytes_acked, the low half
    reader.skip(4);
    times.bytesReceived = reader.u32(); // tcpi_bytes_received
  }
  times.present = true;
}
