import { TCP_STATE } from '../../model/socket.ts';
import { TRANSITION, TRANSITION_SIZE } from '../../parse/transitions.ts';
import { Assembler, FRAME } from './assembler.ts';
import { type MemberOf, MissingType } from './program.ts';

// Arguments of the tracepoint inet_sock_set_state (include/trace/events/sock.h): struct sock *sk, int oldstate, int
// newstate, each in 64 bits.
const ARGUMENT = { socket: 0, oldState: 8, newState: 16 };

const IPPROTO_TCP = 6;
/** The reader looks by itself (BPF_RB_NO_WAKEUP). */
const NO_WAKEUP = 1;

const OLD_STATE = 6;
const NEW_STATE = 7;
const SOCK = 8;
const RECORD = -TRANSITION_SIZE;

export type TransitionProgramRequest = {
  /** Descriptor of the ring buffer. */
  ring: number;
  /** Whether numbers of processes are those of the first pid namespace; else they mean nothing to the reader, and are 0. */
  withPids: boolean;
};

/** Writes the program that puts a record into the ring for each socket that comes into CLOSE_WAIT or leaves it. */
export function transitionProgram({ ring, withPids }: TransitionProgramRequest, memberOf: MemberOf): Uint8Array {
  const need = (struct: string, path: string): number => {
    const member = memberOf(struct, path);
    if (!member) throw new MissingType(`this kernel has no ${struct}.${path}`);
    return member.offset;
  };
  const asm = new Assembler()
    .load(8, OLD_STATE, 1, ARGUMENT.oldState)
    .load(8, NEW_STATE, 1, ARGUMENT.newState)
    .jumpIfEqual(OLD_STATE, { value: TCP_STATE.CLOSE_WAIT }, 'wanted')
    .jumpIfNotEqual(NEW_STATE, { value: TCP_STATE.CLOSE_WAIT }, 'out')
    .label('wanted')
    .load(8, SOCK, 1, ARGUMENT.socket)
    .load(2, 1, SOCK, need('sock', 'sk_protocol'))
    .jumpIfNotEqual(1, { value: IPPROTO_TCP }, 'out');
  for (let offset = RECORD; offset < 0; offset += 8) asm.storeValue(8, FRAME, offset, 0);
  asm
    .store(8, FRAME, RECORD + TRANSITION.socket, SOCK)
    .store(1, FRAME, RECORD + TRANSITION.oldState, OLD_STATE)
    .store(1, FRAME, RECORD + TRANSITION.newState, NEW_STATE)
    // A socket that nobody has accepted has no struct socket, and one that is being made no file.
    .load(8, 1, SOCK, need('sock', 'sk_socket'))
    .jumpIfEqual(1, { value: 0 }, 'no inode')
    .load(8, 1, 1, need('socket', 'file'))
    .jumpIfEqual(1, { value: 0 }, 'no inode')
    .load(8, 1, 1, need('file', 'f_inode'))
    .jumpIfEqual(1, { value: 0 }, 'no inode')
    .load(8, 1, 1, need('inode', 'i_ino'))
    .store(4, FRAME, RECORD + TRANSITION.inode, 1)
    .label('no inode');
  if (withPids) {
    asm
      .call('get_current_pid_tgid')
      .rightShift(0, { value: 32 })
      .store(4, FRAME, RECORD + TRANSITION.pid, 0);
  }
  return asm
    .loadMap(1, ring)
    .move(2, FRAME)
    .add(2, { value: RECORD })
    .move(3, { value: TRANSITION_SIZE })
    .move(4, { value: NO_WAKEUP })
    .call('ringbuf_output')
    .label('out')
    .move(0, { value: 0 })
    .exit()
    .assemble();
}
