// What terminals, chats and editors put around a capture, and the lines that tools print besides their rows.

// ECMA-48: CSI and OSC sequences, and two-character escapes.
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
const INVISIBLE = /[\u200b-\u200f\u2028-\u202e\u2060\ufeff]/g;

/** Tools pad columns with spaces, but not with so many; patterns would look at each run again and again. */
const LONG_RUN = /\s{256,}/g;

/** Without colours, marks of quoting, no-break spaces and trailing space. */
export function cleanLine(text: string): string {
  let clean = text.length > 256 ? text.replace(LONG_RUN, '  ') : text;
  if (clean.includes('\u001b')) clean = clean.replace(ESCAPES, '');
  if (/[^\u0000-\u007e]/.test(clean)) clean = clean.replace(/[\u00a0\u2007\u202f\u3000]/g, ' ').replace(INVISIBLE, '');
  if (/^\s*>/.test(clean)) clean = clean.replace(/^\s*(?:>\s?)+/, '');
  return clean.trimEnd();
}

/** Line numbers of `cat -n`, `grep -n`, editors and diffs: `  12  tcp ...`, `12:tcp`, `12| tcp`. */
export function withoutLineNumber(text: string): string | undefined {
  const bare = text.replace(/^\s*(?:[\w./-]{1,100}[:-])?[0-9]{1,7}(?:[:|).]|\s*[|│┃])?[ \t]*(?=\S)/, '');
  return bare === text ? undefined : bare;
}

/** `- tcp ...`, `* tcp ...`, `| tcp ... |`, `` `tcp ...` ``: lists, tables and code in text. */
export function withoutMarks(text: string): string | undefined {
  const bare = text
    .replace(/^\s*(?:[-*+•|│]\s+|`+|<code>|<pre>)/, '')
    .replace(/(?:\s*[|│]|`+|<\/code>|<\/pre>|\\)\s*$/, '');
  return bare === text ? undefined : bare;
}

/** Time stamps that loggers put before each line. */
export function withoutTime(text: string): string | undefined {
  const bare = text.replace(
    /^\s*\[?(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[T ])?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?\]?\s+/,
    '',
  );
  return bare === text ? undefined : bare;
}

const PROMPTS = [
  /^\s*[$#%❯➜»]\s+(?=[a-zA-Z./~])(.*)$/,
  /^\s*(?:\([^)]{1,60}\)\s*)?[\w.-]{1,64}@[\w.-]{1,100}(?:[ :][^$#%>]{0,200})?\s?[$#%>❯➜](?:\s+(.*))?$/,
  /^\s*\[[^\]]{1,120}\]\s?[$#%>❯➜]?(?:\s+(\S.*))?$/,
  /^\s*(?:PS )?[A-Z]:\\[^>]{0,200}>\s*(.*)$/,
  /^\s*[\w.-]{1,64}:[^$#%>\s]{0,200}\s+[\w.-]{1,64}[$#%](?:\s+(.*))?$/,
  /^\s*(?:ba|z|da|k)?sh-?[0-9.]*[$#%](?:\s+(.*))?$/,
  /^\s*[$#%>❯➜»]\s*()$/,
  /^\s*((?:(?:sudo|time|docker exec|kubectl exec|ssh)\s.{0,200})?(?:\/\S{1,100}\/)?(?:ss|netstat|lsof|lsfd)(?:\.exe)?(?:\s+[-+|'"a-zA-Z/<>].*)?)$/,
  /^\s*((?:cat|watch|grep|date|uname|hostname|sudo|ssh|kubectl|docker|nsenter)\s+.*\b(?:ss|netstat|lsof|lsfd|net\/tcp6?|CLOSE.?WAIT)\b.*)$/,
  /^Every [0-9.]+s: (.*)$/,
];

/** The command of a line that is a prompt or a command; `''` for a prompt without one. */
export function commandOf(text: string): string | undefined {
  if (text.length > LONGEST_COMMAND) return undefined;
  for (const prompt of PROMPTS) {
    const match = prompt.exec(text);
    if (match) return match[1] ?? '';
  }
  return undefined;
}

const LONGEST_COMMAND = 2000;

// Headers and banners; in other languages the header still begins with Proto, or has Recv-Q in it.
const NOISE = [
  /^\s*(?:`{3,}|~{3,})/,
  /^\s*(?:[-=_*#+.…|│─═\s]+)$/,
  /^\s*(?:\[?(?:\.{3}|…)\]?|\[?\(?(?:truncated|snip(?:ped)?|cut|omitted|\.\.\.)\)?\]?|--\s?More\s?--.*|\(END\)|\^C)\s*$/i,
  /^\s*Proto\s/,
  /^\s*COMMAND\s+(?:PID|TID)\b/,
  /\bRecv-Q\s+Send-Q\b/,
  /^\s*(?:Netid|State)\s+(?:State|Recv-Q)/,
  /Address:Port\s*(?:Peer|$)|^\s*(?:Peer\s*)?Address:Port/,
  /^\s*sl\s+local_address\b/,
  /^\s*(?:Active|Aktive)\s/i,
  /Address\s+Type\s+Recv-Q|RefCnt\s+Flags\s+Type|^\s*Current listen queue sizes/,
  /^lsof: (?:WARNING|no pwd entry|status error|unacceptable)/,
  /^\s*Output information may be incomplete\.?$/,
  /^\s*assuming "dev=/,
  /^(?:RTNETLINK answers|Cannot open netlink|Failed to )/,
  /^\s*(?:==>\s.*\s<==)$/,
];

export const isKnownNoise = (text: string): boolean => NOISE.some((pattern) => pattern.test(text));

/** netstat says it in two lines, BusyBox in one; translations name root in theirs. */
export const saysNotAll = (text: string): boolean =>
  /Not all processes could be identified|non-owned process info|will not be shown, you would have to be root|showing only processes with your user ID|\(Nicht alle Prozesse/i.test(
    text,
  );

/** Titles of tables in other languages have neither digits nor addresses, and stand right above the header. */
export const mayBeTitle = (text: string): boolean => text.length < 120 && !/[0-9]|->|\/|=/.test(text);

const DATE =
  /\b(?:[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}\S*|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+\S+\s+\S+\s+[0-9]{2}:[0-9]{2}:[0-9]{2}.{0,20})\s*$/;

/** The time in the output of date(1), or in the first line of watch(1). */
export const dateOf = (text: string): string | undefined =>
  text.length < 250 ? DATE.exec(text)?.[0].trim() : undefined;
