// The least that nodes can do for a chat between them: each message is one PUBLISH to the channel of the partner's node,
// pipelined, and emitted there. No checks, and the libraries as they come.
import { createServer } from 'node:http';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const [port, redisUrl = ''] = process.argv.slice(2);
const publisher = new Redis(redisUrl, { enableAutoPipelining: true });
const subscriber = new Redis(redisUrl);
const http = createServer((_request, response) => response.end());
const io = new Server(http);

subscriber.on('message', (_channel, json) => {
  const { to, message } = JSON.parse(json);
  io.sockets.sockets.get(to)?.emit('message', message);
});
await subscriber.subscribe(`node:${port}`);

io.on('connection', socket => {
  let channel = '';
  let to = '';
  socket.on('pair', (partner: { socketId: string; port: number }, acknowledge: () => void) => {
    channel = `node:${partner.port}`;
    to = partner.socketId;
    acknowledge();
  });
  socket.on('message', message => void publisher.publish(channel, JSON.stringify({ to, message })));
});
http.listen(Number(port), '127.0.0.1');
