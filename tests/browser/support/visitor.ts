import { join } from 'node:path';
import axe from 'axe-core';
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { texts } from '../../../apps/web/src/texts.ts';

declare global {
  /** From the configuration of the run. */
  var screenshotFolder: string;
}

/** What a browser itself writes to its console when the network is taken away from it, or refuses. */
const networkTrouble = /WebSocket connection to|Failed to load resource/;

/** A person with a browser of their own: nothing is shared with another visitor. */
export class Visitor {
  readonly context: BrowserContext;
  page: Page;
  /** What went wrong in the page: errors, and violations of its policy. Nothing, in good order. */
  readonly problems: string[];

  private constructor(context: BrowserContext, page: Page, problems: string[]) {
    this.context = context;
    this.page = page;
    this.problems = problems;
  }

  static async arrive(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext({ viewport: { width: 1100, height: 760 }, baseURL: url, ...options });
    context.setDefaultTimeout(30_000);
    const problems: string[] = [];
    context.on('page', page => watch(page, problems));
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', event => {
        console.error(`The policy forbids ${event.blockedURI} (${event.effectiveDirective}).`);
      });
    });
    const page = await context.newPage();
    const visitor = new Visitor(context, page, problems);
    await page.goto('/');
    return visitor;
  }

  button(name: string): Locator {
    return this.page.getByRole('button', { name, exact: true });
  }

  get field(): Locator {
    return this.page.getByRole('textbox', { name: texts.message });
  }

  /** The messages and notes on the screen, oldest first. */
  get lines(): Locator {
    return this.page.locator('.log li');
  }

  /** The last own message. */
  get lastOwn(): Locator {
    return this.page.locator('.log li.me').last();
  }

  /** What a screen reader was given to say. */
  get said(): Locator {
    return this.page.locator('[aria-live] p');
  }

  async search(): Promise<void> {
    await this.button(texts.start).click();
  }

  /** Waits until the page shows this phase. */
  async phase(name: string): Promise<void> {
    await this.page.locator(`.page[data-phase=${name}]`).waitFor();
  }

  async connected(): Promise<void> {
    await this.page.locator('.page[data-connection=connected]').waitFor();
  }

  async write(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  /** What is on the screen and has this text. */
  text(text: string): Locator {
    return this.page.locator('.page').getByText(text, { exact: true }).locator('visible=true').first();
  }

  /** Waits until this text is on the screen. */
  async sees(text: string): Promise<void> {
    await this.text(text).waitFor();
  }

  /** Waits until this text is no longer on the screen. */
  async seesNoMore(text: string): Promise<void> {
    await this.text(text).waitFor({ state: 'detached' });
  }

  /** Waits until the last own message, which must be this one, has this status. */
  async ownIs(text: string, status: keyof typeof texts.statuses): Promise<void> {
    await this.page.locator(`.log li.me.${status}`).last().filter({ hasText: text }).waitFor();
  }

  /** Waits until the page says in its own words that this error has happened. */
  async trouble(code: keyof typeof texts.errors): Promise<void> {
    await this.page.locator(`.banner[data-code=${code}]`).filter({ hasText: texts.errors[code] }).first().waitFor();
  }

  /** Waits until the page no longer speaks of an error. */
  async noTrouble(): Promise<void> {
    await this.page.locator('.banner[data-code]').first().waitFor({ state: 'detached' });
  }

  /** The name of what has the focus. */
  async focused(): Promise<string | null> {
    return this.page.evaluate(() => {
      const { activeElement } = document;
      return activeElement && (activeElement.getAttribute('aria-label') ?? activeElement.textContent);
    });
  }

  /** By how many px the page is wider than the screen, with all that is in it. */
  async overflow(): Promise<number> {
    return this.page.evaluate(() => {
      const all = [...document.querySelectorAll('.page, .page *:not(.visually-hidden)')];
      const beyond = all.map(each => each.getBoundingClientRect().right - innerWidth);
      // Text that does not fit makes what is around it scroll.
      const boxes = all.filter(each => getComputedStyle(each).overflowX !== 'visible');
      return Math.max(0, ...beyond.map(Math.ceil), ...boxes.map(each => each.scrollWidth - each.clientWidth));
    });
  }

  /** What can be pressed, and is too small for a finger. */
  async smallTargets(): Promise<string[]> {
    return this.page.locator('button:visible, textarea:visible').evaluateAll(all =>
      all
        .filter(each => {
          const { width, height } = each.getBoundingClientRect();
          return width < 44 || height < 44;
        })
        .map(each => each.outerHTML),
    );
  }

  /** The texts of all messages on the screen, own ones marked. */
  async messages(): Promise<string[]> {
    return this.page
      .locator('.log li:is(.me, .partner) .text')
      .evaluateAll(all => all.map(each => (each.closest('.me') ? `me: ${each.textContent}` : `${each.textContent}`)));
  }

  /** Looks at the page with axe in both colour schemes, and leaves a screenshot of each. @returns what axe finds wrong */
  async look(name: string): Promise<string[]> {
    const found: string[] = [];
    const schemes = ['light', 'dark'] as const;
    // First both, as axe takes its time, and what is shown may not last.
    for (const colorScheme of schemes) {
      await this.page.emulateMedia({ colorScheme });
      const path = join(screenshotFolder, `${name}-${colorScheme}.png`);
      await this.page.screenshot({ path, animations: 'disabled' });
    }
    for (const colorScheme of schemes) {
      await this.page.emulateMedia({ colorScheme });
      found.push(...(await this.#axe()).map(each => `${colorScheme}: ${each}`));
    }
    return found;
  }

  async #axe(): Promise<string[]> {
    if (!(await this.page.evaluate(() => 'axe' in window))) await this.page.evaluate(axe.source);
    return this.page.evaluate(async () => {
      // A colour on its way to another one is not yet what it will be.
      const transitions = document.getAnimations().filter(each => each instanceof CSSTransition);
      await Promise.allSettled(transitions.map(({ finished }) => finished));
      const { axe } = window as unknown as { axe: typeof import('axe-core') };
      const { violations } = await axe.run(document, { resultTypes: ['violations'] });
      return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
    });
  }

  async leave(): Promise<void> {
    await this.context.close();
  }
}

function watch(page: Page, problems: string[]): void {
  page.on('pageerror', error => problems.push(String(error)));
  page.on('console', message => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    if (!networkTrouble.test(message.text())) problems.push(message.text());
  });
}
