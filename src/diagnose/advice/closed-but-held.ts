import type { Advice } from './fix.ts';

// The addresses of a closed socket are gone, so nobody knows whether it came in or went out, and by which library.
export const closedButHeld: Advice = {
  fixes: [
    {
      for: 'python',
      text: 'Python: close() in a finally or by a with, after ConnectionResetError and time-outs as well',
    },
    { for: 'java', text: 'Java: close() in a finally or by a try (...), after SocketException and time-outs as well' },
    { for: 'node', text: "Node.js: socket.destroy() at 'timeout': the event by itself closes nothing" },
    { for: 'go', text: 'Go: defer conn.Close() first thing: an error of Read or Write closes nothing' },
    { for: 'ruby', text: 'Ruby: close in an ensure, after Errno::ECONNRESET and time-outs as well' },
    { for: 'dotnet', text: '.NET: Dispose() or using, after SocketException and time-outs as well' },
    { for: 'native', text: 'close() after ECONNRESET, EPIPE and ETIMEDOUT as well: shutdown() frees no descriptor' },
  ],
  inVain: 'shorter tcp_keepalive_* times or ss -K: they end connections, and the descriptors stay',
};
