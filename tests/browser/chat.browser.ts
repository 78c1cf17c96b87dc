import { texts } from '../../apps/web/src/texts.ts';
import { Stage } from './support/stage.ts';

const stage = new Stage({ nodes: 3 });

it('lets two people on different nodes talk, and shows when a message is typed and delivered', async () => {
  const [ann, bob] = await stage.pair();
  await ann.sees(texts.chatStarted);
  expect(await stage.cluster.node(0).metric('passerby_users{state="paired"}')).toBe(1);
  expect(await stage.cluster.node(1).metric('passerby_users{state="paired"}')).toBe(1);

  await ann.field.fill('How are y');
  await bob.page.locator('.typing').waitFor();
  expect(await bob.look('partner-typing')).toEqual([]);
  await ann.write('How are you?');
  await bob.sees('How are you?');
  await bob.page.locator('.typing').waitFor({ state: 'detached' });
  await ann.ownIs('How are you?', 'delivered');
  await bob.write('Fine.\nAnd you?');
  await ann.sees('Fine.\nAnd you?');
  await bob.ownIs('Fine.', 'delivered');
  expect(await ann.messages()).toEqual(['me: How are you?', 'Fine.\nAnd you?']);
  expect(await bob.messages()).toEqual(['How are you?', 'me: Fine.\nAnd you?']);
  expect(await bob.look('chatting')).toEqual([]);
});

it('brings three people together in turn', async () => {
  const [ann, bob] = await stage.pair();
  await ann.write('for Bob');
  await bob.sees('for Bob');
  await ann.field.fill('not sent to Bob');
  const cid = await stage.arriveAt(2);
  expect(await cid.look('home')).toEqual([]);
  await cid.page.getByText(texts.online(3)).waitFor();
  await cid.search();
  await cid.phase('searching');
  expect(await cid.look('searching')).toEqual([]);

  await ann.button(texts.next).click();
  await Promise.all([ann.sees(texts.chatStarted), cid.phase('chatting'), bob.sees(texts.ends.skip)]);
  expect(await ann.messages()).toEqual([]);
  expect(await ann.field.inputValue()).toBe('');
  expect(await bob.look('partner-left')).toEqual([]);
  await ann.write('for Cid');
  await cid.sees('for Cid');

  await bob.button(texts.nextStranger).click();
  await bob.phase('searching');
  await cid.button(texts.stop).click();
  await ann.sees(texts.ends.end);
  await cid.sees(texts.youLeft);
  expect(await cid.look('stopped')).toEqual([]);
  await ann.button(texts.nextStranger).click();
  await Promise.all([ann.phase('chatting'), bob.phase('chatting')]);
});

it('can be used with the keyboard alone', async () => {
  const [bob, ann] = [await stage.arriveAt(0), await stage.arriveAt(1)];
  await ann.page.bringToFront();
  const press = async (...keys: string[]) => {
    for (const key of keys) await ann.page.keyboard.press(key);
  };
  // The first Tab may only bring the window to the page.
  await press('Tab');
  if ((await ann.focused()) !== texts.start) await press('Tab');
  expect(await ann.focused()).toBe(texts.start);
  await press('Enter');
  await ann.phase('searching');
  expect(await ann.focused()).toBe(texts.stopSearching);
  await press('Enter');
  await ann.phase('home');
  expect(await ann.focused()).toBe(texts.start);
  await press('Enter');
  await bob.search();
  await ann.phase('chatting');
  await ann.page.locator('textarea:focus').waitFor();
  await ann.page.keyboard.type('one');
  await press('Shift+Enter');
  await ann.page.keyboard.type('two');
  await press('Enter');
  await bob.sees('one\ntwo');
  await bob.write('https://example.org/');
  await ann.sees('https://example.org/');
  await press('Shift+Tab', 'Shift+Tab');
  expect(await ann.focused()).toBe('https://example.org/');
  await press('Enter');
  await ann.page.getByRole('dialog').waitFor();
  // This Esc is for the dialog, and is not the first of two.
  await press('Escape');
  await ann.page.getByRole('dialog').waitFor({ state: 'detached' });
  await press('Escape');
  await ann.sees(texts.escapeAgain);
  expect(await ann.look('escape-once')).toEqual([]);
  // Once alone means nothing, after a while.
  await ann.sees(texts.keys);
  await press('Escape', 'Escape');
  await ann.phase('searching');
  await bob.sees(texts.ends.skip);
  await bob.page.keyboard.press('Escape');
  await bob.page.keyboard.press('Escape');
  await Promise.all([ann.phase('chatting'), bob.phase('chatting')]);
});

