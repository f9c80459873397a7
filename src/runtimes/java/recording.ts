import { rmdirSync, statSync } from 'node:fs';
import { SystemError } from '../../model/errors.ts';
import { isRepository, lacksRecorder, repositoryOf, runningRecordings } from '../../parse/java/jfr-reply.ts';
import type { Subject } from '../subject.ts';
import type { AttachClient } from './attach.ts';
import { pause } from './pause.ts';
import { failed, refused, Trouble } from './trouble.ts';
import { Workspace } from './workspace.ts';

/** On a busy machine loading the recorder takes a second, and its pauses 50 ms. */
const TIMEOUT_MS = 30_000;
/** By then the JVM ends the recording itself, should we not be there to do it. */
const SPARE_MS = 30_000;

const NO_READS = 'which code read the ends of connections and did not close them stays unknown';

const RECORDING = 'recording.jfr';

/** Every read of a socket with its stack. `throttle` is known since JDK 25, and ignored before. */
const SETTINGS = `<?xml version="1.0" encoding="UTF-8"?>
<configuration version="2.0" label="unclosed" description="reads of sockets" provider="unclosed">
  <event name="jdk.SocketRead">
    <setting name="enabled">true</setting>
    <setting name="stackTrace">true</setting>
    <setting name="threshold">0 ms</setting>
    <setting name="throttle">off</setting>
  </event>
</configuration>
`;

/** Has the JVM record what it reads from sockets for some time. Nothing of the recording stays. */
export async function recordReads(
  subject: Subject,
  client: AttachClient,
  watchMs: number,
): Promise<{ bytes: Uint8Array; startedAt: number; watchedMs: number }> {
  const { pid } = client.jvm;
  subject.announce(
    `the flight recorder (JFR) of the JVM (pid ${pid}) is loaded, up to a second: pauses of about 10 ms (50 on a busy machine), and two threads that stay`,
  );
  await requireNoOther(client);
  if (subject.signal.aborted) throw new SystemError('ECANCELED', 'JFR');
  subject.announce(
    `it records what is read from sockets for ${watchMs / 1000} s: pauses of about 10 ms when it starts, and 10 µs more for each read`,
  );
  const workspace = new Workspace(client.jvm);
  try {
    const began = performance.now();
    const startedAt = subject.machine.now();
    await start(client, workspace, watchMs);
    await pause(watchMs - (performance.now() - began), subject.signal);
    const watchedMs = Math.round(performance.now() - began);
    await stop(client, workspace.name, startedAt);
    return { bytes: workspace.read(RECORDING), startedAt, watchedMs };
  } finally {
    workspace.remove();
  }
}

/** A second recording would give ours what it wants, and the other one what it did not ask for. */
async function requireNoOther(client: AttachClient): Promise<void> {
  const { pid } = client.jvm;
  const running = runningRecordings(await jcmd(client, 'JFR.check', 'look for other JFR recordings'));
  if (running.length > 0)
    throw refused(
      `a JFR recording of others runs in pid ${pid}: ${running.join(', ')}`,
      `look into that one: jcmd ${pid} JFR.dump name=NAME filename=FILE, and in FILE at jdk.SocketRead events with endOfStream = true`,
      NO_READS,
    );
}

async function start(client: AttachClient, workspace: Workspace, watchMs: number): Promise<void> {
  const duration = Math.ceil((watchMs + SPARE_MS) / 1000);
  const settings = workspace.write('settings.jfc', SETTINGS);
  const places = `settings=${settings} filename=${workspace.file(RECORDING)}`;
  const options = `name=${workspace.name} ${places} duration=${duration}s maxsize=20M`;
  const reply = await jcmd(client, `JFR.start ${options}`, 'JFR recording of socket reads, started');
  if (!/Started recording/.test(reply))
    throw failed(
      `pid ${client.jvm.pid} started no JFR recording: ${reply.trim().slice(0, 200)}`,
      'look at what it says',
      NO_READS,
    );
}

async function stop(client: AttachClient, name: string, startedAt: number): Promise<void> {
  await jcmd(client, `JFR.stop name=${name}`, 'JFR recording stopped');
  const limits = { what: 'where JFR keeps its files', timeoutMs: TIMEOUT_MS, always: true } as const;
  const repository = repositoryOf((await client.ask(limits, 'properties')).text);
  if (repository !== undefined) removeRepository(client, repository, startedAt);
}

/** The directory that JFR made for our recording, once it is empty: JFR makes another one when it needs it. */
function removeRepository({ jvm }: AttachClient, repository: string, startedAt: number): void {
  const path = `/proc/${jvm.pid}/root${repository}`;
  try {
    if (isRepository(repository, jvm.nspid) && statSync(path).birthtimeMs >= startedAt - CLOCK_SLACK_MS)
      rmdirSync(path);
  } catch (error) {
    // It is somebody's by now, or gone.
    if (!/^(?:ENOTEMPTY|EEXIST|ENOENT|EACCES|EPERM|EBUSY)$/.test((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
  }
}

/** File systems tell times of the kernel's last tick. */
const CLOCK_SLACK_MS = 20;

async function jcmd(client: AttachClient, command: string, what: string): Promise<string> {
  try {
    return (await client.ask({ what, timeoutMs: TIMEOUT_MS, always: true }, 'jcmd', command)).text;
  } catch (error) {
    if (!(error instanceof Trouble) || !lacksRecorder(error.gap.what)) throw error;
    const remedy = 'JFR is in OpenJDK from 11 and 8u262 on';
    throw new Trouble({ ...error.gap, code: 'INSIDE_UNSUPPORTED', effect: NO_READS, remedy });
  }
}
