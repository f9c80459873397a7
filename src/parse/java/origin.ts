import type { Origin } from '../../model/inside.ts';

// Packages of the JDK. The libraries that Sun gave out under its own name are among those below.
const RUNTIME = /^(?:java|javax|jdk|sun|com\.sun|com\.oracle\.graal|org\.graalvm)\./;

// Packages whose code is used by programs and not written by them, as Maven Central has them. Whatever is not here counts as
// the application's: to take a library for it costs a reader a line, the opposite hides the place to look at.
const LIBRARIES = [
  'akka',
  'cats',
  'ch.qos.logback',
  'clojure',
  'com.alibaba.druid',
  'com.alibaba.dubbo',
  'com.amazonaws',
  'com.azure',
  'com.clickhouse',
  'com.datastax',
  'com.fasterxml',
  'com.github.benmanes.caffeine',
  'com.google.api',
  'com.google.cloud',
  'com.google.common',
  'com.google.gson',
  'com.linecorp.armeria',
  'com.mchange',
  'com.microsoft.sqlserver',
  'com.mongodb',
  'com.mysql',
  'com.netflix',
  'com.ning.http',
  'com.rabbitmq',
  'com.squareup',
  'com.sun.faces',
  'com.sun.jersey',
  'com.sun.mail',
  'com.typesafe',
  'com.zaxxer.hikari',
  'feign',
  'groovy',
  'io.dropwizard',
  'io.github.resilience4j',
  'io.grpc',
  'io.helidon',
  'io.ktor',
  'io.lettuce',
  'io.micrometer',
  'io.micronaut',
  'io.nats',
  'io.netty',
  'io.opentelemetry',
  'io.quarkus',
  'io.reactivex',
  'io.undertow',
  'io.vertx',
  'jakarta',
  'kotlin',
  'kotlinx',
  'net.bytebuddy',
  'net.sf.ehcache',
  'net.spy.memcached',
  'okhttp3',
  'okio',
  'oracle.jdbc',
  'oracle.net',
  'oracle.ucp',
  'org.apache',
  'org.asynchttpclient',
  'org.codehaus',
  'org.eclipse',
  'org.elasticsearch.client',
  'org.glassfish',
  'org.hibernate',
  'org.http4s',
  'org.infinispan',
  'org.jboss',
  'org.jooq',
  'org.mariadb',
  'org.mongodb',
  'org.mozilla.javascript',
  'org.postgresql',
  'org.quartz',
  'org.redisson',
  'org.slf4j',
  'org.springframework',
  'org.wildfly',
  'org.xnio',
  'play',
  'reactor',
  'redis.clients',
  'retrofit2',
  'rx',
  'scala',
  'software.amazon',
  'zio',
];

const byFirstPart = new Map<string, string[]>();
for (const name of LIBRARIES) {
  const first = name.split('.', 1)[0] ?? '';
  byFirstPart.set(first, [...(byFirstPart.get(first) ?? []), `${name}.`]);
}

// Classes that are made while a program runs, under the name of one of its own: lambdas, proxies of java.lang.reflect and CGLIB.
const MADE = /\$\$Lambda|\$Proxy[0-9]|\$\$(?:Enhancer|FastClass|SpringCGLIB)/;

/** Whose code a class or a method is, by its full name. */
export function originOf(name: string): Origin {
  const first = name.split('.', 1)[0] ?? '';
  if (byFirstPart.get(first)?.some((prefix) => name.startsWith(prefix))) return 'library';
  return RUNTIME.test(name) || MADE.test(name) ? 'runtime' : 'application';
}
