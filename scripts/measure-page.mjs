// node scripts/measure-page.mjs [address] [times]: opens the page of a running cluster (`RATE_LIMITS=off npm start`) with an
// empty cache, again and again, and says how long it takes until one can press Start, and until one can type to somebody.
import { chromium } from 'playwright-core';
import { findChromium } from './find-chromium.mjs';

const [url = 'http://localhost:3000', times = '9'] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: findChromium(), args: ['--no-sandbox', '--disable-gpu'] });

/** As Chromium's developer tools call it: 1.6 Mbit/s, 150 ms there and back, a processor of a quarter of this one's speed. */
const slowPhone = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 93_750 };

for (const [name, network] of [
  ['this machine', undefined],
  ['a slow phone', slowPhone],
]) {
  const runs = [];
  for (let run = 0; run < Number(times); run++) runs.push(await measure(network));
  const figures = Object.keys(runs[0]).map(key => {
    const sorted = runs.map(each => each[key]).sort((a, b) => a - b);
    const [least, median, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map(Math.round);
    return `${key}: ${median} (${least} to ${most})`;
  });
  console.log(`${name}, ${times} times, median (least to most):\n  ${figures.join('\n  ')}`);
}
await browser.close();

async function measure(network) {
  const partner = await visit();
  await partner.page.getByRole('button', { name: 'Start chatting' }).click();
  await partner.page.getByRole('button', { name: 'Stop looking' }).waitFor();
  const { page, context, session } = await visit(network);
  const start = page.getByRole('button', { name: 'Start chatting' });
  await start.waitFor();
  const startMs = await page.evaluate(() => performance.now());
  await start.click();
  await page.locator('textarea:enabled').waitFor();
  const typeMs = await page.evaluate(() => performance.now());
  const bytes = await page.evaluate(() =>
    [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce(
      (sum, { transferSize = 0 }) => sum + transferSize,
      0,
    ),
  );
  const { metrics } = await session.send('Performance.getMetrics');
  const cpu = metrics.find(({ name }) => name === 'TaskDuration').value * 1000;
  await context.close();
  await partner.context.close();
  return {
    'until Start can be pressed, ms': startMs,
    'until one can type, with a partner there, ms': typeMs,
    'work of the page until then, ms of CPU': cpu,
    'transferred, bytes': bytes,
  };
}

async function visit(network) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  if (network) {
    await session.send('Network.enable');
    await session.send('Network.emulateNetworkConditions', network);
    await session.send('Emulation.setCPUThrottlingRate', { rate: 4 });
  }
  await page.goto(url);
  return { context, page, session };
}
