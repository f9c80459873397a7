import { readFileSync } from 'node:fs';
import { Btf, type Member } from '../../parse/btf.ts';

/** The types of the running kernel, about 5 MB: 50 ms to read and to walk, so only what the cache does not know. */
const VMLINUX = '/sys/kernel/btf/vmlinux';

/** Everything that is looked up in them by name. */
const NAMES = [
  'bpf_iter_task_file',
  'btf_trace_inet_sock_set_state',
  'file',
  'inet_connection_sock',
  'inode',
  'net',
  'pid',
  'sock',
  'sock_flags',
  'socket',
  'socket_wq',
  'super_block',
  'task_struct',
  'tcp_sock',
];

/** What was found out about one kernel: numbers by the question. null is the answer that there is no such thing. */
export type KnownTypes = Record<string, number | [offset: number, size: number] | null>;

/** Answers from what is known already, and else from the kernel's types, which are read when first needed. */
export class KernelTypes {
  readonly known: KnownTypes;
  #btf: Btf | undefined;
  #learned = false;

  constructor(known: KnownTypes = {}) {
    this.known = known;
  }

  /** Whether something was looked up that was not known before. */
  get learned(): boolean {
    return this.#learned;
  }

  readonly member = (struct: string, path: string): Member | undefined => {
    const found = this.#ask(`${struct}.${path}`, (btf) => {
      const member = btf.member(struct, path);
      return member ? [member.offset, member.size] : null;
    });
    return Array.isArray(found) ? { offset: found[0], size: found[1] } : undefined;
  };

  func(name: string): number | undefined {
    return this.#number(`func ${name}`, (btf) => btf.id('func', name));
  }

  typedef(name: string): number | undefined {
    return this.#number(`typedef ${name}`, (btf) => btf.id('typedef', name));
  }

  enumerator(enumName: string, name: string): number | undefined {
    return this.#number(`${enumName} ${name}`, (btf) => btf.enumerator(name, enumName));
  }

  #number(question: string, ask: (btf: Btf) => number | undefined): number | undefined {
    const found = this.#ask(question, (btf) => ask(btf) ?? null);
    return typeof found === 'number' ? found : undefined;
  }

  #ask(question: string, ask: (btf: Btf) => KnownTypes[string]): KnownTypes[string] {
    const known = this.known[question];
    if (known !== undefined) return known;
    this.#btf ??= new Btf(readFileSync(VMLINUX), NAMES);
    this.#learned = true;
    const found = ask(this.#btf);
    this.known[question] = found;
    return found;
  }
}
