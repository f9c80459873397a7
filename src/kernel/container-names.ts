import { readFileSync } from 'node:fs';
import { ParseError } from '../model/errors.ts';
import type { Container } from '../model/process.ts';
import {
  type ContainerNames,
  containerConfigPaths,
  parseContainersJson,
  parseDockerConfig,
  parseOciConfig,
} from '../parse/container-config.ts';

/** Reads the name of a container from the files its engine keeps on this machine; nothing when there are none. */
export function readContainerNames(container: Pick<Container, 'engine' | 'id'>): ContainerNames {
  for (const { path, kind } of containerConfigPaths(container)) {
    const text = readIfThere(path);
    if (text === undefined) continue;
    try {
      const names = parse(kind, text, path, container.id);
      if (names.name === undefined && names.pod === undefined) continue;
      return container.engine === 'unknown' && kind === 'docker' ? { ...names, engine: 'docker' } : names;
    } catch (error) {
      if (!(error instanceof ParseError)) throw error; // another engine's or a half-written file: the next one
    }
  }
  return {};
}

function parse(kind: 'docker' | 'oci' | 'containers', text: string, path: string, id: string): ContainerNames {
  if (kind === 'docker') return parseDockerConfig(text, path);
  return kind === 'oci' ? parseOciConfig(text, path) : parseContainersJson(text, path, id);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
