/**
 * unclosed as a library: `diagnose(await capture())`.
 * @packageDocumentation
 */

export { capture, type Where } from './app/look.ts';
export type { CaptureOptions } from './app/search.ts';
export { ageOf } from './diagnose/ages.ts';
export { diagnose } from './diagnose/diagnose.ts';
export { ParseError, SystemError, UnclosedError } from './model/errors.ts';
export * from './model/finding.ts';
export type * from './model/process.ts';
export type * from './model/snapshot.ts';
export type * from './model/socket.ts';
export type { Capture, CaptureText } from './parse/captures/capture.ts';
export { LineSplitter } from './parse/captures/lines.ts';
export { CaptureReader, type LineKind, type ReaderOptions } from './parse/captures/reader.ts';
export * from './parse/captures/row.ts';
export { parseCapture } from './parse/captures/text.ts';
