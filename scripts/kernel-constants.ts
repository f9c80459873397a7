// Compares the numbers and struct layouts that src/ uses with those of this machine's C headers. Two ways: whole
// structs are filled in by a C program and go through our own encoders and decoders; single numbers are read from the
// line of the source that uses them. Exit code 1 on a difference, 2 without a C compiler.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cSource, type Measured } from './kernel-constants/c-program.ts';
import { compareNumbers } from './kernel-constants/numbers.ts';
import { compareStructs } from './kernel-constants/structs.ts';

function measure(): Measured {
  const folder = mkdtempSync(join(tmpdir(), 'unclosed-constants-'));
  try {
    const source = join(folder, 'constants.c');
    const program = join(folder, 'constants');
    writeFileSync(source, cSource());
    const { status, error, stderr } = spawnSync('cc', ['-Wall', '-o', program, source], { encoding: 'utf8' });
    if (error || status !== 0) {
      console.error(`cc: ${error?.message ?? stderr}`);
      process.exit(2);
    }
    return JSON.parse(spawnSync(program, { encoding: 'utf8' }).stdout) as Measured;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const measured = measure();
const rows = [...compareNumbers(measured.numbers), ...compareStructs(measured.structs)];
const width = Math.max(...rows.map(({ what }) => what.length));
for (const { what, where, ours, theirs } of rows) {
  const same = ours === theirs;
  console.log(
    `${same ? 'same     ' : 'DIFFERENT'}  ${what.padEnd(width)}  ${ours}${same ? '' : ` here, ${theirs} in C`}  ${where}`,
  );
}
const different = rows.filter(({ ours, theirs }) => ours !== theirs).length;
console.log(`\n${rows.length} compared, ${different} different`);
process.exitCode = different === 0 ? 0 : 1;
