// The least that Redis can do for a message between nodes: a PUBLISH to one subscriber, pipelined, nothing else. As many
// messages are in flight as lines of the process's input say: each that arrives is published again.
import { createServer } from 'node:http';
import { Redis } from 'ioredis';

const [port, redisUrl = '', size = '250'] = process.argv.slice(2);
const publisher = new Redis(redisUrl, { enableAutoPipelining: true });
const subscriber = new Redis(redisUrl);
const payload = 'x'.repeat(Number(size));
let left = 0;
let done = () => {};

subscriber.on('message', () => {
  left -= 1;
  if (left === 0) done();
  else if (left >= inFlight) void publisher.publish('channel', payload);
});
let inFlight = 0;
await subscriber.subscribe('channel');

/** `/publish?count=10000&inFlight=200` answers when all have arrived. */
const http = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
  if (pathname !== '/publish') return void response.end();
  left = Number(searchParams.get('count'));
  inFlight = Number(searchParams.get('inFlight'));
  done = () => response.end();
  for (let i = 0; i < inFlight; i++) void publisher.publish('channel', payload);
});
http.listen(Number(port), '127.0.0.1');
