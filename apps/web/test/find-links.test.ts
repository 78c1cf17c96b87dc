import { findLinks } from '../src/find-links.ts';

const links = (text: string) => findLinks(text).flatMap(({ link }) => link ?? []);

describe('links in a text', () => {
  it('are found with what is around them, and nothing is lost', () => {
    const text = 'See https://example.org/a?b=c#d, or (http://example.com/x_(y)). Bye';
    expect(findLinks(text)).toEqual([
      { text: 'See ' },
      { text: 'https://example.org/a?b=c#d', link: 'https://example.org/a?b=c#d' },
      { text: ', or (' },
      { text: 'http://example.com/x_(y', link: 'http://example.com/x_(y' },
      { text: ')). Bye' },
    ]);
  });

  it('say where they really lead', () => {
    expect(links('https://paypal.com@example.org/')).toEqual(['https://paypal.com@example.org/']);
    expect(links('https://еxample.org/')).toEqual(['https://xn--xample-2of.org/']);
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'www.example.org',
    'ftp://example.org',
    'xhttps://',
    'https://',
    'a.b',
  ])('are not %s', text => {
    expect(findLinks(text)).toEqual([{ text }]);
  });

  it('takes no long time to find', () => {
    expect(links(`${'https://'.repeat(60)}`).length).toBeLessThanOrEqual(1);
    expect(findLinks('').length).toBe(0);
  });
});
