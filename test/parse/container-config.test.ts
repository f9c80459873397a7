import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import type { Container } from '../../src/model/process.ts';
import {
  containerConfigPaths,
  parseContainersJson,
  parseDockerConfig,
  parseOciConfig,
} from '../../src/parse/container-config.ts';

const ID = '4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970';
const UID = '87a18a64-b74a-454a-b10b-a4a36059d0a3';
const POD = { name: 'shop-7d9f', namespace: 'prod', uid: UID };

const docker = (config: unknown) => parseDockerConfig(JSON.stringify(config), 'config.v2.json');
const oci = (annotations: unknown) =>
  parseOciConfig(JSON.stringify({ ociVersion: '1.1.0', annotations }), 'config.json');
const stored = (list: unknown, id = ID) => parseContainersJson(JSON.stringify(list), 'containers.json', id);

test('the name of a Docker container loses its slash', () => {
  assert.deepEqual(docker({ ID, Name: '/shop-web-1', Config: { Labels: { 'com.docker.compose.service': 'web' } } }), {
    name: 'shop-web-1',
  });
});

test('the Compose service stands in for a missing name', () => {
  assert.deepEqual(docker({ Config: { Labels: { 'com.docker.compose.service': 'web' } } }), { name: 'web' });
});

test('the labels of the kubelet name container and pod', () => {
  const Labels = {
    'io.kubernetes.container.name': 'web',
    'io.kubernetes.pod.name': POD.name,
    'io.kubernetes.pod.namespace': POD.namespace,
    'io.kubernetes.pod.uid': UID,
  };
  assert.deepEqual(docker({ Name: `/k8s_web_shop-7d9f_prod_${UID}_0`, Config: { Labels } }), { name: 'web', pod: POD });
});

test('the flat name of a kubelet container is taken apart', () => {
  assert.deepEqual(docker({ Name: `/k8s_web_shop-7d9f_prod_${UID}_0` }), { name: 'web', pod: POD });
  for (const name of ['k8s_tools', 'k8s_a_b_c_d_0_more']) assert.deepEqual(docker({ Name: `/${name}` }), { name });
});

test('containers.json gives the name of one id', () => {
  const list = [
    { id: ID.replace('4', '5'), names: ['other'] },
    { id: ID, names: ['shop'], metadata: '{"image-name":"docker.io/shop","name":"meta"}' },
  ];
  assert.deepEqual(stored(list), { name: 'shop' });
  assert.deepEqual(stored(list, ID.slice(0, 12)), {});
});

test('containers.json of CRI-O gives the pod, and metadata stands in for missing names', () => {
  const flat = `k8s_web_shop-7d9f_prod_${UID}_2`;
  assert.deepEqual(stored([{ id: ID, names: [flat] }]), { name: 'web', pod: POD });
  assert.deepEqual(stored([{ id: ID, metadata: JSON.stringify({ name: flat }) }]), { name: 'web', pod: POD });
});

test('annotations of containerd, CRI-O and nerdctl are known', () => {
  assert.deepEqual(
    oci({
      'io.kubernetes.cri.container-name': 'web',
      'io.kubernetes.cri.sandbox-name': POD.name,
      'io.kubernetes.cri.sandbox-namespace': POD.namespace,
      'io.kubernetes.cri.sandbox-uid': UID,
    }),
    { name: 'web', pod: POD },
  );
  assert.deepEqual(
    oci({
      'io.kubernetes.container.name': 'web',
      'io.kubernetes.pod.name': POD.name,
      'io.kubernetes.pod.namespace': POD.namespace,
    }),
    { name: 'web', pod: { name: POD.name, namespace: POD.namespace } },
  );
  assert.deepEqual(oci({ 'nerdctl/name': 'shop' }), { name: 'shop' });
});

test('JSON of another shape gives no names', () => {
  for (const value of [
    null,
    1,
    'x',
    [],
    [null],
    {},
    { Config: null },
    { Config: { Labels: [] } },
    { annotations: 7 },
  ]) {
    assert.deepEqual(docker(value), {});
    assert.deepEqual(parseOciConfig(JSON.stringify(value), 'config.json'), {});
    assert.deepEqual(stored(value), {});
  }
  assert.deepEqual(stored([{ id: ID, names: [7] }]), {});
  assert.deepEqual(oci({ 'nerdctl/name': 'red\u001b[31m' }), {});
});

test('text that is no JSON is an error with the raw text', () => {
  assert.throws(() => parseDockerConfig('{"Name', '/x/config.v2.json'), /\/x\/config\.v2\.json: no JSON: "\{"Name"/);
  assert.throws(() => parseOciConfig('', 'config.json'), ParseError);
  assert.throws(() => parseContainersJson('[', 'containers.json', ID), ParseError);
  assert.throws(() => stored([{ id: ID, metadata: '{' }]), /containers\.json metadata/);
});

test('each engine has its files', () => {
  const paths = (engine: Container['engine']) => containerConfigPaths({ engine, id: ID }).map(({ path }) => path);
  assert.equal(paths('docker')[0], `/var/lib/docker/containers/${ID}/config.v2.json`);
  assert.ok(paths('docker').includes(`/var/snap/docker/common/var-lib-docker/containers/${ID}/config.v2.json`));
  assert.equal(paths('containerd')[0], `/run/containerd/io.containerd.runtime.v2.task/k8s.io/${ID}/config.json`);
  assert.equal(paths('cri-o')[0], `/run/containers/storage/overlay-containers/${ID}/userdata/config.json`);
  assert.equal(paths('podman')[0], '/var/lib/containers/storage/overlay-containers/containers.json');
  assert.ok(paths('podman').includes('/var/lib/containers/storage/vfs-containers/containers.json'));
  assert.deepEqual(paths('lxc'), []);
  assert.deepEqual(paths('nspawn'), []);
  for (const engine of ['docker', 'containerd', 'podman'] as const)
    for (const path of paths(engine)) assert.ok(paths('unknown').includes(path));
});

test('an id that could lead elsewhere has no files', () => {
  for (const id of ['', '..', '../../etc', 'a/b', 'a..b', '.a', 'a\0b', 'a\n', ' a'])
    assert.deepEqual(containerConfigPaths({ engine: 'docker', id }), [], JSON.stringify(id));
});

test('no id leaves the folders of the engines', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[./a-z0-9-]*$/)), (id) => {
      for (const { path } of containerConfigPaths({ engine: 'unknown', id })) {
        assert.match(path, /^\/(?:var|run)\/[\w./-]+\.json$/);
        assert.ok(!path.includes('..'));
      }
    }),
  );
});

test('arbitrary text and arbitrary JSON give names or a ParseError', () => {
  const keys = fc.constantFrom('Name', 'Config', 'Labels', 'annotations', 'id', 'names', 'metadata', '__proto__');
  const tree = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.constant(ID),
      fc.constant(null),
      fc.array(tie('value')),
      tie('map'),
    ),
    map: fc.dictionary(keys, tie('value')),
  })).value;
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        tree.map((value) => JSON.stringify(value)),
      ),
      (text) => {
        for (const parse of [parseDockerConfig, parseOciConfig, parseContainersJson])
          try {
            assert.equal(typeof parse(text, 'x', ID), 'object');
          } catch (error) {
            if (!(error instanceof ParseError)) throw error;
          }
      },
    ),
  );
});