it('gives the rest of a sentence to nobody, if the partner leaves in the middle of it', async () => {
  const [ann, bob] = await stage.pair();
  const eve = await stage.arriveAt(0);
  await eve.search();
  await eve.phase('searching');
  await ann.page.bringToFront();
  await ann.field.focus();
  await ann.page.keyboard.type('This is ');
  await bob.button(texts.stop).click();
  await ann.phase('ended');
  await ann.page.locator('.composer.ended button:focus').waitFor();
  await ann.page.keyboard.type('for Bob alone');
  await ann.page.keyboard.press('Enter');
  expect(await ann.focused()).toBe(texts.nextStranger);
  // Whatever the keys have done, has been done before this.
  await ann.button(texts.nextStranger).click();
  await Promise.all([ann.phase('chatting'), eve.phase('chatting')]);
  expect(await ann.messages()).toEqual([]);
  expect(await eve.messages()).toEqual([]);
});

it('leaves what was not sent to be read and copied when the partner leaves, and sends it to nobody', async () => {
  const [ann, bob] = await stage.pair();
  await ann.page.bringToFront();
  await ann.field.fill('What I wanted to say');
  await bob.button(texts.stop).click();
  const notSent = ann.page.getByRole('textbox', { name: texts.notSent });
  await notSent.waitFor();
  expect(await notSent.inputValue()).toBe('What I wanted to say');
  expect(await notSent.isEditable()).toBe(false);
  // Who has written nothing has lost nothing.
  expect(await bob.page.getByRole('textbox').count()).toBe(0);
  await ann.page.locator('.composer.ended button:focus').waitFor();
  expect(await ann.look('not-sent')).toEqual([]);
  await ann.page.keyboard.press('Shift+Tab');
  await ann.page.keyboard.press('Control+A');
  const marked = () => (document.activeElement as HTMLTextAreaElement).selectionEnd;
  expect(await ann.page.evaluate(marked)).toBe('What I wanted to say'.length);
  await ann.page.keyboard.type(' to Bob');
  await ann.page.keyboard.press('Enter');
  expect(await notSent.inputValue()).toBe('What I wanted to say');

  await ann.button(texts.nextStranger).click();
  await bob.button(texts.nextStranger).click();
  await Promise.all([ann.phase('chatting'), bob.phase('chatting')]);
  expect(await ann.field.inputValue()).toBe('');
  // Nothing is on its way before this.
  await ann.write('Hello');
  await bob.sees('Hello');
  expect(await bob.messages()).toEqual(['Hello']);
});

it('tells those who hear it each message and each change once', async () => {
  const [ann, bob] = await stage.pair();
  await bob.write('Good evening');
  await ann.sees('Good evening');
  // As when another tab is in front; then no frame is drawn.
  await ann.page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    Object.defineProperty(window, 'requestAnimationFrame', { value: () => 0, configurable: true });
  });
  await bob.button(texts.stop).click();
  await ann.phase('ended');
  expect(await ann.page.title()).toBe(`(1) ${texts.name}`);
  await ann.page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: false });
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  });
  expect(await ann.page.title()).toBe(texts.name);
  expect(await ann.said.allTextContents()).toEqual([
    texts.searching,
    texts.chatStarted,
    texts.fromStranger('Good evening'),
    texts.ends.end,
  ]);
  // Nothing else on the page announces itself.
  expect(await ann.page.locator('[aria-live], [role=status], [role=alert], [role=log]').count()).toBe(1);
});

