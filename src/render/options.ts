import type { Limits } from '../model/finding.ts';
import type { Paint } from './text.ts';

export type ReportOptions = {
  width: number;
  paint: Paint;
  limits: Limits;
  /** Show every finding in full, also those that are only churn. */
  all: boolean;
  /** Say how it was read. */
  verbose: boolean;
  /** Options that the commands it suggests should have too, with a space behind; or nothing. */
  again: string;
  /** The filters in force, in words. */
  filter?: string;
};
