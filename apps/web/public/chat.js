const socket = io();
const element = id => document.getElementById(id);
const status = element('status');
const messages = element('messages');
const compose = element('compose');
const text = element('text');
const send = element('send');
const next = element('next');
const end = element('end');

const chatting = 'You are chatting with a stranger.';
const partings = {
  skip: 'The stranger went on to somebody else.',
  end: 'The stranger ended the chat.',
  disconnect: 'The stranger lost the connection.',
};

/** Shows one of the states `offline`, `idle`, `waiting` and `paired`, and what can be done in it. */
function show(state, sentence) {
  status.textContent = sentence;
  text.disabled = send.disabled = state !== 'paired';
  next.disabled = state === 'offline' || state === 'waiting';
  next.textContent = state === 'paired' ? 'Next' : 'Start';
  end.disabled = state !== 'paired' && state !== 'waiting';
  if (state === 'paired') text.focus();
}

function add(message, mine) {
  const item = document.createElement('li');
  item.textContent = message;
  item.classList.toggle('mine', mine);
  messages.append(item);
  item.scrollIntoView();
}

/** Sends an event and tells the user if it failed. */
async function ask(event, ...args) {
  // Without a connection there is no answer; `disconnect` has said so.
  const lost = { ok: false, error: { message: 'The connection is lost' } };
  const reply = await socket.emitWithAck(event, ...args).catch(() => lost);
  if (!reply.ok) status.textContent = `${reply.error.message}.`;
  return reply;
}

socket.on('connect', () => show('idle', 'Press Start to chat with a stranger.'));
socket.on('disconnect', () => {
  if (socket.active) show('offline', 'The connection is lost. Trying to connect again…');
  else show('offline', 'The server ended the connection.');
});
socket.on('connect_error', error => {
  show('offline', `Cannot connect: ${error.message}. Trying again…`);
  // After a refusal by the server itself, the client library does not try again.
  if (!socket.active) setTimeout(() => socket.connect(), error.data?.retryAfterMs ?? 5000);
});
socket.on('message', ({ message }) => add(message, false));
socket.on('matched', () => {
  messages.replaceChildren();
  show('paired', chatting);
});
socket.on('partner_left', ({ reason }) => show('idle', partings[reason] ?? 'The stranger is gone.'));
socket.on('announcement', ({ message }) => add(message, false));

next.addEventListener('click', async () => {
  const reply = await ask(next.textContent === 'Next' ? 'skip' : 'search');
  if (reply.ok && reply.state === 'waiting') show('waiting', 'Looking for a stranger…');
});
end.addEventListener('click', async () => {
  const reply = await ask('end_chat');
  if (reply.ok) show('idle', 'You ended the chat.');
});
compose.addEventListener('submit', async event => {
  event.preventDefault();
  const message = text.value;
  if (message.trim() === '') return;
  // At once: what is typed while the answer is under way must stay.
  text.value = '';
  const reply = await ask('message', { message });
  if (reply.ok) {
    add(message, true);
    if (!text.disabled) status.textContent = chatting;
  } else if (text.value === '') {
    text.value = message;
  }
});
