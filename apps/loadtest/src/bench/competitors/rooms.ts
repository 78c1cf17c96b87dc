// What people build to have more than one node: a Socket.IO room for each pair, and the Redis adapter to carry what is
// emitted to it. `classic` hands each message to every node, `sharded` to those where somebody is in the room. No checks.
import { createServer } from 'node:http';
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const [port, kind, redisUrl = ''] = process.argv.slice(2);
// As the adapter's documentation has it: two plain connections.
const publisher = new Redis(redisUrl);
const subscriber = publisher.duplicate();
const adapter = kind === 'sharded' ? createShardedAdapter(publisher, subscriber) : createAdapter(publisher, subscriber);
const http = createServer((_request, response) => response.end());
const io = new Server(http, { adapter });

io.on('connection', socket => {
  socket.on('pair', async (partner: { room: string }, acknowledge: () => void) => {
    socket.data.room = partner.room;
    await socket.join(partner.room);
    // Redis answers in order: the subscription to the room is in force.
    await subscriber.ping();
    acknowledge();
  });
  socket.on('message', message => socket.to(socket.data.room).emit('message', message));
});
http.listen(Number(port), '127.0.0.1');
