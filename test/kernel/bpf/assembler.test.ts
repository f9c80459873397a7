import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assembler, FRAME } from '../../../src/kernel/bpf/assembler.ts';

const hex = (program: Assembler): string[] => Buffer.from(program.assemble()).toString('hex').match(/.{16}/g) ?? [];

// As `llvm-mc -triple=bpfel -show-encoding` writes them.
test('instructions are encoded as the kernel reads them', () => {
  const program = new Assembler()
    .move(6, 1) // r6 = r1
    .move(3, { value: -1 }) // r3 = -1
    .load(8, 7, 6, 24) // r7 = *(u64 *)(r6 + 24)
    .load(4, 1, 6, 16) // r1 = *(u32 *)(r6 + 16)
    .load(2, 1, 9, 14) // r1 = *(u16 *)(r9 + 14)
    .load(1, 1, 9, 18) // r1 = *(u8 *)(r9 + 18)
    .store(4, FRAME, -8, 1) // *(u32 *)(r10 - 8) = r1
    .storeValue(8, FRAME, -16, 0) // *(u64 *)(r10 - 16) = 0
    .add(2, { value: -120 }) // r2 += -120
    .and(2, { value: 0x502 }) // r2 &= 1282
    .leftShift(2, 1) // r2 <<= r1
    .call('seq_write') // call 127
    .exit();
  assert.deepEqual(hex(program), [
    'bf16000000000000',
    'b7030000ffffffff',
    '7967180000000000',
    '6161100000000000',
    '69910e0000000000',
    '7191120000000000',
    '631af8ff00000000',
    '7a0af0ff00000000',
    '0702000088ffffff',
    '5702000002050000',
    '6f12000000000000',
    '850000007f000000',
    '9500000000000000',
  ]);
});

test('jumps count instructions from the one behind them', () => {
  const program = new Assembler()
    .jumpIfEqual(7, { value: 0 }, 'out') // if r7 == 0 goto +5
    .jumpIfNotEqual(1, 8, 'out') // if r1 != r8 goto +4
    .jump('out') // goto +3
    .jumpIfLess(1, { value: 256 }, 'out') // if r1 < 256 goto +2
    .jumpIfAtLeast(1, { value: 512 }, 'out') // if r1 >= 512 goto +1
    .move(0, { value: 1 })
    .label('out')
    .exit();
  assert.deepEqual(hex(program).slice(0, 5), [
    '1507050000000000',
    '5d81040000000000',
    '0500030000000000',
    'a501020000010000',
    '3501010000020000',
  ]);
});

test('a label must be placed, once', () => {
  assert.throws(() => new Assembler().jump('nowhere').assemble(), /label nowhere/);
  assert.throws(() => new Assembler().label('here').label('here'), /twice/);
});

test('an offset that does not fit is refused, and not cut', () => {
  assert.throws(() => new Assembler().load(8, 1, 6, 40_000).assemble(), RangeError);
});
