import { errorTexts } from '@passerby/protocol';
import { texts } from '../../apps/web/src/texts.ts';
import { eventually } from '../support/eventually.ts';
import { Stage } from './support/stage.ts';
import type { Visitor } from './support/visitor.ts';

it('has words of its own for each error', () => {
  for (const code of Object.keys(errorTexts)) expect(texts.errors).toHaveProperty(code, expect.any(String));
});

describe('where the limits are narrow', () => {
  const stage = new Stage({
    nodes: 1,
    environment: { RATE_LIMITS: 'on', LIMIT_USER_MESSAGES: '3/8', LIMIT_USER_REQUESTS: '3/8' },
  });

  it('says that messages wait, for how long, and sends them then', async () => {
    const [ann, bob] = await stage.pair();
    const texted = Array.from({ length: 5 }, (_, index) => `message ${index + 1}`);
    for (const text of texted) await ann.write(text);
    await ann.trouble('TOO_MANY_MESSAGES');
    expect(await ann.page.locator('.banner').textContent()).toMatch(
      /Your messages wait, and are sent in \d seconds?\./,
    );
    expect(await ann.look('rate-limited-messages')).toEqual([]);
    // That the first three arrive does not hide why the others wait.
    await ann.page.locator('.me.delivered').nth(2).waitFor();
    const told = () => document.querySelector('.me.kept') === null || document.querySelector('[data-code]') !== null;
    expect(await ann.page.evaluate(told)).toBe(true);
    await bob.sees('message 5');
    await ann.ownIs('message 5', 'delivered');
    await ann.noTrouble();
    expect(await bob.messages()).toEqual(texted);
    // The time to wait is said once, and not each second.
    const said = (await ann.said.allTextContents()).filter(text => text.startsWith(texts.errors.TOO_MANY_MESSAGES));
    expect(said.length).toBeLessThanOrEqual(2);
  });

  it('says how long to wait after too many commands, and lets one try again then', async () => {
    const ann = await stage.arrive();
    await ann.connected();
    for (const _ of [1, 2]) {
      await ann.search();
      await ann.phase('searching');
      await ann.button(texts.stopSearching).click();
    }
    await ann.trouble('TOO_MANY_REQUESTS');
    await expect(ann.button(texts.tryAgain).isDisabled()).resolves.toBe(true);
    expect(await ann.look('rate-limited')).toEqual([]);
    await ann.sees(`${texts.failed.endChat} ${texts.canTryNow}`);
    await ann.button(texts.tryAgain).click();
    await ann.noTrouble();
    await ann.phase('home');
  });
});

describe('where few connections are allowed', () => {
  const stage = new Stage({ nodes: 1, environment: { RATE_LIMITS: 'on', LIMIT_ADDRESS_CONNECTIONS: '1/15' } });

  it('says when it is tried again, and connects then', async () => {
    await (await stage.arrive()).connected();
    const late = await stage.arrive();
    await late.trouble('TOO_MANY_CONNECTIONS');
    expect(await late.page.locator('.banner').textContent()).toMatch(
      /It is tried again in \d+ seconds?\.|Trying again/,
    );
    expect(await late.look('too-many-connections')).toEqual([]);
    await late.connected();
    await late.noTrouble();
  });
});

describe('an operator', () => {
  const stage = new Stage({ nodes: 1 });
  const userOf = (visitor: Visitor) =>
    visitor.page.evaluate(() => JSON.parse(sessionStorage.getItem('passerby') ?? '{}').token.split('.')[0]);

  it('tells everyone something', async () => {
    const [ann] = await stage.pair();
    await stage.cluster.admin('POST', '/announcements', { message: 'We restart at noon.' });
    await ann.sees('We restart at noon.');
    expect(await ann.look('announcement')).toEqual([]);
    await ann.button(texts.dismiss).click();
    await ann.seesNoMore('We restart at noon.');
  });

  it('disconnects someone, who is told, and may begin anew', async () => {
    const [ann, bob] = await stage.pair();
    await stage.cluster.admin('DELETE', `/users/${await userOf(ann)}`);
    await ann.sees(texts.closedTitle);
    await bob.sees(texts.ends.disconnect);
    expect(await ann.look('closed')).toEqual([]);
    await ann.button(texts.beginAnew).click();
    await ann.phase('home');
    await ann.connected();
    await ann.search();
    await bob.button(texts.nextStranger).click();
    await Promise.all([ann.phase('chatting'), bob.phase('chatting')]);
  });
});

