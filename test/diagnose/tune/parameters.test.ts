import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  judgeValue,
  NETNS_NAMES,
  PARAMETERS,
  type Present,
  parameterNamed,
} from '../../../src/diagnose/tune/parameters.ts';

const NOW: Present = {
  values: new Map([
    ['fs.file-max', '2466177'],
    ['fs.nr_open', '1048576'],
    ['net.ipv4.ip_unprivileged_port_start', '1024'],
  ]),
  openFiles: 1161,
};

const judge = (name: string, value: string) => {
  const parameter = parameterNamed(name);
  assert.ok(parameter, name);
  return judgeValue(parameter, value, NOW);
};

const TAKEN: [name: string, value: string, kernel: string][] = [
  ['tcp_keepalive_time', '600', '600'],
  ['net.ipv4.tcp_keepalive_probes', '127', '127'],
  ['ip_local_port_range', '1024-65535', '1024 65535'],
  ['ip_local_port_range', ' 1024  65535 ', '1024 65535'],
  ['tcp_tw_reuse', '0', '0'],
  ['fs.file-max', '3000000', '3000000'],
  ['nr_open', '1048576', '1048576'],
];

for (const [name, value, kernel] of TAKEN)
  test(`${name}=${value} is taken`, () => assert.deepEqual(judge(name, value), { value: kernel }));

const REFUSED: [name: string, value: string, why: RegExp][] = [
  ['tcp_keepalive_time', '0', /not within 1 to 32767/],
  ['tcp_keepalive_time', '-1', /no whole number|not within/],
  ['tcp_keepalive_time', '32768', /not within/],
  ['tcp_keepalive_time', '1e3', /no whole number/],
  ['tcp_keepalive_time', '60 0', /no whole number/],
  ['tcp_keepalive_time', '600\n7', /no whole number/],
  ['tcp_keepalive_probes', '128', /not within/],
  ['tcp_retries2', '256', /not within/],
  ['tcp_tw_reuse', '3', /not within/],
  ['ip_local_port_range', '5000', /no range/],
  ['ip_local_port_range', '60000-50000', /not below/],
  ['ip_local_port_range', '80-65535', /privileged/],
  ['fs.file-max', '1000', /every program/],
  ['fs.nr_open', '65536', /every program/],
];

for (const [name, value, why] of REFUSED)
  test(`${name}=${JSON.stringify(value)} is refused`, () => {
    const judged = judge(name, value);
    assert.ok('why' in judged, JSON.stringify(judged));
    assert.match(judged.why, why);
  });

test('whatever is taken is a number within the bounds, as the kernel prints it', () => {
  fc.assert(
    fc.property(fc.constantFrom(...PARAMETERS), fc.oneof(fc.string(), fc.integer().map(String)), (parameter, text) => {
      const judged = judgeValue(parameter, text, NOW);
      if ('why' in judged) return;
      for (const word of judged.value.split(' ')) {
        assert.match(word, /^(0|[1-9][0-9]*)$/);
        assert.ok(Number(word) >= parameter.least && Number(word) <= parameter.most);
      }
    }),
  );
});

test('a part of a name is no name', () => {
  assert.equal(parameterNamed('keepalive_time'), undefined);
  assert.equal(parameterNamed(''), undefined);
  assert.equal(parameterNamed('max'), undefined);
  assert.ok(NETNS_NAMES.every((name) => name.startsWith('net.')));
});