it('shows whatever people write as text', async () => {
  const [ann, bob] = await stage.pair({ viewport: { width: 360, height: 640 } });
  const html = '<img src=x onerror="console.error(1)"><b>bold</b> &amp;';
  const hebrew = 'שלום, מה שלומך? (hello)';
  const emoji = '👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽';
  const long = 'Donaudampfschifffahrtsgesellschaft'.repeat(6);
  for (const text of [html, hebrew, emoji, long]) {
    await ann.write(text);
    await bob.sees(text);
  }
  expect(await bob.messages()).toEqual([html, hebrew, emoji, long]);
  const direction = (text: string) => bob.text(text).evaluate(each => getComputedStyle(each).direction);
  expect([await direction(hebrew), await direction(html)]).toEqual(['rtl', 'ltr']);
  for (const visitor of [ann, bob]) expect(await visitor.overflow()).toBe(0);
  await ann.ownIs(long, 'delivered');
  expect(await ann.look('phone-texts')).toEqual([]);
});

it('asks before a link is followed', async () => {
  const [ann, bob] = await stage.pair();
  await bob.context.route('https://example.org/**', route =>
    route.fulfill({ body: 'elsewhere', contentType: 'text/plain' }),
  );
  await ann.write('Look: https://example.org/path?a=1. Or javascript:alert(1) or www.example.org');
  await bob.button('https://example.org/path?a=1').click();
  await bob.page.getByRole('dialog').waitFor();
  expect(await bob.look('link')).toEqual([]);
  await bob.button(texts.cancel).click();
  await bob.page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(bob.context.pages()).toHaveLength(1);

  await bob.button('https://example.org/path?a=1').click();
  const opened = bob.context.waitForEvent('page');
  await bob.page.getByRole('link', { name: texts.openLink }).click();
  const page = await opened;
  await page.waitForURL('https://example.org/path?a=1');
  expect(await page.evaluate(() => [window.opener, document.referrer])).toEqual([null, '']);
  await page.close();
  expect(await bob.page.locator('.log button').count()).toBe(1);
});

it('says what is wrong with a message that cannot be sent', async () => {
  const [ann, bob] = await stage.pair();
  await ann.field.fill('a'.repeat(460));
  await ann.sees(texts.charactersLeft(40));
  await ann.field.fill('👍'.repeat(501));
  await ann.sees(texts.tooLong(1));
  await expect(ann.button(texts.send).isDisabled()).resolves.toBe(true);
  await ann.field.press('Enter');
  await ann.trouble('INVALID_MESSAGE');
  expect(await ann.look('invalid-message')).toEqual([]);
  // What was written is still there to be shortened.
  await ann.write((await ann.field.inputValue()).slice(2));
  await bob.sees('👍'.repeat(500));
  // A character that cannot be seen, which the page itself would send.
  await ann.write('\u200b\u2060');
  await ann.trouble('INVALID_MESSAGE');
  expect(await bob.messages()).toHaveLength(1);
});

it('does not move for those who do not like it', async () => {
  const ann = await stage.arrive();
  const moving = ({ page }: typeof ann) => page.evaluate(() => document.getAnimations().length);
  await ann.search();
  await ann.phase('searching');
  expect(await moving(ann)).toBeGreaterThan(0);
  await ann.page.emulateMedia({ reducedMotion: 'reduce' });
  // A page that is open already hears of it with its next frame.
  await ann.page.waitForFunction(() => document.getAnimations().length === 0);
  const bob = await stage.arrive({ reducedMotion: 'reduce' });
  await bob.search();
  await Promise.all([ann.phase('chatting'), bob.phase('chatting')]);
  await bob.field.fill('Hm');
  await ann.page.locator('.typing').waitFor();
  expect(await moving(ann)).toBe(0);
});

