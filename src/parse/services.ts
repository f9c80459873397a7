// Ports that people meet and /etc/services of many machines does not name. Where it does, it wins: some of these
// numbers belong to other services at IANA.
const WELL_KNOWN: [number, string][] = [
  [22, 'ssh'],
  [25, 'smtp'],
  [53, 'domain'],
  [80, 'http'],
  [389, 'ldap'],
  [443, 'https'],
  [636, 'ldaps'],
  [1433, 'ms-sql-s'],
  [1521, 'oracle'],
  [1883, 'mqtt'],
  [2181, 'zookeeper'],
  [2379, 'etcd-client'],
  [2380, 'etcd-server'],
  [3306, 'mysql'],
  [4222, 'nats'],
  [4317, 'otlp-grpc'],
  [4318, 'otlp-http'],
  [5432, 'postgresql'],
  [5671, 'amqps'],
  [5672, 'amqp'],
  [6379, 'redis'],
  [6443, 'kubernetes-api'],
  [8080, 'http-alt'],
  [8443, 'https-alt'],
  [8500, 'consul'],
  [8883, 'mqtts'],
  [9042, 'cassandra'],
  [9090, 'prometheus'],
  [9092, 'kafka'],
  [9200, 'elasticsearch'],
  [9300, 'elasticsearch-node'],
  [10250, 'kubelet'],
  [11211, 'memcached'],
  [26379, 'redis-sentinel'],
  [27017, 'mongodb'],
];

/** TCP port to service name, from /etc/services where there is one (services(5)): the first line of a port wins. */
export function parseServices(text: string | undefined): Map<number, string> {
  const services = new Map<number, string>();
  for (const line of text?.split('\n') ?? []) {
    const [name, where] = line.replace(/#.*/, '').trim().split(/\s+/);
    const port = Number(/^([0-9]{1,5})\/tcp$/i.exec(where ?? '')?.[1]);
    if (name && port > 0 && port <= 65535 && !services.has(port)) services.set(port, name);
  }
  for (const [port, name] of WELL_KNOWN) {
    if (!services.has(port)) services.set(port, name);
  }
  return services;
}
