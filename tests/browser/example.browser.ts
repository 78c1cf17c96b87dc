import { Stage } from './support/stage.ts';
import type { Visitor } from './support/visitor.ts';
import { ViteServer } from './support/vite-server.ts';

const stage = new Stage({ nodes: 2, environment: { ALLOWED_ORIGINS: '*' } });
let vite: ViteServer;

beforeAll(async () => {
  vite = await ViteServer.start('examples');
});

afterAll(() => vite.stop());

/** Someone before the short page, who looks for a partner from the beginning. */
async function reader(node: number): Promise<Visitor> {
  stage.cluster.leadTo(node);
  const visitor = await stage.arrive();
  await visitor.page.goto(`${vite.url}/page.html?${stage.cluster.url}`);
  return visitor;
}

const says = ({ page }: Visitor, line: string) => page.getByText(line, { exact: true }).waitFor();

it('the short page of the examples lets two people talk, and part', async () => {
  const ann = await reader(0);
  const bob = await reader(1);
  await Promise.all([says(ann, 'You have a partner.'), says(bob, 'You have a partner.')]);
  await ann.field.fill('<b>Hello!</b>');
  await ann.field.press('Enter');
  await says(ann, 'You: <b>Hello!</b>');
  await says(bob, 'Stranger: <b>Hello!</b>');
  await bob.page.reload();
  await says(bob, 'You have a partner.');
  await bob.field.fill('Back again');
  await bob.button('Send').click();
  await says(ann, 'Stranger: Back again');
  expect(await ann.look('example-page')).toEqual([]);
  await ann.button('Next').click();
  await says(bob, 'Your partner has left.');
  await bob.field.fill('Anyone?');
  await bob.field.press('Enter');
  await says(bob, 'You are not in a chat');
});
