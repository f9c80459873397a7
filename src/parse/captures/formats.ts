import type { TcpState } from '../../model/socket.ts';
import type { PortNames } from './endpoint.ts';
import { readLsfdLine } from './lsfd.ts';
import { readLsofLine } from './lsof.ts';
import { readNetstatLine } from './netstat.ts';
import { readBsdLine } from './netstat-bsd.ts';
import { readWindowsLine } from './netstat-windows.ts';
import { readProcNetLine } from './proc-net-line.ts';
import type { CaptureFormat, CaptureRow } from './row.ts';
import { readSsLine } from './ss.ts';

/** What is known from the lines before. */
export type LineContext = {
  ports: PortNames;
  /** The format of the rows before, or of the header above. */
  current: CaptureFormat | undefined;
  /** The one state that the command asked ss for. */
  only: TcpState | undefined;
};

type LineFormat = (text: string, line: number, context: LineContext) => CaptureRow | 'noise' | undefined;

// netstat before ss: `tcp 0 0 local peer CLOSE_WAIT` would be a row of ss without its State column.
const LINE_FORMATS: ReadonlyMap<CaptureFormat, LineFormat> = new Map<CaptureFormat, LineFormat>([
  ['netstat', (text, line, { ports }) => readNetstatLine(text, line, ports)],
  ['netstat-bsd', (text, line, { ports }) => readBsdLine(text, line, ports)],
  ['netstat-windows', (text, line, { ports }) => readWindowsLine(text, line, ports)],
  ['proc-net-tcp', (text, line) => readProcNetLine(text, line)],
  ['lsof', (text, line, { ports }) => readLsofLine(text, line, ports)],
  ['lsfd', (text, line, { ports }) => readLsfdLine(text, line, ports)],
  ['ss', readStatelessOnlyInSs],
]);

// Without State and with Netid, a row of ss looks like a row of netstat that was cut before its state.
function readStatelessOnlyInSs(
  text: string,
  line: number,
  { ports, current, only }: LineContext,
): ReturnType<LineFormat> {
  const row = readSsLine(text, line, ports, only);
  if (row === undefined || row === 'noise' || row.state !== undefined) return row;
  return current === 'ss' || /^\s*[0-9]/.test(text) ? row : undefined;
}

/** `lsof` stands for all formats of lsof, and `netstat` for those of all systems. */
const allows = (asked: string | undefined, format: CaptureFormat): boolean =>
  asked === undefined || asked === format || format.startsWith(`${asked}-`);

export class LineFormats {
  readonly #asked: string | undefined;
  readonly #all: [CaptureFormat, LineFormat][];

  constructor(asked: string | undefined) {
    this.#asked = asked;
    this.#all = [...LINE_FORMATS].filter(([format]) => allows(asked, format));
  }

  allows(format: CaptureFormat): boolean {
    return allows(this.#asked, format);
  }

  /** The row of a line in whatever format it is; that of the lines before is tried first. */
  read(
    text: string,
    line: number,
    context: LineContext,
  ): { format: CaptureFormat; row: CaptureRow } | 'noise' | undefined {
    const { current } = context;
    const known = this.#all.find(([format]) => format === current);
    const first = known?.[1](text, line, context);
    if (known && first !== undefined && first !== 'noise') return { format: known[0], row: first };
    let noise = first === 'noise';
    for (const [format, read] of this.#all) {
      if (format === current) continue;
      const row = read(text, line, context);
      if (row === 'noise') noise = true;
      else if (row !== undefined) return { format, row };
    }
    return noise ? 'noise' : undefined;
  }
}
