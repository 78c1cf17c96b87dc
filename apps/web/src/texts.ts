import type { ChatErrorCode } from '@passerby/client';

/** All that the page says, in one place. A translation is another object of this type. */
export const texts = {
  name: 'Passerby',
  tagline: 'Talk with someone passing by',
  about: 'One stranger, one conversation. No account, no names, and no server keeps what you write.',
  manners: 'Be kind, and keep what identifies you to yourself. You can go on to someone else at any time.',

  start: 'Start chatting',
  next: 'Next',
  nextStranger: 'Next stranger',
  stop: 'Stop',
  stopSearching: 'Stop looking',
  leave: 'Leave the chat',
  send: 'Send',
  tryAgain: 'Try again',
  dismiss: 'Dismiss',
  newMessages: 'New messages',

  online: (count: number) => (count === 1 ? '1 person online' : `${count.toLocaleString('en')} people online`),
  onlineShort: (count: number) => `${count.toLocaleString('en')} online`,
  probableWait: (ms: number) => `You will probably wait ${duration(ms)}.`,
  usualWait: (ms: number) => `Finding someone usually takes ${duration(ms)}.`,
  alone: 'Nobody else is here right now. The next visitor will be yours.',

  connecting: 'Connecting…',
  returning: 'Coming back to your chat…',
  searching: 'Looking for someone…',
  chatting: 'You are chatting with a stranger',
  chatStarted: 'You are chatting with a stranger. Say hello!',
  chatRestored: 'You are back in your chat. What was said before is not kept on this device.',
  typing: 'The stranger is typing',
  partnerAway: 'The stranger lost the connection. Your messages wait until they are back.',
  partnerBack: 'The stranger is back.',
  reconnecting: 'Reconnecting… Your chat goes on as soon as the connection is back.',
  reconnectingIdle: 'Reconnecting…',
  offline: 'You are offline. Your chat goes on if you are back soon.',
  offlineIdle: 'You are offline.',
  backOnline: 'The connection is back.',

  youLeft: 'You left the chat.',
  ends: {
    skip: 'The stranger went on to someone else.',
    end: 'The stranger left the chat.',
    disconnect: 'The chat has ended: the stranger is gone.',
    timeout: 'The stranger lost the connection and did not come back.',
    lost: 'The chat has ended: the stranger is gone.',
  },
  awayTooLong: 'You were away for too long, and the chat has ended.',
  endedMeanwhile: 'Your chat has ended while the page was loading.',

  messages: 'Messages',
  message: 'Message',
  writeMessage: 'Write a message',
  you: 'You',
  stranger: 'Stranger',
  notSent: 'You had not sent this yet:',
  fromStranger: (text: string) => `Stranger: ${text}`,
  charactersLeft: (count: number) => `${charactersOf(count)} left`,
  tooLong: (count: number) => `${charactersOf(count)} too many`,
  statuses: {
    kept: 'Waiting to be sent',
    sent: 'Sent',
    delivered: 'Delivered',
    failed: 'Not delivered',
  },
  perhapsDelivered: 'Perhaps not delivered',
  keys: 'Enter sends, Shift+Enter starts a new line, Esc twice finds someone else',
  escapeAgain: 'Press Esc again for the next stranger',

  linkQuestion: 'Open this link?',
  linkWarning: 'A stranger sent it. Open it only if you trust where it leads.',
  linkTo: 'It leads to',
  openLink: 'Open in a new tab',
  cancel: 'Cancel',

  announcement: 'From the operator:',
  replacedTitle: 'This chat goes on in another window',
  replaced: 'A chat can be open in one window at a time. You can go on here instead; the other window lets go of it.',
  takeBack: 'Chat here instead',
  closedTitle: 'You were disconnected',
  closed: 'The operator has ended this connection. You can begin anew.',
  beginAnew: 'Connect again',

  failed: {
    search: 'Looking for someone did not work.',
    skip: 'Going on to the next stranger did not work.',
    endChat: 'Leaving did not work.',
  },
  canTryIn: (seconds: number) => `You can try again in ${secondsOf(seconds)}.`,
  canTryNow: 'You can try again now.',
  triesIn: (seconds: number) => `It is tried again in ${secondsOf(seconds)}.`,
  triesNow: 'Trying again…',
  sendsIn: (seconds: number) => `Your messages wait, and are sent in ${secondsOf(seconds)}.`,
  sendsNow: 'Sending…',
  errors: {
    INVALID_MESSAGE: 'This message cannot be sent: it is too long, or nothing in it can be seen.',
    INVALID_INPUT: 'The server did not understand this page. Loading it again may help.',
    UNKNOWN_EVENT: 'The server does not know what this page asked for. Loading it again may help.',
    NOT_IN_CHAT: 'There is no chat any more.',
    ALREADY_IN_CHAT: 'You are in a chat already.',
    PARTNER_AWAY: 'The stranger lost the connection for a moment.',
    REPLACED: 'This chat goes on in another window.',
    TOO_MANY_MESSAGES: 'That was a lot of messages at once.',
    TOO_MANY_REQUESTS: 'That was a little too fast.',
    TOO_MANY_CONNECTIONS: 'There are too many connections from your network at the moment.',
    BUSY: 'Very many people want to chat right now.',
    UNAVAILABLE: 'Passerby is not available right now.',
    OUTGOING_FULL: 'Too many messages wait for the stranger. Please give them a moment.',
    CLOSED: 'This connection is closed.',
  } satisfies Record<ChatErrorCode, string>,
};

function charactersOf(count: number): string {
  return count === 1 ? '1 character' : `${count} characters`;
}

function secondsOf(seconds: number): string {
  return seconds === 1 ? '1 second' : `${seconds} seconds`;
}

/** About how long, as one says it. */
function duration(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 2) return 'a moment';
  if (seconds < 55) return `about ${seconds > 10 ? Math.round(seconds / 5) * 5 : seconds} seconds`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes === 1 ? 'about a minute' : `about ${minutes} minutes`;
}
