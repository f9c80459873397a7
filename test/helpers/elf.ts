import type { ReadAt } from '../../src/parse/elf-file.ts';

/** Without a section it is taken from another file. */
export type Sym = { name: string; value: bigint; size?: bigint; section?: number };
export type Table = { type: 2 | 11; name: string; symbols: Sym[] };

export const ET_EXEC = 2;
export const ET_DYN = 3;

/** Where the first table of symbols lies, and the headers of sections. */
export const SYMBOLS_AT = 1024;
export const SECTIONS_AT = 4096;

/** A little-endian ELF64 file with these tables of symbols and a section .PyRuntime, loaded from page 0x400000 on. */
export function elf(tables: Table[], type = ET_DYN): Uint8Array {
  const file = new Uint8Array(8192);
  const view = new DataView(file.buffer);
  const put = (at: number, text: string) => file.set(new TextEncoder().encode(text), at);
  const sections: { name: string; type: number; address: bigint; offset: number; size: number; link: number }[] = [
    { name: '', type: 0, address: 0n, offset: 0, size: 0, link: 0 },
    { name: '.PyRuntime', type: 1, address: 0x5000n, offset: 0x900, size: 0x40, link: 0 },
  ];
  let at = SYMBOLS_AT;
  for (const { type: kind, name, symbols } of tables) {
    let strings = '\0';
    const offset = at;
    symbols.forEach(({ name: symbol, value, size = 0n, section = 1 }, i) => {
      view.setUint32(offset + i * 24, strings.length, true);
      view.setUint16(offset + i * 24 + 6, section, true);
      view.setBigUint64(offset + i * 24 + 8, value, true);
      view.setBigUint64(offset + i * 24 + 16, size, true);
      strings += `${symbol}\0`;
    });
    at += symbols.length * 24;
    put(at, strings);
    sections.push({ name, type: kind, address: 0n, offset, size: symbols.length * 24, link: sections.length + 1 });
    sections.push({
      name: name.replace('sym', 'str'),
      type: 3,
      address: 0n,
      offset: at,
      size: strings.length,
      link: 0,
    });
    at += strings.length;
  }
  const names = `\0${sections.map(({ name }) => name).join('\0')}\0.shstrtab\0`;
  sections.push({ name: '.shstrtab', type: 3, address: 0n, offset: 512, size: names.length, link: 0 });
  put(512, names);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, type, true);
  view.setBigUint64(32, 64n, true); // e_phoff
  view.setBigUint64(40, BigInt(SECTIONS_AT), true); // e_shoff
  view.setUint16(56, 2, true); // e_phnum
  view.setUint16(60, sections.length, true);
  view.setUint16(62, sections.length - 1, true);
  view.setUint32(64, 4, true); // PT_NOTE
  view.setUint32(64 + 56, 1, true); // PT_LOAD
  view.setBigUint64(64 + 56 + 8, 0x40n, true); // p_offset
  view.setBigUint64(64 + 56 + 16, 0x400040n, true); // p_vaddr
  sections.forEach((section, i) => {
    const start = SECTIONS_AT + i * 64;
    view.setUint32(start, names.indexOf(`\0${section.name}\0`) + 1, true);
    view.setUint32(start + 4, section.type, true);
    view.setBigUint64(start + 16, section.address, true);
    view.setBigUint64(start + 24, BigInt(section.offset), true);
    view.setBigUint64(start + 32, BigInt(section.size), true);
    view.setUint32(start + 40, section.link, true);
  });
  return file;
}

export const reader =
  (file: Uint8Array): ReadAt =>
  (offset, length) =>
    file.subarray(offset, offset + length);
