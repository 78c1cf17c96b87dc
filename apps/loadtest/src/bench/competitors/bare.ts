// The least that a Socket.IO server can do for a chat: one process that relays between pairs from a map. It checks
// nothing, counts nothing, remembers nothing, and believes all that its clients say.
import { createServer } from 'node:http';
import { Server, type Socket } from 'socket.io';

const [port] = process.argv.slice(2);
const http = createServer((_request, response) => response.end());
const io = new Server(http);
const partners = new Map<string, Socket>();

io.on('connection', socket => {
  socket.on('pair', (partner: { socketId: string }, acknowledge: () => void) => {
    const other = io.sockets.sockets.get(partner.socketId);
    if (other) partners.set(socket.id, other);
    acknowledge();
  });
  socket.on('message', message => partners.get(socket.id)?.emit('message', message));
  socket.on('disconnect', () => partners.delete(socket.id));
});
http.listen(Number(port), '127.0.0.1');
