import { texts } from '../../apps/web/src/texts.ts';
import { Stage } from './support/stage.ts';
import type { Visitor } from './support/visitor.ts';

const stage = new Stage({ nodes: 3, environment: { LEASE_MS: '2000' } });

/** The chat works in both directions, and nothing was lost or shown twice. */
async function goesOn(ann: Visitor, bob: Visitor, said: string[] = []): Promise<void> {
  await ann.write('Still there?');
  await bob.sees('Still there?');
  await bob.write('Yes!');
  await ann.sees('Yes!');
  await ann.ownIs('Still there?', 'delivered');
  const theirs = (text: string) => (text.startsWith('me: ') ? text.slice(4) : `me: ${text}`);
  const expected = [...said, 'me: Still there?', 'Yes!'];
  expect(await ann.messages()).toEqual(expected);
  expect(await bob.messages()).toEqual(expected.map(theirs));
}

it('goes on after a node was killed', async () => {
  const [ann, bob] = await stage.pair();
  await ann.write('before');
  await ann.ownIs('before', 'delivered');
  stage.cluster.leadTo(2);
  await stage.cluster.node(0).end('SIGKILL');
  await ann.write('meanwhile');
  await bob.sees('meanwhile');
  await ann.ownIs('meanwhile', 'delivered');
  await goesOn(ann, bob, ['me: before', 'me: meanwhile']);
});

it('goes on while nodes are replaced', async () => {
  const [ann, bob] = await stage.pair();
  await ann.write('before');
  await bob.sees('before');
  stage.cluster.leadTo(2);
  await Promise.all([stage.cluster.node(0).stop(), stage.cluster.node(1).stop()]);
  await Promise.all([ann.connected(), bob.connected()]);
  await goesOn(ann, bob, ['me: before']);
  expect(await stage.cluster.node(2).metric('passerby_users{state="paired"}')).toBe(2);
  expect(await ann.look('drained')).toEqual([]);
});

it('says that it connects again while no node can be reached, and goes on then', async () => {
  const [ann, bob] = await stage.pair();
  stage.cluster.leadTo();
  await Promise.all([stage.cluster.node(0).end('SIGKILL'), stage.cluster.node(1).end('SIGKILL')]);
  await ann.sees(texts.reconnecting);
  await ann.write('written without a connection');
  await ann.ownIs('written without a connection', 'kept');
  expect(await ann.look('reconnecting')).toEqual([]);
  stage.cluster.leadTo(2);
  await bob.sees('written without a connection');
  await ann.seesNoMore(texts.reconnecting);
  await goesOn(ann, bob, ['me: written without a connection']);
});

it('says when one is offline, to both, and goes on when one is back', async () => {
  const [ann, bob] = await stage.pair();
  await ann.context.setOffline(true);
  await ann.sees(texts.offline);
  await bob.sees(texts.partnerAway);
  await ann.write('written offline');
  await bob.write('written to nobody');
  await bob.ownIs('written to nobody', 'kept');
  expect(await ann.look('offline')).toEqual([]);
  expect(await bob.look('partner-away')).toEqual([]);
  await ann.context.setOffline(false);
  await bob.sees('written offline');
  await ann.sees('written to nobody');
  await ann.ownIs('written offline', 'delivered');
  await bob.seesNoMore(texts.partnerAway);
  await expect(bob.said.allTextContents()).resolves.toContain(texts.partnerBack);
});

it('comes back to the same chat when the page is loaded again', async () => {
  const [ann, bob] = await stage.pair();
  await ann.write('before');
  await bob.sees('before');
  await bob.write('not seen before the reload');
  await ann.sees('not seen before the reload');
  await ann.page.reload();
  await ann.sees(texts.chatRestored);
  expect(await ann.look('reloaded')).toEqual([]);
  expect(await ann.messages()).toEqual([]);
  await ann.write('after');
  await bob.sees('after');
  await ann.ownIs('after', 'delivered');
  expect(await bob.messages()).toEqual(['before', 'me: not seen before the reload', 'after']);
  // Nothing lies on the device but what it needs to come back.
  const kept = await ann.page.evaluate(() => [
    Object.keys(sessionStorage).sort(),
    localStorage.length,
    document.cookie,
  ]);
  expect(kept).toEqual([['passerby', 'passerby-tab'], 0, '']);
});

it('delivers what was written offline after the page is loaded again', async () => {
  const [ann, bob] = await stage.pair();
  stage.cluster.leadTo();
  await stage.cluster.node(0).end('SIGKILL');
  await ann.write('written before the reload');
  stage.cluster.leadTo(1, 2);
  await ann.page.reload();
  await bob.sees('written before the reload');
  await ann.ownIs('written before the reload', 'delivered');
});

it('looks on after a reload, and says when the chat is over', async () => {
  const ann = await stage.arriveAt(0);
  await ann.search();
  await ann.phase('searching');
  await ann.page.reload();
  await ann.phase('searching');
  const bob = await stage.arriveAt(1);
  await bob.search();
  await ann.phase('chatting');
  stage.cluster.leadTo();
  await ann.page.goto('about:blank');
  await bob.button(texts.stop).click();
  await bob.phase('ended');
  stage.cluster.leadTo(0, 1, 2);
  await ann.page.goBack();
  await ann.sees(texts.endedMeanwhile);
  expect(await ann.look('ended-meanwhile')).toEqual([]);
});

it('lets one leave a chat that one cannot come back to yet', async () => {
  const [ann, bob] = await stage.pair();
  stage.cluster.leadTo();
  await ann.page.goto('about:blank');
  await stage.cluster.node(0).end('SIGKILL');
  stage.cluster.leadTo(1, 2);
  await ann.context.routeWebSocket(/socket\.io/, () => undefined);
  await ann.page.goBack();
  await ann.button(texts.leave).click();
  await ann.phase('home');
  await ann.context.unrouteAll();
  await bob.sees(texts.ends.end);
});

it('goes on in a second window, and comes back from there', async () => {
  const [ann, bob] = await stage.pair();
  await ann.write('one');
  await bob.sees('one');
  const first = ann.page;
  // As a browser does when one asks it for a copy of a tab.
  const opened = ann.context.waitForEvent('page');
  await first.evaluate(() => void window.open('/'));
  ann.page = await opened;
  await ann.sees(texts.chatRestored);
  await ann.write('two');
  await bob.sees('two');
  await bob.write('three');
  await ann.sees('three');
  const second = ann.page;
  ann.page = first;
  await ann.sees(texts.replacedTitle);
  expect(await ann.look('replaced')).toEqual([]);
  await ann.button(texts.takeBack).click();
  await ann.sees(texts.chatRestored);
  await bob.write('four');
  await ann.sees('four');
  await ann.write('five');
  await bob.sees('five');
  expect(await bob.messages()).toEqual(['one', 'two', 'me: three', 'me: four', 'five']);
  ann.page = second;
  await ann.sees(texts.replacedTitle);
});

it('lets one press Start before there is a connection', async () => {
  const ann = await stage.arrive();
  await ann.connected();
  await ann.context.routeWebSocket(/socket\.io/, () => undefined);
  await ann.page.reload();
  await ann.sees(texts.returning);
  expect(await ann.look('returning')).toEqual([]);
  await ann.page.evaluate(() => sessionStorage.clear());
  await ann.page.reload();
  await ann.search();
  await ann.sees(texts.connecting);
  expect(await ann.look('connecting')).toEqual([]);
  await ann.button(texts.stopSearching).click();
  await ann.phase('home');
});
