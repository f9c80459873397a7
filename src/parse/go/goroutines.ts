import { ParseError } from '../../model/errors.ts';
import type { Frame, Origin, Strand } from '../../model/inside.ts';
import type { GoBuild } from './build-info.ts';

// The text of /debug/pprof/goroutine?debug=2, which is that of runtime.Stack (printGoroutine and traceback in
// runtime/traceback.go of Go 1.13 to 1.26): a header for each goroutine, two lines for each frame, a blank line.

const HEADER = /^goroutine ([0-9]{1,19})(?: [a-z][\w=.]{0,100}){0,5} \[([^\]]{1,200})\].{0,1000}:$/;
const CREATED = /^created by (.{1,4000}?)(?: in goroutine [0-9]{1,19})?$/;
const PLACE = /^\t(.{1,4000}):([0-9]{1,9})(?: \+0x[0-9a-f]{1,16})?$/;
/** Frames that the runtime leaves out of a deep stack, and what it says where it cannot see one. */
const REMARK = /^(?:\.\.\.|\tgoroutine running on other thread|panic\()/;

const MOST_FRAMES = 200;
const MOST_GOROUTINES = 1_000_000;

/** Top folders of Go's standard library (src/ of Go 1.26), under which a program can have no package of its own path. */
const STANDARD = new Set(
  'archive bufio bytes cmp compress container context crypto database debug embed encoding errors expvar flag fmt go hash html image index internal io iter log maps math mime net os path plugin reflect regexp runtime slices sort strconv strings structs sync syscall testing text time unicode unique unsafe weak'.split(
    ' ',
  ),
);

type Goroutine = { state: string; sinceMs?: number; frames: Frame[]; createdBy?: Frame };

/** Goroutines with equal stacks in the same state are one strand, with how many they are; the most frequent first. */
export function parseGoroutines(text: string, build?: GoBuild): Strand[] {
  const strands = new Map<string, Strand>();
  let count = 0;
  for (const one of goroutines(text, build)) {
    if (++count > MOST_GOROUTINES) throw new ParseError('goroutine profile', 'too many goroutines');
    const key = JSON.stringify([one.state, one.frames.map(placeOf), one.createdBy && placeOf(one.createdBy)]);
    const known = strands.get(key);
    if (known) join(known, one);
    else strands.set(key, { kind: 'goroutine', ...one });
  }
  if (count === 0) throw new ParseError('goroutine profile', `no goroutine in "${text.slice(0, 80)}"`);
  return [...strands.values()].sort((a, b) => (b.count ?? 1) - (a.count ?? 1));
}

const placeOf = ({ function: name, file, line }: Frame): unknown[] => [name, file, line];

function join(strand: Strand, { sinceMs }: Goroutine): void {
  strand.count = (strand.count ?? 1) + 1;
  if (sinceMs !== undefined && sinceMs > (strand.sinceMs ?? -1)) strand.sinceMs = sinceMs;
}

function* goroutines(text: string, build: GoBuild | undefined): Generator<Goroutine> {
  let current: Goroutine | undefined;
  let call: { name: string; creates: boolean } | undefined;
  for (const raw of lines(text)) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    const header = line.startsWith('goroutine ') ? HEADER.exec(line) : null;
    if (header) {
      if (current) yield current;
      current = stateOf(header[2] ?? '');
      call = undefined;
    } else if (!current || line === '' || REMARK.test(line)) {
      call = undefined;
    } else if (line.startsWith('\t')) {
      if (call) addFrame(current, call, PLACE.exec(line), build);
      call = undefined;
    } else {
      const created = CREATED.exec(line)?.[1];
      call =
        created === undefined ? { name: withoutArguments(line), creates: false } : { name: created, creates: true };
    }
  }
  if (current) yield current;
}

/** Without an array of a million lines. */
function* lines(text: string): Generator<string> {
  for (let at = 0; at <= text.length; ) {
    const end = text.indexOf('\n', at);
    yield text.slice(at, end < 0 ? text.length : end);
    at = end < 0 ? text.length + 1 : end + 1;
  }
}

/** `IO wait, 5 minutes, locked to thread`: the runtime counts whole minutes. */
function stateOf(text: string): Goroutine {
  const [state = '', ...more] = text.split(', ');
  const minutes = more.map((part) => /^([0-9]{1,9}) minutes$/.exec(part)?.[1]).find((found) => found !== undefined);
  return { state, ...(minutes !== undefined && { sinceMs: Number(minutes) * 60_000 }), frames: [] };
}

/** `main.(*server).handle(0xc000010000, {0x1, 0x2})`: the arguments are numbers, braces and dots, and hold no brackets. */
function withoutArguments(line: string): string {
  const open = line.endsWith(')') ? line.lastIndexOf('(') : -1;
  return open > 0 ? line.slice(0, open) : line;
}

function addFrame(
  goroutine: Goroutine,
  { name, creates }: { name: string; creates: boolean },
  place: RegExpExecArray | null,
  build: GoBuild | undefined,
): void {
  const [, file, line] = place ?? [];
  const frame: Frame = {
    function: name,
    ...(file !== undefined && { file, line: Number(line) }),
    origin: originOf(name, file, build),
  };
  if (creates) goroutine.createdBy = frame;
  else if (goroutine.frames.length < MOST_FRAMES) goroutine.frames.push(frame);
}

/** The path of the package of a function: up to the first dot behind the last slash. Dots in it are written %2e. */
function packageOf(name: string): string {
  // Type arguments in brackets can hold paths of their own.
  const plain = name.replace(/\[.*$/s, '');
  const dot = plain.indexOf('.', plain.lastIndexOf('/') + 1);
  return (dot < 0 ? plain : plain.slice(0, dot)).replace(/%2e/g, '.');
}

const isIn = (path: string, module: string): boolean => path === module || path.startsWith(`${module}/`);

function originOf(name: string, file: string | undefined, build: GoBuild | undefined): Origin {
  const path = packageOf(name);
  if (path === 'main') return 'application';
  const { module, dependencies = [] } = build ?? {};
  if (file !== undefined && (file.includes('/pkg/mod/') || /@v[0-9]/.test(file))) return 'library';
  if (dependencies.some((dependency) => isIn(path, dependency))) return 'library';
  if (module !== undefined && module !== '' && isIn(path, module)) return 'application';
  const [top = ''] = path.split('/');
  const standard = STANDARD.has(top) || isIn(path, 'vendor/golang.org');
  if (standard && (file === undefined || isOfStandard(file, path))) return 'runtime';
  return file?.includes('/vendor/') ? 'library' : 'application';
}

/**
 * `<GOROOT>/src/net/http/server.go`, or with -trimpath `net/http/server.go`. Functions of other packages can be written in the
 * runtime, as internal/poll.runtime_pollWait is.
 */
function isOfStandard(file: string, path: string): boolean {
  const folder = file.slice(0, file.lastIndexOf('/'));
  const isFolderOf = (name: string): boolean => folder === name || folder.endsWith(`/src/${name}`);
  return isFolderOf(path) || isFolderOf('runtime') || folder === path.replace(/^vendor\//, '');
}