it('shows where one writes with few colours, and says so on the narrowest screen', async () => {
  const [ann] = await stage.pair({ viewport: { width: 320, height: 480 }, forcedColors: 'active' });
  await ann.field.focus();
  const style = () => ann.page.locator('.field').evaluate(each => getComputedStyle(each).outlineStyle);
  expect(await style()).toBe('solid');
  expect(await ann.field.evaluate(each => each.scrollHeight - each.clientHeight)).toBe(0);
});

it('fits a narrow phone', async () => {
  const phone = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
  const [ann, bob] = [await stage.arriveAt(0, phone), await stage.arriveAt(1, phone)];
  const usable = async (visitor: typeof ann) => {
    expect(await visitor.overflow()).toBe(0);
    expect(await visitor.smallTargets()).toEqual([]);
  };
  await usable(ann);
  expect(await ann.look('phone-home')).toEqual([]);
  await ann.button(texts.start).tap();
  await ann.phase('searching');
  await usable(ann);
  expect(await ann.look('phone-searching')).toEqual([]);
  await bob.button(texts.start).tap();
  await ann.phase('chatting');
  for (const text of ['Hi!', 'Where are you from?', 'I am on a train, and the sun is going down.']) {
    await ann.field.fill(text);
    await ann.button(texts.send).tap();
    await bob.sees(text);
  }
  await bob.write('That sounds lovely. Look: https://example.org/a-train?at=sunset');
  await ann.sees('https://example.org/a-train?at=sunset');
  await ann.ownIs('I am on a train', 'delivered');
  await usable(ann);
  expect(await ann.look('phone-chatting')).toEqual([]);
  await ann.button('https://example.org/a-train?at=sunset').tap();
  await ann.page.getByRole('dialog').waitFor();
  expect(await ann.look('phone-link')).toEqual([]);
  await ann.button(texts.cancel).tap();
  await stage.cluster.admin('POST', '/announcements', { message: 'We restart at noon. Chats go on.' });
  await bob.context.setOffline(true);
  await ann.sees(texts.partnerAway);
  await usable(ann);
  expect(await ann.look('phone-banners')).toEqual([]);
  await ann.button(texts.stop).tap();
  await ann.sees(texts.youLeft);
  await usable(ann);
  expect(await ann.look('phone-ended')).toEqual([]);
});

it('stays where one reads, and at the end otherwise', async () => {
  const [ann, bob] = await stage.pair({ viewport: { width: 700, height: 420 } });
  for (let number = 1; number <= 20; number++) await ann.write(`number ${number}`);
  await bob.sees('number 20');
  const distance = () => bob.page.locator('.scroll').evaluate(e => e.scrollHeight - e.scrollTop - e.clientHeight);
  expect(await distance()).toBeLessThan(2);
  await bob.page.locator('.scroll').focus();
  await bob.page.keyboard.press('Home');
  await bob.page
    .locator('.scroll')
    .evaluate(each => each.scrollTop === 0 || new Promise(done => each.addEventListener('scrollend', done)));
  // Who only writes has brought nothing new.
  await ann.field.fill('one m');
  await bob.page.locator('.typing').waitFor({ state: 'attached' });
  expect(await bob.button(`${texts.newMessages} ↓`).count()).toBe(0);
  await ann.write('one more');
  await bob.button(`${texts.newMessages} ↓`).waitFor();
  expect(await bob.look('new-messages')).toEqual([]);
  expect(await distance()).toBeGreaterThan(100);
  await bob.button(`${texts.newMessages} ↓`).click();
  await bob.button(`${texts.newMessages} ↓`).waitFor({ state: 'detached' });
  expect(await distance()).toBeLessThan(2);
  expect(await bob.focused()).toBe(texts.messages);
});
