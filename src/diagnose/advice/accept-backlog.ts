import type { Advice } from './fix.ts';

// Why an accept loop stands still differs by what runs it; what makes it stand still is mostly something that blocks.
export const acceptBacklog: Advice = {
  fixes: [
    {
      for: 'gunicorn',
      text: 'gunicorn: a sync worker serves one request at a time: --threads (gthread) or more --workers, once the calls have time-outs',
    },
    {
      for: 'uvicorn',
      text: 'uvicorn: nothing that blocks in an async def: it stops accept() too; await asyncio.to_thread(...) for it',
    },
    {
      for: 'PHP-FPM',
      text: 'PHP-FPM: pm.max_children is the number of requests at a time; request_terminate_timeout frees those that hang',
    },
    {
      for: 'Tomcat',
      text: 'Tomcat: at maxConnections it stops accepting: see what holds its maxThreads request threads',
    },
    { for: 'Jetty', text: 'Jetty: acceptors and requests share the thread pool: see what holds its maxThreads' },
    { for: 'Netty', text: 'Netty: nothing may block the boss event loop; EMFILE and full executors stop it too' },
    {
      for: 'java',
      text: 'Java: catch inside the accept loop, so that no exception ends it, and hand each connection to an executor',
    },
    {
      for: 'python',
      text: 'Python: catch inside the accept loop, so that no error ends it, and hand each connection to a thread or task',
    },
    {
      for: 'node',
      text: 'Node.js: accept() runs in the event loop: long synchronous work stops it; use worker threads for that',
    },
    { for: 'go', text: 'Go: continue the Accept() loop after errors, and serve each connection with go' },
    {
      for: 'native',
      text: 'with edge-triggered epoll call accept() until EAGAIN; let neither EMFILE nor ECONNABORTED end the loop',
    },
    { for: 'any', text: 'let no error end the accept loop, and serve connections elsewhere' },
  ],
  inVain: 'a larger backlog or net.core.somaxconn: it fills up as well',
};
