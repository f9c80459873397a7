// eBPF instructions as in Documentation/bpf/standardization/instruction-set.rst and include/uapi/linux/bpf.h:
// u8 opcode, u4 destination, u4 source, s16 offset, s32 immediate.

/** Registers: results come in r0, calls take r1 to r5 and destroy them, r6 to r9 stay, r10 is the frame. */
export type Register = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;
export const FRAME = 10;

/** Bytes that a load or store moves. */
export type Width = 1 | 2 | 4 | 8;

const INSTRUCTION_SIZE = 8;

const WIDTH_BITS: Readonly<Record<Width, number>> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 }; // BPF_B, _H, _W, _DW
const LDX = 0x61; // BPF_LDX | BPF_MEM
const STX = 0x63; // BPF_STX | BPF_MEM
const ST = 0x62; // BPF_ST | BPF_MEM
const SOURCE_REGISTER = 0x08; // BPF_X
const ALU64 = 0x07;
const ALU = { add: 0x00, and: 0x50, leftShift: 0x60, rightShift: 0x70, move: 0xb0 } as const;
const JUMP = 0x05;
const CONDITION = { always: 0x00, equal: 0x10, atLeast: 0x30, notEqual: 0x50, less: 0xa0 } as const;
const CALL = 0x85;
const LOAD_64 = 0x18; // BPF_LD | BPF_DW | BPF_IMM
const PSEUDO_MAP_FD = 1;
const EXIT = 0x95;

/** Kernel functions that programs call, by their numbers (enum bpf_func_id in include/uapi/linux/bpf.h). */
export const HELPER = {
  get_current_pid_tgid: 14,
  get_current_task: 35,
  probe_read_kernel: 113,
  jiffies64: 118,
  seq_write: 127,
  ringbuf_output: 130,
  skc_to_tcp_sock: 137,
  sock_from_file: 162,
} as const;

type Operand = Register | { value: number };

/** Writes a program, instruction by instruction. Jumps go forward to labels, which are placed once. */
export class Assembler {
  readonly #instructions: { opcode: number; dst: number; src: number; offset: number; value: number }[] = [];
  readonly #labels = new Map<string, number>();
  readonly #jumps: { at: number; label: string }[] = [];

  #emit(opcode: number, dst: number, src: number, offset: number, value: number): this {
    this.#instructions.push({ opcode, dst, src, offset, value });
    return this;
  }

  #alu(operation: number, dst: Register, operand: Operand): this {
    return typeof operand === 'number'
      ? this.#emit(ALU64 | operation | SOURCE_REGISTER, dst, operand, 0, 0)
      : this.#emit(ALU64 | operation, dst, 0, 0, operand.value);
  }

  move(dst: Register, operand: Operand): this {
    return this.#alu(ALU.move, dst, operand);
  }

  add(dst: Register, operand: Operand): this {
    return this.#alu(ALU.add, dst, operand);
  }

  and(dst: Register, operand: Operand): this {
    return this.#alu(ALU.and, dst, operand);
  }

  leftShift(dst: Register, operand: Operand): this {
    return this.#alu(ALU.leftShift, dst, operand);
  }

  rightShift(dst: Register, operand: Operand): this {
    return this.#alu(ALU.rightShift, dst, operand);
  }

  /** dst = the map behind a descriptor (BPF_LD_IMM64 with BPF_PSEUDO_MAP_FD), which takes two instructions. */
  loadMap(dst: Register, fd: number): this {
    return this.#emit(LOAD_64, dst, PSEUDO_MAP_FD, 0, fd).#emit(0, 0, 0, 0, 0);
  }

  /** dst = *(base + offset) */
  load(width: Width, dst: Register, base: Register, offset: number): this {
    return this.#emit(LDX | WIDTH_BITS[width], dst, base, offset, 0);
  }

  /** *(base + offset) = src */
  store(width: Width, base: Register, offset: number, src: Register): this {
    return this.#emit(STX | WIDTH_BITS[width], base, src, offset, 0);
  }

  storeValue(width: Width, base: Register, offset: number, value: number): this {
    return this.#emit(ST | WIDTH_BITS[width], base, 0, offset, value);
  }

  #jump(condition: number, dst: Register, operand: Operand, label: string): this {
    this.#jumps.push({ at: this.#instructions.length, label });
    return typeof operand === 'number'
      ? this.#emit(JUMP | condition | SOURCE_REGISTER, dst, operand, 0, 0)
      : this.#emit(JUMP | condition, dst, 0, 0, operand.value);
  }

  jump(label: string): this {
    return this.#jump(CONDITION.always, 0, { value: 0 }, label);
  }

  jumpIfEqual(dst: Register, operand: Operand, label: string): this {
    return this.#jump(CONDITION.equal, dst, operand, label);
  }

  jumpIfNotEqual(dst: Register, operand: Operand, label: string): this {
    return this.#jump(CONDITION.notEqual, dst, operand, label);
  }

  /** Of numbers without a sign. */
  jumpIfLess(dst: Register, operand: Operand, label: string): this {
    return this.#jump(CONDITION.less, dst, operand, label);
  }

  jumpIfAtLeast(dst: Register, operand: Operand, label: string): this {
    return this.#jump(CONDITION.atLeast, dst, operand, label);
  }

  label(name: string): this {
    if (this.#labels.has(name)) throw new Error(`label ${name} is placed twice`);
    this.#labels.set(name, this.#instructions.length);
    return this;
  }

  call(helper: keyof typeof HELPER): this {
    return this.#emit(CALL, 0, 0, 0, HELPER[helper]);
  }

  exit(): this {
    return this.#emit(EXIT, 0, 0, 0, 0);
  }

  /** The program as the kernel takes it. */
  assemble(): Uint8Array {
    const offsets = new Map(this.#jumps.map(({ at, label }) => [at, this.#distance(at, label)]));
    const bytes = new Uint8Array(this.#instructions.length * INSTRUCTION_SIZE);
    const view = new DataView(bytes.buffer);
    this.#instructions.forEach(({ opcode, dst, src, offset, value }, index) => {
      const start = index * INSTRUCTION_SIZE;
      view.setUint8(start, opcode);
      view.setUint8(start + 1, dst | (src << 4));
      view.setInt16(start + 2, inRange(offsets.get(index) ?? offset), true);
      view.setInt32(start + 4, value | 0, true);
    });
    return bytes;
  }

  #distance(from: number, label: string): number {
    const to = this.#labels.get(label);
    if (to === undefined) throw new Error(`label ${label} is placed nowhere`);
    return to - from - 1;
  }
}

/** Offsets have 16 bits. A struct whose member lies further off cannot be read by one instruction. */
function inRange(offset: number): number {
  if (offset < -32_768 || offset > 32_767) throw new RangeError(`offset ${offset} does not fit into 16 bits`);
  return offset;
}
