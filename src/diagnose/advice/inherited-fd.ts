import type { Advice } from './fix.ts';

// A copy of the descriptor was made, mostly by a fork, and its owner does not know of it.
export const inheritedFd: Advice = {
  fixes: [
    {
      for: 'python',
      text: "Python: keep subprocess close_fds=True, no set_inheritable(True); multiprocessing.set_start_method('spawn'), or close in the child",
    },
    {
      for: 'ruby',
      text: 'Ruby: after fork close the connection in the process that does not serve it; no close_on_exec = false',
    },
    { for: 'php', text: 'PHP: after pcntl_fork() close the connection in the process that does not serve it' },
    { for: 'perl', text: 'Perl: after fork close the handle in the process that does not serve it; leave $^F at 2' },
    {
      for: 'node',
      text: 'Node.js: sockets pass to children only by stdio or send(): close the copy on the side that does not serve it',
    },
    { for: 'go', text: 'Go: conn.File() is a copy that needs its own Close(), and ExtraFiles pass to children' },
    {
      for: 'native',
      text: 'open with SOCK_CLOEXEC (socket, accept4), and after fork() close in the process that does not serve the connection',
    },
    {
      for: 'any',
      text: 'open sockets close-on-exec, and after a fork close the connection in the process that does not serve it',
    },
  ],
  inVain: 'one more close() in the owner: the connection ends when the last holder has closed',
};
