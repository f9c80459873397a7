import { closeSync, readSync } from 'node:fs';
import { openToRead } from '../../kernel/files.ts';
import { SystemError } from '../../model/errors.ts';

/** Smaller than any page of the kernel, or the same. */
const PAGE = 4096;
/** 64 MB, after which everything is forgotten: a heap can be of any size. */
const MOST_PAGES = 16_384;
/** Longest piece that is ever asked for at once. */
const MOST_LENGTH = 1024 * 1024;
/** User space ends here on x86_64 with four levels of page tables; a pointer above is none. */
const USER_END = 2 ** 48;

const MOST_FREE = 1024;

type Page = { bytes: Uint8Array; view: DataView };

function newPage(): Page {
  const bytes = new Uint8Array(PAGE);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** What is asked of a process's memory. Addresses are numbers: those of user space fit into a double. */
export type ReadableMemory = Pick<Memory, 'u64' | 'u32' | 's32' | 'u8' | 'read' | 'cString' | 'forget'>;

/** The memory of a process, only to be read. */
export class Memory {
  readonly #path: string;
  readonly #fd: number;
  readonly #pages = new Map<number, Page>();
  /** Forgotten pages, to be filled again: to make new ones took more time than to read them. */
  readonly #free: Page[] = [];

  constructor(pid: number) {
    this.#path = `/proc/${pid}/mem`;
    this.#fd = openToRead(this.#path);
  }

  #failed(code: string): SystemError {
    return new SystemError(code, `read ${this.#path}`);
  }

  #page(address: number): Page {
    const number = Math.floor(address / PAGE);
    let page = this.#pages.get(number);
    if (!page) {
      if (!(address >= PAGE && address < USER_END)) throw this.#failed('EFAULT');
      if (this.#pages.size >= MOST_PAGES) this.forget();
      page = this.#free.pop() ?? newPage();
      this.#fill(page.bytes, number * PAGE);
      this.#pages.set(number, page);
    }
    return page;
  }

  #fill(bytes: Uint8Array, address: number): void {
    let length: number;
    try {
      length = readSync(this.#fd, bytes, 0, bytes.length, address);
    } catch (error) {
      throw this.#failed((error as NodeJS.ErrnoException).code ?? 'EIO');
    }
    // The end of the file: the process has no memory any more, it has ended.
    if (length === 0) throw this.#failed('ESRCH');
    if (length < bytes.length) throw this.#failed('EIO');
  }

  /** What was read stays known until this is called. */
  forget(): void {
    for (const page of this.#pages.values()) if (this.#free.length < MOST_FREE) this.#free.push(page);
    this.#pages.clear();
  }

  u64(address: number): number {
    const at = address % PAGE;
    if (at > PAGE - 8) {
      const bytes = this.read(address, 8);
      return word(new DataView(bytes.buffer, bytes.byteOffset, 8), 0);
    }
    return word(this.#page(address).view, at);
  }

  u32(address: number): number {
    const at = address % PAGE;
    if (at > PAGE - 4) return new DataView(this.read(address, 4).buffer).getUint32(0, true);
    return this.#page(address).view.getUint32(at, true);
  }

  s32(address: number): number {
    return this.u32(address) | 0;
  }

  u8(address: number): number {
    return this.#page(address).view.getUint8(address % PAGE);
  }

  /** A copy. */
  read(address: number, length: number): Uint8Array {
    if (!(length >= 0 && length <= MOST_LENGTH)) throw this.#failed('EFAULT');
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = (address + done) % PAGE;
      const piece = this.#page(address + done).bytes.subarray(at, at + length - done);
      bytes.set(piece, done);
      done += piece.length;
    }
    return bytes;
  }

  /** The bytes before a NUL, at most `most`. */
  cString(address: number, most: number): string {
    let text = '';
    for (let byte = this.u8(address); byte !== 0 && text.length < most; byte = this.u8(address + text.length))
      text += String.fromCharCode(byte);
    return text;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** 64 bits; what does not fit into a double exactly is no address and no count. */
const word = (view: DataView, at: number): number => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
