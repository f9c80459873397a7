import { type Sight, step, type WatchState } from '../../src/app/watch/state.ts';
import { diagnose } from '../../src/diagnose/diagnose.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import type { WatchFrame } from '../../src/model/watch.ts';
import { aged, endpoint, holding, listener, NOW, process, snapshot, sockets, times, unaccepted } from './model.ts';

/** One look at a snapshot: nothing has passed through, and everything is heard of. */
export const sight = (snapshot: Snapshot, fields: Partial<Sight> = {}): Sight => ({
  at: snapshot.takenAt,
  snapshot,
  diagnosis: diagnose(snapshot),
  passed: new Map(),
  wholeMachine: true,
  trace: { kind: 'bpf', lost: false },
  own: { residentBytes: 74_000_000, cpuShare: 0.008 },
  ...fields,
});

/** Looks two seconds apart. */
export function watchAll(snapshots: readonly Snapshot[], fields: Partial<Sight> = {}): WatchState {
  let state: WatchState | undefined;
  snapshots.forEach((snapshot, index) => {
    const at = NOW + index * 2000;
    state = step(state, sight({ ...snapshot, takenAt: at }, { ...fields, at }));
  });
  if (!state) throw new Error('nothing to watch');
  return state;
}

export const frameOf = (...snapshots: Snapshot[]): WatchFrame => watchAll(snapshots).frame;

const leaking = (look: number): Snapshot => {
  const stuck = sockets(200 + look * 8, aged(11_520_000 - look * 1000));
  const pool = sockets(5, { local: endpoint('10.0.0.1:40001'), peer: endpoint('10.0.0.7:443'), ...aged(90_000) }, 5000);
  const young = sockets(3, aged(200), 6000 + look * 10);
  const queued = times(129, (i) => unaccepted({ local: endpoint('10.0.0.1:9000'), peer: endpoint(`10.0.0.5:${i}`) }));
  const full = listener({ local: endpoint('0.0.0.0:9000'), queue: 129, inode: 901 });
  return snapshot({
    sockets: [...stuck, ...pool, ...young, ...queued],
    listeners: [listener(), full],
    byState: { ESTABLISHED: 160, CLOSE_WAIT: stuck.length + 137, LISTEN: 10 },
    tcpSockets: 520 + look * 8,
    processes: [
      process({
        runtime: 'python',
        unit: 'shop.service',
        openFds: 470 + look * 8,
        sockets: holding(...stuck, listener()),
      }),
      process({ pid: 1990, name: 'node', runtime: 'node', sockets: holding(...pool) }),
      process({ pid: 77, name: '受注サーバー', sockets: holding(...young) }),
      process({ pid: 900, name: 'worker\u001b[31m', sockets: new Map([[901, [3]]]) }),
    ],
    gaps: [{ code: 'FDS_DENIED', what: '/proc/5/fd: permission denied', effect: 'none', remedy: 'run as root' }],
  });
};

/** Half a minute of a machine with a leak, a pool, churn and a full accept queue. */
export const BUSY: WatchFrame = watchAll(times(15, leaking), { passed: new Map([[77, 120]]) }).frame;
