// node examples/echo-bot.mjs [http://localhost:3000]: a bot that answers each message with its own words, and looks for
// the next partner when one has left.
import { connect } from '@passerby/client';

const chat = connect(process.argv[2] ?? 'http://localhost:3000');

function search() {
  // Asked for twice after an interruption that was too long: the partner has left, and the connection is back.
  if (chat.state !== 'idle') return;
  chat.search().catch(error => {
    // Closed, or the service asks to wait.
    if (chat.connection !== 'closed') setTimeout(search, error.retryAfterMs ?? 1000);
  });
}

chat.on('matched', () => chat.send('Hello! I am a bot and repeat what you say.'));
chat.on('message', ({ message }) => {
  // Two bots would never come to an end.
  if (message.startsWith('You said: ') || message.startsWith('Hello! I am a bot')) return;
  chat.send(`You said: ${message.slice(0, 400)}`);
});
chat.on('partnerLeft', search);
chat.on('connection', status => {
  console.log(status);
  // As a new user after a long interruption, it has no partner.
  if (status === 'connected' && chat.state === 'idle') search();
});

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => chat.close());
