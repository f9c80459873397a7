// Clients of an HTTP service on port 9000: node client.mjs CASE
import http from 'node:http';

const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
const pending = [];

const get = (path, options = {}) =>
  new Promise((resolve, reject) => {
    http.get({ port: 9000, path, agent, ...options }, resolve).on('error', reject);
  });

const drained = (response) => new Promise((resolve) => response.resume().on('end', resolve));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A status that is no 200 ends the job, and nobody takes the body of the answer. */
async function failing() {
  for (let order = 0; order < 50; order++) {
    const response = await get(`/orders/${order}`, { agent: false });
    if (response.statusCode !== 200) pending.push(response);
    else await drained(response);
    await pause(10);
  }
}

/** A pool of the agent: twelve connections after a busy moment, one in use. */
async function pooled() {
  await Promise.all(Array.from({ length: 12 }, async () => drained(await get('/prices'))));
  for (;;) {
    await drained(await get('/prices'));
    await pause(100);
  }
}

/** The built-in fetch with its own pool, against a service that closes idle connections. */
async function fetching() {
  for (;;) {
    await Promise.all(Array.from({ length: 8 }, async () => (await fetch('http://127.0.0.1:9000/prices')).text()));
    await pause(900);
  }
}

const CASES = { failing, pooled, fetching };
await CASES[process.argv[2]]();
setInterval(() => {}, 1000);
