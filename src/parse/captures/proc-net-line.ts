import { ParseError } from '../../model/errors.ts';
import { parseProcNetTcpRow } from '../proc-net.ts';
import type { LineReading } from './row.ts';

const ROW = /^\s*[0-9]+:\s+([0-9A-Fa-f]{8}|[0-9A-Fa-f]{32}):[0-9A-Fa-f]{4}\s/;

/** A row of /proc/net/tcp or tcp6, wherever it stands. */
export function readProcNetLine(text: string, line: number): LineReading {
  const match = ROW.exec(text);
  if (!match) return undefined;
  try {
    const { local, peer, state, ...rest } = parseProcNetTcpRow(text, '');
    const family = (match[1] ?? '').length > 8 ? 6 : 4;
    return { line, family, state, local, ...rest, ...(state !== 'LISTEN' && { peer }) };
  } catch (error) {
    if (error instanceof ParseError) return undefined;
    throw error;
  }
}
