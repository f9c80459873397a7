import { ParseError } from '../../model/errors.ts';
import type { JfrBytes } from './jfr-bytes.ts';

/** A field of a class: `pooled` means that a number stands there, of a value in the pool of its class. */
export type JfrField = { name: string; type: string; pooled: boolean; array: boolean };
/** A type of events, or of what stands in them. */
export type JfrClass = { name: string; fields: JfrField[] };
/** By the number that stands for a class in its chunk, as text: it can be larger than Number holds. */
export type JfrTypes = ReadonlyMap<string, JfrClass>;

type Element = { name: string; attributes: Map<string, string>; children: Element[] };

/** Metadata are a table of texts and a tree of elements (MetadataWriter in jdk.jfr.internal). */
export function readTypes(bytes: JfrBytes): JfrTypes {
  bytes.int(); // size
  if (bytes.int() !== 0) throw new ParseError(`jfr+${bytes.at}`, 'this is no event with metadata');
  for (let field = 0; field < 3; field++) bytes.long(); // start, duration, number of the metadata
  const texts = Array.from({ length: bytes.count() }, () => bytes.string());
  const text = (): string => {
    const found = texts[bytes.int()];
    return typeof found === 'string' ? found : '';
  };
  const types = new Map<string, JfrClass>();
  collect(readElement(bytes, text, 0), types);
  return types;
}

const DEEPEST = 16; // root, metadata, class, field, annotation

function readElement(bytes: JfrBytes, text: () => string, depth: number): Element {
  if (depth > DEEPEST) throw new ParseError(`jfr+${bytes.at}`, 'elements of metadata lie too deep');
  const name = text();
  const attributes = new Map<string, string>();
  for (let left = bytes.count(); left > 0; left--) {
    const key = text();
    attributes.set(key, text());
  }
  const children: Element[] = [];
  for (let left = bytes.count(); left > 0; left--) children.push(readElement(bytes, text, depth + 1));
  return { name, attributes, children };
}

function collect({ name, attributes, children }: Element, types: Map<string, JfrClass>): void {
  if (name !== 'class') {
    for (const child of children) collect(child, types);
    return;
  }
  const fields = children.filter((child) => child.name === 'field').map(fieldOf);
  types.set(attributes.get('id') ?? '', { name: attributes.get('name') ?? '', fields });
}

const fieldOf = ({ attributes }: Element): JfrField => ({
  name: attributes.get('name') ?? '',
  type: attributes.get('class') ?? '',
  pooled: attributes.get('constantPool') === 'true',
  array: attributes.get('dimension') === '1',
});
