import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WORKLOADS = fileURLToPath(new URL('../workloads/', import.meta.url));
const LIMIT_MS = 120_000;

/** Compiles what the runtimes need. Without a compiler its workloads are skipped; a compiler that fails is an error. */
export function build(runtimes: ReadonlySet<string>): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'unclosed-eval-'));
  try {
    for (const [name, make] of Object.entries(MAKERS)) if (runtimes.has(name)) make(folder);
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}

const MAKERS: Record<string, (folder: string) => void> = {
  c: (folder) => run('cc', '-O1', '-Wall', '-pthread', '-o', join(folder, 'c-server'), `${WORKLOADS}c/server.c`),
  go: (folder) => run('go', 'build', '-o', join(folder, 'go-program'), `${WORKLOADS}go/main.go`),
  java: (folder) => {
    const plain = ['Blocking', 'Nio', 'Clients'].map((name) => `${WORKLOADS}java/${name}.java`);
    run('javac', '-d', join(folder, 'java'), ...plain);
    if (LIBRARIES.every((path) => existsSync(path))) {
      run('javac', '-d', join(folder, 'java'), '-cp', LIBRARIES.join(':'), `${WORKLOADS}java/Pools.java`);
    }
  },
  python: certificate,
  node: certificate,
};

const LIBRARIES = ['httpclient', 'httpcore', 'commons-pool2'].map((name) => `/usr/share/java/${name}.jar`);

function certificate(folder: string): void {
  const [key, certificate, both] = ['key.pem', 'certificate.pem', 'tls.pem'].map((name) => join(folder, name));
  if (key === undefined || certificate === undefined || both === undefined || existsSync(both)) return;
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, ...names);
  if (existsSync(key)) writeFileSync(both, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'));
}

function run(program: string, ...args: string[]): void {
  if (!isThere(program)) return;
  const { status, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: LIMIT_MS });
  if (error || status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/** A program on the path, or a file by its full name. */
export const isThere = (name: string): boolean =>
  name.startsWith('/')
    ? existsSync(name)
    : (process.env.PATH ?? '').split(delimiter).some((place) => existsSync(join(place, name)));
