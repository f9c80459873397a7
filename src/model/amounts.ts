// How people write amounts, in options and in the configuration file. Each gives undefined for what is none.

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds out of `90s`, `5m`, `1.5h`, `2d`; a bare number is seconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|min|h|d)?$/.exec(text);
  const unit = UNITS[match?.[2] ?? 's'];
  return match && unit !== undefined ? Number(match[1]) * unit : undefined;
}

/** A share from 0 to 1 out of `50%`, `50 %` or `0.5`. */
export function parseShare(text: string): number | undefined {
  const match = /^([0-9]{1,3}(?:\.[0-9]{1,6})?)( ?%)?$/.exec(text);
  if (!match) return undefined;
  const share = Number(match[1]) / (match[2] === undefined ? 1 : 100);
  return share <= 1 ? share : undefined;
}

/** A whole number that is not negative. */
export const parseCount = (text: string): number | undefined => (/^[0-9]{1,9}$/.test(text) ? Number(text) : undefined);
