import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StructReader } from '../../src/parse/bytes.ts';
import { readTcpInfoTimes } from '../../src/parse/tcp-info.ts';
import { bytes, everyTruncationFails } from '../helpers/bytes.ts';

// struct tcp_info up to the last of the times. A real socket of Linux 6.18 (workload keepalive) with the fields of
// which the reader could take a wrong one made distinct.
const UP_TO_TIMES = bytes(`
  08 00 00 00 00 07 aa 01  // tcpi_state, ca_state, retransmits, probes, backoff, options, wscale, app limited
  40 0d 03 00              // tcpi_rto
  40 9c 00 00              // tcpi_ato
  00 80 00 00              // tcpi_snd_mss
  18 02 00 00              // tcpi_rcv_mss
  01 00 00 00              // tcpi_unacked
  02 00 00 00              // tcpi_sacked
  03 00 00 00              // tcpi_lost
  04 00 00 00              // tcpi_retrans
  05 00 00 00              // tcpi_fackets
  39 07 00 00              // tcpi_last_data_sent: 1849 ms
  06 00 00 00              // tcpi_last_ack_sent
  38 07 00 00              // tcpi_last_data_recv: 1848 ms
  3c 03 00 00              // tcpi_last_ack_recv: 828 ms
`);

function timesOf(part: Uint8Array) {
  const times = {
    present: false,
    lastDataSentMs: 0,
    lastDataReceivedMs: 0,
    lastAckReceivedMs: 0,
    bytesAcked: 0,
    bytesReceived: 0,
  };
  readTcpInfoTimes(new StructReader('tcp_info', part), times);
  return times;
}

const TIMES = {
  present: true,
  lastDataSentMs: 1849,
  lastDataReceivedMs: 1848,
  lastAckReceivedMs: 828,
  bytesAcked: -1,
  bytesReceived: -1,
};

test('the three times are read from their places', () => {
  assert.deepEqual(timesOf(UP_TO_TIMES), TIMES);
});

test('since Linux 4.1 it says how much was acknowledged and received', () => {
  const longer = new Uint8Array(232);
  longer.set(UP_TO_TIMES);
  new DataView(longer.buffer).setUint32(120, 701, true); // tcpi_bytes_acked
  new DataView(longer.buffer).setUint32(128, 262, true); // tcpi_bytes_received
  assert.deepEqual(timesOf(longer), { ...TIMES, bytesAcked: 701, bytesReceived: 262 });
});

test('a struct that a newer kernel has made longer is read the same', () => {
  const all = 0xffffffff;
  const longer = Uint8Array.from([...UP_TO_TIMES, ...new Uint8Array(400).fill(0xff)]);
  assert.deepEqual(timesOf(longer), { ...TIMES, bytesAcked: all, bytesReceived: all });
});

test('a struct too short for the times is a ParseError at every length', () => {
  everyTruncationFails(UP_TO_TIMES, timesOf);
});
