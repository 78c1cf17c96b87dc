// npm run chat [-- http://localhost:3000]: a chat in the terminal. Without one, each line of the input is a message, and the
// end of the input waits until they are delivered.
import { clearLine, createInterface, cursorTo } from 'node:readline';
import { connect } from '@passerby/client';

const url = process.argv[2] ?? 'http://localhost:3000';
const terminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
const help = '/next finds another partner, /end ends the chat, /quit leaves.';

const chat = connect(url);
const lines = createInterface({ input: process.stdin, output: terminal ? process.stdout : undefined, terminal });
/** The last message of one's own. All before it are delivered before it is. */
let last;

/** Writes above the line that is being typed. */
function say(text) {
  if (terminal) {
    cursorTo(process.stdout, 0);
    clearLine(process.stdout, 0);
  }
  console.log(text);
  if (terminal && chat.connection !== 'closed') lines.prompt(true);
}

function sayError({ code, message, retryAfterMs }) {
  // Who leaves knows.
  if (code === 'CLOSED') return;
  say(`* ${message}${retryAfterMs ? `, in ${Math.ceil(retryAfterMs / 1000)} s` : ''}.`);
}

const reasons = {
  skip: 'has gone on to another one',
  end: 'has ended the chat',
  timeout: 'has lost the connection for too long',
};

chat.on('state', state => state === 'waiting' && say('* Looking for a partner …'));
chat.on('matched', () => say('* You have a partner. Say hello!'));
// A message of several lines must not look like several messages, or like ours.
chat.on('message', ({ message }) => say(`Stranger: ${message.replaceAll('\n', '\n          ')}`));
chat.on('ownMessage', ({ status, text }) => {
  if (status === 'delivered') say(`* Delivered: ${text}`);
  if (status === 'failed') say(`* Not delivered: ${text}`);
});
chat.on('partnerTyping', typing => typing && say('* Your partner is writing …'));
chat.on('partnerAway', () => say('* Your partner has lost the connection for a moment.'));
chat.on('partnerBack', () => say('* Your partner is back.'));
chat.on('partnerLeft', ({ reason }) => say(`* Your partner ${reasons[reason] ?? 'has left'}. ${help}`));
chat.on('announcement', ({ message }) => say(`* Announcement: ${message}`));
chat.on('error', sayError);
chat.on('connection', (status, error) => {
  // Without a search or a session, because it is new, or was away for too long.
  if (status === 'connected') say(chat.state === 'idle' ? `* Connected. ${help}` : '* Connected.');
  if (status === 'reconnecting') say('* The connection is lost; connecting again …');
  if (status !== 'closed') return;
  say(error ? `* ${error.message}.` : '* Goodbye.');
  lines.close();
});

/** Resolves when the search is over, whatever became of it. */
function searched() {
  if (chat.state !== 'waiting') return Promise.resolve();
  return new Promise(resolve => {
    const stop = chat.on('state', () => {
      stop();
      resolve();
    });
  });
}

async function obey(line) {
  if (line === '/next') await chat.skip();
  else if (line === '/end') say(`* You are ${await chat.endChat()}. ${help}`);
  else if (line === '/quit') chat.close();
  else if (line.startsWith('/')) say(`* ${help}`);
  else if (line.trim()) {
    // A file cannot see when its partner is there.
    if (!terminal) await started.then(searched);
    last = chat.send(line);
  }
}

// More than once: npm passes on a signal that came here by itself, too.
lines.on('SIGINT', () => chat.close());
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => chat.close());
if (terminal) process.stdin.on('keypress', () => chat.setTyping(/^[^/]/.test(lines.line)));

say(`* Connecting to ${url} …`);
const silence = setTimeout(
  () => say(`* Nobody answers at ${url} so far; still trying. \`npm start\` runs a server.`),
  3000,
);
chat.on('connection', () => clearTimeout(silence));
const started = chat.search().catch(sayError);
for await (const line of lines) await obey(line).catch(sayError);
await last?.delivered.catch(() => undefined);
chat.close();
