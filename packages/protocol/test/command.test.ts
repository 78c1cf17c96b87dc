import { parseCommand } from '../src/index.ts';

const refused = (code: string) => ({ kind: 'refused', code });
const all = { sessionId: 's', upTo: 2, typing: true, message: 'hello', seq: 1 };

it.each<[event: string, input: unknown, command: object]>([
  ['search', undefined, { kind: 'search' }],
  ['search', { interests: ['music'] }, { kind: 'search' }],
  ['search', 'lobby', refused('INVALID_INPUT')],
  ['skip', undefined, { kind: 'skip', sessionId: undefined }],
  ['skip', null, { kind: 'skip', sessionId: undefined }],
  ['skip', {}, { kind: 'skip', sessionId: undefined }],
  ['skip', { sessionId: 's' }, { kind: 'skip', sessionId: 's' }],
  ['end_chat', { sessionId: 's' }, { kind: 'end_chat', sessionId: 's' }],
  // A session that is named in a way that cannot be understood must not become none.
  ...['skip', 'end_chat'].flatMap(event =>
    ['s', ['s'], 5, true, { sessionId: 5 }, { sessionId: null }].map((input): [string, unknown, object] => [
      ...([event, input, refused('INVALID_INPUT')] as const),
    ]),
  ),
  ['message', 'hello', { kind: 'message', text: 'hello', place: {} }],
  ['message', all, { kind: 'message', text: 'hello', place: { sessionId: 's', seq: 1 } }],
  ['message', {}, refused('INVALID_MESSAGE')],
  ['message', { message: 'hello', seq: 1 }, refused('INVALID_INPUT')],
  ['received', all, { kind: 'received', receipt: { sessionId: 's', upTo: 2 } }],
  ['received', {}, refused('INVALID_INPUT')],
  ['typing', all, { kind: 'typing', typing: { sessionId: 's', typing: true } }],
  ['typing', true, refused('INVALID_INPUT')],
  ['constructor', {}, refused('UNKNOWN_EVENT')],
  ['refused', { code: 'BANNED' }, refused('UNKNOWN_EVENT')],
])('%s with %j', (event, input, command) => {
  expect(parseCommand(event, input, 500)).toEqual(command);
});
