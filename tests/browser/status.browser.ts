import { ChatClient } from '../support/chat-client.ts';
import { adminToken } from './support/page-cluster.ts';
import { Stage } from './support/stage.ts';
import type { Visitor } from './support/visitor.ts';

/** An operator before the status page of the first node. */
async function operator(stage: Stage, options = {}): Promise<Visitor> {
  const visitor = await stage.arrive(options);
  await visitor.page.goto(`${stage.cluster.node(0).url}/status`);
  return visitor;
}

async function signIn({ page }: Visitor, token: string): Promise<void> {
  await page.getByLabel('Admin token').fill(token);
  await page.keyboard.press('Enter');
}

describe('the status page', () => {
  const stage = new Stage({ nodes: 2 });

  it('asks for the admin token until it is right, and keeps it in its tab alone', async () => {
    const visitor = await operator(stage);
    const { page, context } = visitor;
    expect(await visitor.look('status-sign-in')).toEqual([]);
    await signIn(visitor, 'wrong');
    await page.getByRole('alert').getByText('This is not the admin token.').waitFor();
    expect(await visitor.look('status-wrong-token')).toEqual([]);
    const answered = page.waitForResponse(/admin\/status/);
    await signIn(visitor, 'wrong');
    expect((await answered).status()).toBe(401);
    await page.getByRole('alert').getByText('This is not the admin token.').waitFor();
    await signIn(visitor, adminToken);
    await page.getByRole('heading', { name: 'Pool' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Pool' }).waitFor();
    const other = await context.newPage();
    await other.goto(page.url());
    await other.getByLabel('Admin token').waitFor();
    await page.getByRole('button', { name: 'Forget the token' }).click();
    await page.getByLabel('Admin token').waitFor();
    await page.reload();
    await page.getByLabel('Admin token').waitFor();
  });

  it.each([
    ['wide', { width: 1280, height: 900 }],
    ['phone', { width: 360, height: 740 }],
  ])('shows the pool live, on a screen that is %s', async (name, viewport) => {
    const [ann] = await stage.pair();
    const plain = await ChatClient.connect(stage.cluster.node(0).url);
    await plain.ask('message', 'to nobody');
    plain.close();
    const visitor = await operator(stage, { viewport });
    const { page } = visitor;
    await signIn(visitor, adminToken);
    const rows = page.locator('.nodes tbody tr');
    await rows.nth(1).waitFor();
    await page.getByRole('img', { name: /^Sessions in the last .*: now 1,/ }).waitFor();
    await page.getByText('No recorder has been heard of').waitFor();
    await page.getByRole('row', { name: /^NOT_IN_CHAT/ }).waitFor();
    expect(await visitor.look(`status-${name}`)).toEqual([]);
    const tooWide = await page
      .locator('body')
      .evaluate(body => body.scrollWidth - body.ownerDocument.documentElement.clientWidth);
    expect(tooWide).toBeLessThanOrEqual(0);
    await page.getByRole('button', { name: 'Users' }).click();
    await page.locator('th[aria-sort=descending]', { hasText: 'Users' }).waitFor();
    await ann.leave();
    await page.getByRole('img', { name: /^Sessions in the last .*: now 0,/ }).waitFor();
  });

  it('is not at the public address', async () => {
    for (const path of ['/status', '/status/', '/admin/status', '/metrics']) {
      expect((await fetch(stage.cluster.url + path)).status).toBe(404);
    }
  });
});

describe('the status page of a pool that loses a node', () => {
  const stage = new Stage({ nodes: 3, environment: { LEASE_MS: '3000' } });

  it('tells which node is lost and for how long, and nothing of one that was stopped', async () => {
    const visitor = await operator(stage);
    const { page } = visitor;
    await signIn(visitor, adminToken);
    await page.locator('.nodes tbody tr.ok').nth(2).waitFor();
    await stage.cluster.node(1).stop();
    await stage.cluster.node(2).end('SIGKILL');
    await page.locator('.nodes tr.lost .state', { hasText: /^lost, \d/ }).waitFor();
    await page.getByText(/^Died, or hung until others took over the users there: [^,]+\.$/).waitFor();
    expect(await visitor.look('status-lost')).toEqual([]);
    expect(await page.locator('.nodes tbody tr').count()).toBe(2);
    expect(await page.getByRole('heading', { name: /^Nodes/ }).textContent()).toBe('Nodes 1');
  });
});