describe('who is away', () => {
  const stage = new Stage({ nodes: 1, environment: { RESUME_WITHIN_MS: '3000', LEASE_MS: '1500' } });

  it('is given up after a while, and told so when back', async () => {
    const [ann, bob] = await stage.pair();
    await ann.context.setOffline(true);
    await bob.sees(texts.partnerAway);
    await bob.write('Hello?');
    await bob.sees(texts.ends.timeout);
    await bob.ownIs('Hello?', 'failed');
    await bob.sees(texts.statuses.failed);
    expect(await bob.look('partner-gone')).toEqual([]);
    await ann.context.setOffline(false);
    await ann.sees(texts.awayTooLong);
    expect(await ann.look('away-too-long')).toEqual([]);
  });

  it('still looks for someone when back, though the place in the queue is lost', async () => {
    const ann = await stage.arrive();
    await ann.connected();
    await ann.search();
    await ann.phase('searching');
    await ann.context.setOffline(true);
    await ann.sees(texts.offlineIdle);
    await stage.cluster.pool.untilEmpty();
    await ann.context.setOffline(false);
    await ann.connected();
    const bob = await stage.arrive();
    await bob.search();
    await Promise.all([ann.phase('chatting'), bob.phase('chatting')]);
  });

  it('can write only so much in the meantime', async () => {
    const [ann] = await stage.pair();
    await ann.context.setOffline(true);
    for (let count = 1; count <= 101; count++) await ann.write(`${count}`);
    await ann.trouble('OUTGOING_FULL');
    expect(await ann.look('outgoing-full')).toEqual([]);
    expect(await ann.field.inputValue()).toBe('101');
  });
});

describe('where very many people search', () => {
  const stage = new Stage({ nodes: 1 });

  it('goes on searching by itself, as soon as the server said', async () => {
    const ann = await stage.arrive();
    const busy = { ok: false, error: { code: 'BUSY', message: errorTexts.BUSY, retryAfterMs: 4000 } };
    let timesLeft = 1;
    await ann.page.routeWebSocket(/socket\.io/, page => {
      const node = page.connectToServer();
      page.onMessage(packet => {
        const [, id] = /^42(\d+)\["search"/.exec(packet.toString()) ?? [];
        if (id !== undefined && timesLeft-- > 0) page.send(`43${id}[${JSON.stringify(busy)}]`);
        else node.send(packet);
      });
    });
    await ann.page.reload();
    await ann.connected();
    await ann.search();
    await ann.trouble('BUSY');
    await ann.phase('searching');
    expect(await ann.look('search-put-off')).toEqual([]);
    await ann.noTrouble();
    await eventually(async () => expect(await stage.cluster.node(0).metric('passerby_users{state="waiting"}')).toBe(1));
    await ann.phase('searching');
    expect((await ann.said.allTextContents()).join()).toContain(texts.errors.BUSY);
  });
});

describe('without Redis', () => {
  const stage = new Stage({ nodes: 1, environment: { LEASE_MS: '3000' }, ownRedis: true });

  it('says that it is not available, and lets one try again', async () => {
    const ann = await stage.arrive();
    await ann.connected();
    stage.redis.pause();
    await ann.search();
    await ann.trouble('UNAVAILABLE');
    expect(await ann.look('unavailable')).toEqual([]);
    stage.redis.resume();
    // The node may need a moment more than it said.
    await eventually(async () => {
      // Not there while a search is under way, and cannot be pressed while the time to wait is counted down.
      await ann
        .button(texts.tryAgain)
        .click({ timeout: 1000 })
        .catch(() => undefined);
      expect(await stage.cluster.node(0).metric('passerby_users{state="waiting"}')).toBe(1);
    });
    await ann.noTrouble();
    await ann.phase('searching');
    const said = (await ann.said.allTextContents()).join();
    expect(said).toContain(`${texts.failed.search} ${texts.errors.UNAVAILABLE}`);
  });

  it('does not go on saying so when one can search again', async () => {
    const ann = await stage.arrive();
    await ann.connected();
    stage.redis.pause();
    await ann.search();
    await ann.trouble('UNAVAILABLE');
    stage.redis.resume();
    await ann.sees(`${texts.failed.search} ${texts.canTryNow}`);
    expect(await ann.look('can-try-now')).toEqual([]);
    await ann.noTrouble();
    await ann.phase('home');
  });
});

describe('in a chat without Redis', () => {
  const stage = new Stage({ nodes: 2, environment: { LEASE_MS: '3000' }, ownRedis: true });

  it('says that one cannot go on to the next, though messages wait too, and loses nothing', async () => {
    const [ann, bob] = await stage.pair();
    stage.redis.pause();
    await ann.write('one');
    await ann.trouble('UNAVAILABLE');
    await ann.field.fill('half a sent');
    await ann.button(texts.next).click();
    await ann.phase('searching');
    // It comes back to the chat, where the message is tried again.
    const failure = ann.page.locator('.banner').filter({ hasText: texts.failed.skip });
    await ann.page
      .locator('.banner')
      .filter({ hasText: /Your messages wait|Sending/ })
      .waitFor();
    await failure.waitFor();
    expect(await ann.field.inputValue()).toBe('half a sent');
    expect(await ann.look('skip-failed')).toEqual([]);
    await ann.page.setViewportSize({ width: 360, height: 640 });
    expect(await ann.overflow()).toBe(0);
    expect(await ann.look('phone-skip-failed')).toEqual([]);
    stage.redis.resume();
    await ann.ownIs('one', 'delivered');
    await bob.sees('one');
    await ann.button(texts.next).click();
    await Promise.all([ann.phase('searching'), bob.sees(texts.ends.skip)]);
    await ann.noTrouble();
  });
});
