import type { Diagnosis, Finding } from '../../model/finding.ts';
import type { Snapshot } from '../../model/snapshot.ts';

/** What a look has seen, and what was said of it. */
export type Seen = { snapshot: Snapshot; diagnosis: Diagnosis };

/**
 * The same some time later, where the kernel tells of every socket that comes into CLOSE_WAIT or leaves it, and none has: then
 * those of the look before are still there, and only older. Pure.
 */
export const older = ({ snapshot, diagnosis }: Seen, laterMs: number): Seen => ({
  snapshot: { ...snapshot, takenAt: snapshot.takenAt + laterMs },
  diagnosis: { ...diagnosis, findings: diagnosis.findings.map((finding) => olderFinding(finding, laterMs)) },
});

/** The case itself is the same object, by which others know that nothing of it has changed. */
function olderFinding({ age, fds, forecast, ...finding }: Finding, laterMs: number): Finding {
  const sooner = (inMs: number): number => Math.max(0, inMs - laterMs);
  return {
    ...finding,
    ...(age && {
      age: {
        ...age,
        oldestMs: age.oldestMs + laterMs,
        oldestAtMostMs: age.oldestAtMostMs + laterMs,
        medianMs: age.medianMs + laterMs,
        youngestMs: age.youngestMs + laterMs,
      },
    }),
    ...(fds && { fds: { ...fds, ...(fds.fullInMs !== undefined && { fullInMs: sooner(fds.fullInMs) }) } }),
    forecast: forecast.map(({ resource, inMs }) => ({ resource, inMs: sooner(inMs) })),
  };
}
