import type { TcpSocket } from '../model/socket.ts';
import type { StructReader } from './bytes.ts';

/**
 * Reads the times of struct tcp_info (include/uapi/linux/tcp.h). All are milliseconds before now, counted in ticks of
 * the kernel's clock (1 to 10 ms). The struct grew at its end only, so these offsets hold since Linux 2.6.
 */
export function readTcpInfoTimes(reader: StructReader, socket: TcpSocket): void {
  reader.skip(8); // tcpi_state .. the bit fields
  reader.skip(4 * 9); // tcpi_rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets
  socket.lastDataSentMs = reader.u32(); // tcpi_last_data_sent
  reader.skip(4); // tcpi_last_ack_sent, "Not remembered, sorry" says the header
  socket.lastDataReceivedMs = reader.u32(); // tcpi_last_data_recv
  socket.lastAckReceivedMs = reader.u32(); // tcpi_last_ack_recv
}
