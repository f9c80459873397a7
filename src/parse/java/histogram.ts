import { ParseError } from '../../model/errors.ts';

/** How many objects of each class there are. `  12:   40   1600  java.net.Socket (java.base@17.0.15)`; without module in JDK 8. */
export function parseHistogram(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, count, name] = /^ *[0-9]+: +([0-9]+) +[0-9]+ {2}(\S+)/.exec(line) ?? [];
    if (count === undefined || name === undefined) continue;
    // Two loaders may have a class of one name each.
    counts.set(name, (counts.get(name) ?? 0) + Number(count));
  }
  if (counts.size === 0) throw new ParseError('class histogram', `no line with a class in "${text.slice(0, 80)}"`);
  return counts;
}
