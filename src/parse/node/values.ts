// Answers come from another program, which may be of any version or broken: a field that is not what it should be is absent.

export const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

export const isText = (value: unknown): value is string => typeof value === 'string';

export function textIn(value: unknown, name: string): string | undefined {
  const text = field(value, name);
  return isText(text) ? text : undefined;
}

export function numberIn(value: unknown, name: string): number | undefined {
  const number = field(value, name);
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

export function booleanIn(value: unknown, name: string): boolean | undefined {
  const boolean = field(value, name);
  return typeof boolean === 'boolean' ? boolean : undefined;
}

export function listIn(value: unknown, name: string): unknown[] {
  const list = field(value, name);
  return Array.isArray(list) ? list : [];
}
