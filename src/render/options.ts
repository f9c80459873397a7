import type { Limits } from '../model/finding.ts';
import type { Paint } from './text.ts';

export type ReportOptions = {
  width: number;
  paint: Paint;
  limits: Limits;
  /** Limits that are not the default, and the files that were read for them; told when it is verbose. */
  changed?: readonly { name: string; value: string; source: string }[];
  files?: readonly string[];
  /** Show every finding in full, also those that are only churn. */
  all: boolean;
  /** Say how it was read. */
  verbose: boolean;
  /** Options that the commands it suggests should have too, with a space behind; or nothing. */
  again: string;
  /** The filters in force, in words. */
  filter?: string;
};
