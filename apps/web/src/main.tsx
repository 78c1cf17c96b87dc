import { connect } from '@passerby/client';
import { render } from 'preact';
import { Announcer } from './announcer.ts';
import { App } from './app.tsx';
import { ChatScreen } from './chat-screen.ts';
import { fitKeyboard } from './fit-keyboard.ts';
import { tabStorage } from './tab-storage.ts';
import { TwinTabs } from './twin-tabs.ts';

const announcer = new Announcer();
const storage = tabStorage();
const twins = storage && new TwinTabs({ storage, handOver: () => screen?.handOver() });
let screen: ChatScreen | undefined;

fitKeyboard();
// A tab that is a copy of another has its chat: the newer tab goes on with it.
start(twins?.mayExist ? await twins.ask() : undefined);

function start(takeOver: string | undefined): void {
  const root = document.getElementById('app');
  if (!root) return;
  const made = new ChatScreen(
    {
      connect: handedOver =>
        connect(location.origin, {
          ...(storage && { storage }),
          ...(handedOver !== undefined && { takeOver: handedOver }),
          // One round trip instead of four; where a WebSocket does not get through, polling does.
          socketOptions: { transports: ['websocket', 'polling'], tryAllTransports: true },
        }),
      askTwins: async () => twins?.ask(),
      announce: text => announcer.say(text),
      show: view => screen && render(<App view={view} screen={screen} />, root),
    },
    takeOver,
  );
  screen = made;
  const setOffline = () => made.setOffline(!navigator.onLine);
  addEventListener('online', setOffline);
  addEventListener('offline', setOffline);
  setOffline();
}
