import type { Gap } from '../../model/snapshot.ts';
import { formatNumber } from '../../model/words.ts';

const NOT_SHOWN = 'messages of it that belong to this trouble are not shown';

export const unreadable = (what: string, code: string): Gap => ({
  code: 'LOGS_UNREADABLE',
  what: `${what}: ${code}`,
  effect: NOT_SHOWN,
  remedy: 'run as root, or look there as a user who may',
});

export const journalUnreadable = (unit: string, why: string): Gap => ({
  code: 'LOGS_UNREADABLE',
  what: `the journal of ${unit}: ${why}`,
  effect: NOT_SHOWN,
  remedy: `journalctl -u ${unit} -n 1000, as root or as a member of the group systemd-journal`,
});

export const outputDiscarded = (stream: string): Gap => ({
  code: 'LOGS_UNREADABLE',
  what: `its standard ${stream} goes to /dev/null`,
  effect: 'what it writes there is lost',
  remedy: 'start it with its output in a file or in the journal',
});

export const outputPiped = (stream: string, to: string): Gap => ({
  code: 'LOGS_UNREADABLE',
  what: `its standard ${stream} goes to ${to}: who reads it, and where it is kept, is not known`,
  effect: NOT_SHOWN,
  remedy: 'look at the program that started it, which may keep it',
});

export const noLogs = (): Gap => ({
  code: 'LOGS_UNREADABLE',
  what: 'no log was found: no file that it writes to looks like one, and it has no unit and no container whose log is here',
  effect: 'messages that belong to this trouble may be somewhere else',
  remedy: 'ask those who run it where it logs to',
});

export const filesCut = (left: number): Gap => ({
  code: 'INSIDE_CUT',
  what: `${formatNumber(left)} more log files that it has open were not looked at`,
  effect: NOT_SHOWN,
  remedy: 'look at them with grep',
});

export const timeIsUp = (name: string): Gap => ({
  code: 'INSIDE_CUT',
  what: `${name} was not looked at to its end, for want of time`,
  effect: 'older messages of it are not counted',
  remedy: 'run it again, or look there with grep',
});
