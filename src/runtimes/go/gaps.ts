import type { Gap } from '../../model/snapshot.ts';

const LOST = 'what its goroutines do, and which code waits, is not known';

export const notAsked = (pid: number): Gap => ({
  code: 'INSIDE_NOT_ASKED',
  what: 'it has net/http/pprof, and was not asked for its goroutines',
  effect: LOST,
  remedy: `unclosed inspect ${pid} --attach asks it on the ports where it listens; or unclosed inspect ${pid} --pprof ADDRESS:PORT`,
});

export const noPprof = (pid: number): Gap => ({
  code: 'INSIDE_UNSUPPORTED',
  what: 'it has no net/http/pprof, by which a Go program tells what its goroutines do',
  effect: LOST,
  remedy: `import _ "net/http/pprof" and serve it on 127.0.0.1; then unclosed inspect ${pid} --pprof 127.0.0.1:6060. Never send SIGQUIT to one that must go on: it ends it`,
});

export const perhapsPprof = (pid: number): Gap => ({
  code: 'INSIDE_NOT_ASKED',
  what: 'whether it has net/http/pprof cannot be told from its executable',
  effect: LOST,
  remedy: `if it has: unclosed inspect ${pid} --pprof ADDRESS:PORT`,
});

export const noListener = (pid: number): Gap => ({
  code: 'INSIDE_NOT_ASKED',
  what: 'it has net/http/pprof, and listens on no port of this host itself where it could be asked',
  effect: LOST,
  remedy: `unclosed inspect ${pid} --pprof ADDRESS:PORT, if its profiles are served somewhere`,
});

export const noAnswer = (asked: string, why: string): Gap => ({
  code: 'INSIDE_FAILED',
  what: `${asked}: ${why}`,
  effect: LOST,
  remedy: 'name the address where its profiles are served with --pprof; it may need another port, a path or a password',
});

export const standsStill = (state: string): Gap => ({
  code: 'INSIDE_REFUSED',
  what: `it is ${state} and cannot answer`,
  effect: LOST,
  remedy: 'let it run on first (kill -CONT, or thaw its cgroup)',
});
