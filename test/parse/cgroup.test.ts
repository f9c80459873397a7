import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ParseError } from '../../src/model/errors.ts';
import { type Cgroup, isPlainId, parseCgroup } from '../../src/parse/cgroup.ts';

const ID = '4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970';
const OUTER = '9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d';
const UID = '87a18a64-b74a-454a-b10b-a4a36059d0a3';
const SLICE_UID = UID.replaceAll('-', '_');
const BURSTABLE = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${SLICE_UID}.slice`;

/** What cgroup v2 says of a process in `path`, without the path itself. */
function unified(path: string): Omit<Cgroup, 'path'> {
  const { path: seen, ...rest } = parseCgroup(`0::${path}\n`, '/proc/1/cgroup');
  assert.equal(seen, path);
  return rest;
}

const UNITS: [path: string, unit: string | undefined][] = [
  ['/', undefined],
  ['/system.slice/shop.service', 'shop.service'],
  ['/system.slice/system-shop.slice/shop@blue.service', 'shop@blue.service'],
  ['/system.slice/shop.service/workers', 'shop.service'],
  ['/system.slice/_cpu.service', 'cpu.service'],
  ['/system.slice/dev-disk\\x2dby.service', 'dev-disk\\x2dby.service'],
  ['/user.slice/user-1000.slice/session-3.scope', 'session-3.scope'],
  ['/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service', 'foo.service'],
  ['/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-12.scope', 'app-firefox-12.scope'],
  ['/user.slice/user-1000.slice/user@1000.service/init.scope', 'user@1000.service'],
  ['/init.scope', 'init.scope'],
  ['/../../system.slice/cron.service', 'cron.service'],
  ['/system.slice/evil\u001b[31m.service', undefined],
  ['/machine.slice/machine-qemu\\x2d1\\x2dvm.scope', 'machine-qemu\\x2d1\\x2dvm.scope'],
  [`/machine.slice/libpod-conmon-${ID}.scope`, `libpod-conmon-${ID}.scope`],
];

for (const [path, unit] of UNITS)
  test(`the unit of ${JSON.stringify(path)} is ${unit ?? 'unknown'}, and there is no container`, () => {
    assert.deepEqual(unified(path), unit ? { unit } : {});
  });

const CONTAINERS: [path: string, engine: string, id: string][] = [
  [`/docker/${ID}`, 'docker', ID],
  [`/docker-${ID}.scope`, 'docker', ID],
  [`/system.slice/docker-${ID}.scope`, 'docker', ID],
  [`/system.slice/docker.service/docker/${ID}`, 'docker', ID],
  [`/user.slice/user-1000.slice/user@1000.service/user.slice/docker-${ID}.scope`, 'docker', ID],
  [`/system.slice/docker-${ID}.scope/init.scope`, 'docker', ID],
  [`/ecs/0d5b55fb74a090f4e39a01b2d35d8020/${ID}`, 'docker', ID],
  [`/k8s.io/${ID}`, 'containerd', ID],
  [`/default/${ID}`, 'containerd', ID],
  ['/default/redis', 'containerd', 'redis'],
  [`/system.slice/nerdctl-${ID}.scope`, 'containerd', ID],
  [`/machine.slice/libpod-${ID}.scope`, 'podman', ID],
  [`/machine.slice/libpod-${ID}.scope/container`, 'podman', ID],
  [`/libpod_parent/libpod-${ID}`, 'podman', ID],
  [`/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope/container`, 'podman', ID],
  [`/user.slice/user-1000.slice/user@1000.service/user.slice/podman-812.scope/${ID}`, 'podman', ID],
  ['/lxc/web01', 'lxc', 'web01'],
  ['/lxc/101/ns', 'lxc', '101'],
  ['/lxc.payload/web01', 'lxc', 'web01'],
  ['/lxc.payload.web01/init.scope', 'lxc', 'web01'],
  ['/machine.slice/machine-web\\x2d1.scope/payload', 'nspawn', 'web-1'],
  ['/machine.slice/systemd-nspawn@web.service/payload', 'nspawn', 'web'],
  ['/machine.slice/machine-lxc\\x2d812\\x2dweb.scope', 'lxc', 'web'],
  [`/${ID}`, 'unknown', ID],
  [`/docker/${OUTER}/system.slice/docker-${ID}.scope`, 'docker', ID],
  [`/lxc/101/ns/docker/${ID}`, 'docker', ID],
  [`/../docker-${ID}.scope`, 'docker', ID],
  ['/../../default/redis', 'containerd', 'redis'],
  [`/system.slice/docker-${ID}.scope (deleted)`, 'docker', ID],
];

for (const [path, engine, id] of CONTAINERS)
  test(`${path.replace(ID, '<id>').replace(OUTER, '<outer>')} is ${engine} ${id === ID ? '<id>' : id}`, () => {
    const { path: seen, ...rest } = parseCgroup(`0::${path}\n`, 'cgroup');
    assert.equal(seen, path.replace(' (deleted)', ''));
    assert.deepEqual(rest, { container: { engine, id } });
  });

const PODS: [path: string, engine: string][] = [
  [`${BURSTABLE}/cri-containerd-${ID}.scope`, 'containerd'],
  [`${BURSTABLE}/docker-${ID}.scope`, 'docker'],
  [`${BURSTABLE}/crio-${ID}.scope`, 'cri-o'],
  [`${BURSTABLE}/crio-${ID}.scope/container`, 'cri-o'],
  [`/kubepods.slice/kubepods-pod${SLICE_UID}.slice/cri-containerd-${ID}.scope`, 'containerd'],
  [`/kubepods/burstable/pod${UID}/${ID}`, 'containerd'],
  [`/kubepods/pod${UID}/crio-${ID}`, 'cri-o'],
  [`/system.slice/containerd.service/kubepods-burstable-pod${SLICE_UID}.slice:cri-containerd:${ID}`, 'containerd'],
  [`/docker/${OUTER}/kubelet/kubepods/besteffort/pod${UID}/${ID}`, 'containerd'],
  [
    `/system.slice/docker-${OUTER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${SLICE_UID}.slice/cri-containerd-${ID}.scope`,
    'containerd',
  ],
];

for (const [path, engine] of PODS)
  test(`${path.replace(ID, '<id>')} is a container of ${engine} in a pod`, () => {
    assert.deepEqual(unified(path), { container: { engine, id: ID }, podUid: UID });
  });

test('folders that a container makes for itself put it in no pod', () => {
  assert.deepEqual(unified(`/docker/${ID}/kubepods/pod${UID}`), { container: { engine: 'docker', id: ID } });
});

test('what only watches a container is not in it', () => {
  assert.equal(unified(`${BURSTABLE}/crio-conmon-${ID}.scope`).container, undefined);
  assert.equal(unified(`${BURSTABLE}/crio-conmon-${ID}.scope`).podUid, UID);
  assert.equal(unified('/lxc.monitor.web01').container, undefined);
  assert.equal(unified('/lxc.monitor/web01').container, undefined);
});

test('the unit inside of a container is its own, and that of Quadlet is the one above', () => {
  assert.equal(unified('/lxc.payload.mail/system.slice/postfix.service').unit, 'postfix.service');
  const quadlet = '/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service';
  assert.deepEqual(unified(`${quadlet}/libpod-payload-${ID}`), {
    container: { engine: 'podman', id: ID },
    unit: 'shop.service',
  });
  assert.deepEqual(unified(`${quadlet}/runtime`), { unit: 'shop.service' });
});

test('with cgroup v1 any hierarchy may know the container', () => {
  const text = `11:name=systemd:/\n10:cpuset:/\n9:memory:/docker/${ID}\n8:cpu,cpuacct:/docker/${ID}\n`;
  assert.deepEqual(parseCgroup(text, 'cgroup'), { container: { engine: 'docker', id: ID }, path: `/docker/${ID}` });
});

test('with cgroup v1 and in hybrid mode the hierarchy of systemd says the unit', () => {
  const text =
    '4:memory:/limits/a.service\n2:pids:/\n1:name=systemd:/system.slice/b.service\n0::/system.slice/c.service\n';
  assert.deepEqual(parseCgroup(text, 'cgroup'), { unit: 'b.service', path: '/system.slice/b.service' });
});

test('names that could leave a folder are no container', () => {
  for (const name of ['..', 'a..b', '.hidden', 'a\\x2fb', '-x', 'a b', 'ä'])
    assert.equal(unified(`/lxc/${name}`).container, undefined, name);
  assert.equal(unified('/machine-a\\x2f..\\x2fb.scope').container, undefined);
});

test('text that is no cgroup file is an error with the raw line', () => {
  assert.throws(() => parseCgroup('0::/a\nnonsense\n', '/proc/7/cgroup'), /\/proc\/7\/cgroup: no cgroup in "nonsense"/);
  assert.deepEqual(parseCgroup('', 'cgroup'), {});
});

test('arbitrary paths give a plain id or none, and nothing but a ParseError is thrown', () => {
  const word = fc.constantFrom('docker', 'lxc', 'kubepods', `pod${UID}`, 'default', ID, 'a.service', 'machine-', '..');
  const odd = fc.tuple(word, fc.constantFrom('', '-', '.scope', '.slice', ':', ' ', '\\x2e'), fc.string());
  const path = fc
    .array(
      fc.oneof(
        word,
        fc.string(),
        odd.map((parts) => parts.join('')),
      ),
    )
    .map((p) => `/${p.join('/')}`);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        path.map((p) => `0::${p}`),
      ),
      (text) => {
        try {
          const { container, unit } = parseCgroup(text, 'cgroup');
          assert.ok(!container || isPlainId(container.id));
          assert.ok(!unit || /^[\x21-\x7e]+$/.test(unit));
        } catch (error) {
          if (!(error instanceof ParseError)) throw error;
        }
      },
    ),
  );
});

test('a path as long as the kernel allows is read at once', () => {
  for (const part of ['-pod', 'kubepods', ':', 'docker-', 'machine-', '\\x2d', 'a.service.']) {
    const started = performance.now();
    parseCgroup(`0::/${part.repeat(4096)}/x\n`.repeat(12), 'cgroup');
    assert.ok(performance.now() - started < 1000, part);
  }
});
