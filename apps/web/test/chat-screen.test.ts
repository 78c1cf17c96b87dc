import { connect } from '@passerby/client';
import { FakeServer } from '../../../packages/client/test/fake-server.ts';
import { eventually } from '../../../tests/support/eventually.ts';
import { ChatScreen } from '../src/chat-screen.ts';

let server: FakeServer;
let screen: ChatScreen;

beforeEach(async () => {
  server = await FakeServer.start();
  screen = new ChatScreen({
    connect: () => connect(server.url, { socketOptions: { transports: ['websocket'] } }),
    askTwins: async () => undefined,
    show: () => undefined,
    announce: () => undefined,
  });
});

afterEach(async () => {
  screen.handOver();
  await server.stop();
});

it('looks for the next partner when one left before the match was told', async () => {
  server.fates.search = ['left at once', 'left at once'];
  screen.next();
  await eventually(() => expect(server.user(0).state).toBe('waiting'));
  expect(screen.view.phase).toBe('searching');
});
