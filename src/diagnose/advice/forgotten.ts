import type { Advice } from './fix.ts';
import { missingClose } from './missing-close.ts';

// Nobody looks at the socket any more. First what finds the place in the code, then what would have closed it.
export const forgotten: Advice = {
  fixes: [
    {
      for: 'OkHttp',
      text: 'OkHttp: close every Response; with the logger of OkHttpClient at Level.FINE it logs where lost ones were made',
    },
    {
      for: 'python',
      when: 'outbound',
      text: 'Python: one session or client for the program, not one a call; python -X dev names sockets that were dropped without close()',
    },
    {
      for: 'java',
      when: 'outbound',
      text: 'Java: one client for the program, not one a call, and close() on clients and responses that are done with',
    },
    {
      for: 'node',
      text: 'Node.js: socket.destroy() where a connection is dropped; one http.Agent or undici Pool for the program, not one a call',
    },
    {
      for: 'go',
      when: 'outbound',
      text: 'Go: one http.Client and Transport for the program, not one a call, and resp.Body.Close() on every path',
    },
    {
      for: 'dotnet',
      text: '.NET: one HttpClient (or IHttpClientFactory) for the program, and Dispose() on what is dropped',
    },
    ...missingClose.fixes.filter((fix) => fix.for !== 'OkHttp' && fix.for !== 'any'),
    {
      for: 'any',
      text: 'close a connection before it is dropped, and keep one client for the program instead of one a call',
    },
  ],
  inVain: 'sysctl (tcp_keepalive_*, tcp_fin_timeout): only close() gives the descriptor back',
};
