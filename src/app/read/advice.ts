import type { Finding, NextStep } from '../../model/finding.ts';

/** What to do about a finding of a capture: on the machine that it is from, with the tools that are there. */
export function captureSteps({ subject, cause }: Finding, command: string): NextStep[] {
  if (cause === 'churn' || cause === 'half-close') return [];
  const { process } = subject;
  const onLinux = command.includes('ss ');
  return [
    ...(process && onLinux
      ? [
          {
            command: `sudo unclosed ${process.pid}`,
            why: 'on that machine: ages, what its threads wait for, and the cause',
          },
        ]
      : []),
    ...(process || !onLinux ? [] : [{ command, why: 'on that machine: names the processes, queues and ages' }]),
  ];
}
