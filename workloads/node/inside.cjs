// As halfOpen in inside.mjs, as a CommonJS module.
const net = require('node:net');

const kept = [];
const server = net.createServer({ allowHalfOpen: true });
server.on('connection', (socket) => {
  kept.push(socket);
  socket.resume();
  socket.on('end', function forgets() {
    process.stdout.write(`READY ${JSON.stringify({ pid: process.pid })}\n`);
  });
});
server.listen(0, '127.0.0.1', () => {
  const client = net.connect(server.address().port, '127.0.0.1', () => client.end('hello'));
  kept.push(client);
});
process.stdin.on('end', () => process.exit()).resume();
