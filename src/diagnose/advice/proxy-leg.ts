import type { Advice } from './fix.ts';

// One leg has ended, and its end was not passed on, or the other leg may stay silent without limit.
export const proxyLeg: Advice = {
  fixes: [
    {
      for: 'nginx',
      text: 'nginx: proxy_read_timeout and proxy_send_timeout in http; in stream proxy_timeout (10 min by default), with proxy_half_close off',
    },
    {
      for: 'HAProxy',
      text: 'HAProxy: timeout client-fin, timeout server-fin and timeout tunnel: without them half-closed pairs wait like whole ones',
    },
    {
      for: 'Netty',
      text: 'Netty: at channelInactive of one side writeAndFlush(EMPTY_BUFFER) on the other, with addListener(CLOSE)',
    },
    {
      for: 'node',
      text: 'Node.js: stream.pipeline() for each direction instead of a.pipe(b), which leaves the other side open; a time-out on both',
    },
    {
      for: 'go',
      text: 'Go: when one io.Copy ends, CloseWrite() the other side; Close() both when both have ended, or after a time-out',
    },
    {
      for: 'python',
      text: 'Python: when one direction ends, write_eof() or shutdown(SHUT_WR) on the other side; close both when both have ended, or after a time-out',
    },
    {
      for: 'any',
      text: 'pass the end on: shutdown(SHUT_WR) on the other leg, close both when both have ended, and an idle time-out for the rest',
    },
  ],
};
