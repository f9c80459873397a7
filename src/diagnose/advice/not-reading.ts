import type { Advice } from './fix.ts';

// The connection is in use for writing, or paused, so nobody reads that it has ended. Keepalive is no vain thing here: the
// reset that answers it wakes programs that wait on the socket without reading.
export const notReading: Advice = {
  fixes: [
    {
      for: 'Netty',
      text: 'Netty: with AUTO_READ off call read() again and again, also while paused, or let IdleStateHandler close silent channels',
    },
    {
      for: 'Tomcat',
      text: 'Tomcat: end async requests when a write fails: AsyncContext.setTimeout(), an AsyncListener, and a heartbeat line every 15 s',
    },
    {
      for: 'Jetty',
      text: 'Jetty: end async requests when a write fails: AsyncContext.setTimeout(), an AsyncListener, and a heartbeat line every 15 s',
    },
    {
      for: 'uvicorn',
      text: 'uvicorn: end a stream at http.disconnect (Starlette, FastAPI: await request.is_disconnected())',
    },
    {
      for: 'node',
      text: "Node.js: resume() what was paused; end streams to a client at 'close' of its response; leave allowHalfOpen off",
    },
    {
      for: 'python',
      text: 'Python: keep reading beside the writer (asyncio: a task with await reader.read()), and close at its end',
    },
    {
      for: 'java',
      text: 'Java: keep OP_READ in the interest set, also while only writing: the end arrives as something to read',
    },
    {
      for: 'go',
      text: 'Go: end streaming handlers at r.Context().Done(); read raw and hijacked connections in a goroutine of its own',
    },
    {
      for: 'dotnet',
      text: '.NET: end streaming handlers at HttpContext.RequestAborted; keep a read pending on raw sockets',
    },
    { for: 'native', text: 'keep EPOLLIN, or at least EPOLLRDHUP, armed on every socket, also while only writing' },
    {
      for: 'any',
      text: 'read beside writing: only a read tells that the peer has closed; and end the stream when a write fails',
    },
  ],
};
