import type { Frame, Origin, Strand } from '../model/inside.ts';

// eu-stack(1) of elfutils with -m: `TID 812:`, then `#0  0x00007f... name - /path/of/module` for each frame, the innermost
// first. Frames without a symbol have no name; inlined ones no address (elfutils 0.170 and later).
const TID = /^TID ([0-9]{1,10}):$/;
const FRAME = /^#([0-9]{1,5})\s{1,20}(?:0x[0-9a-f]{1,16}(?: - [0-9]{1,3})?)?[ \t]{0,20}(.{0,4000})$/;

const MOST_FRAMES = 256;

/** A thread for each TID, with its frames; lines of another form are passed over, for they are complaints. `program` is the executable. */
export function parseEuStack(text: string, program: string | undefined): Strand[] {
  const strands: Strand[] = [];
  for (const line of text.split('\n')) {
    const tid = TID.exec(line)?.[1];
    if (tid !== undefined) strands.push({ kind: 'thread', tid: Number(tid), frames: [] });
    const frames = strands.at(-1)?.frames;
    const rest = FRAME.exec(line)?.[2];
    if (!frames || rest === undefined || frames.length === MOST_FRAMES) continue;
    frames.push(frameOf(rest, program));
  }
  return strands;
}

function frameOf(rest: string, program: string | undefined): Frame {
  const dash = rest.lastIndexOf(' - ');
  const bare = rest.startsWith('- ') ? 0 : dash < 0 ? -1 : dash + 1;
  const name = (bare < 0 ? rest : rest.slice(0, bare)).trim();
  const module = bare < 0 ? undefined : rest.slice(bare + 2).trim();
  return { function: name === '' ? '??' : name, ...(module && { file: module }), origin: originOf(module, program) };
}

// The C library and its dynamic linker, the compiler's libraries, and the kernel's own page.
const OF_THE_SYSTEM =
  /(?:^|\/)(?:lib(?:c|pthread|m|dl|rt|gcc_s|stdc\+\+|resolv)[.-][^/]*so[.0-9]*|ld[-.][^/]*|ld-musl[^/]*)$|^\[vdso/;

function originOf(module: string | undefined, program: string | undefined): Origin {
  if (module === undefined) return 'application';
  if (OF_THE_SYSTEM.test(module)) return 'runtime';
  return module === program || !/\.so(?:\.|$)/.test(module) ? 'application' : 'library';
}
