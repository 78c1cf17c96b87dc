import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readConfig as readChatNode } from '../apps/chat-node/src/config.ts';
import { readConfig as readCluster } from '../apps/cluster/src/config.ts';
import { readConfig as readRecorder } from '../apps/recorder/src/config.ts';

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8');
}

interface Example {
  value: string;
  explanation: string;
}

/** The settings that a part of .env.example lists, by their names. */
function examples(part: string): Map<string, Example> {
  const text = read('.env.example')
    .split(/^# ==== /m)
    .find(each => each.startsWith(`${part} ====`));
  const found = (text ?? '').matchAll(/^(.*)\n# ([A-Z][A-Z_0-9]*)=(.*)$/gm);
  return new Map([...found].map(([, above = '', name = '', value = '']) => [name, { explanation: above, value }]));
}

/** The settings that the code of an app knows, in its order. */
function known(app: string): string[] {
  const schema = read(`${app}/src/config.ts`).split('const settings = z.object({')[1]?.split('\n});')[0] ?? '';
  return [...schema.matchAll(/^ {2}([A-Z][A-Z_0-9]*):/gm)].map(([, name = '']) => name);
}

const parts = ['apps/cluster', 'apps/chat-node', 'apps/recorder', 'docker-compose'];

describe('.env.example', () => {
  it.each<[app: string, readConfig: (environment: Record<string, string>) => object]>([
    ['apps/cluster', readCluster],
    ['apps/chat-node', readChatNode],
    ['apps/recorder', readRecorder],
  ])('lists what %s knows, with its defaults', (app, readConfig) => {
    const listed = examples(app);
    expect([...listed.keys()]).toEqual(known(app));
    expect(listed.size).toBeGreaterThan(5);

    const withValue = [...listed].filter(([, { value }]) => value !== '');
    const all = Object.fromEntries(withValue.map(([name, { value }]) => [name, value]));
    const needed = Object.fromEntries(
      withValue
        .filter(([, { explanation }]) => explanation.startsWith('# Needed.'))
        .map(([name, { value }]) => [name, value]),
    );
    expect(readConfig(all)).toEqual(readConfig(needed));
    for (const name of Object.keys(needed)) {
      const { [name]: _, ...others } = needed;
      expect(() => readConfig(others)).toThrow(name);
    }
    // One that is listed without a value has no default: setting it to something else makes a difference or an error.
    for (const [name, { value }] of listed) {
      if (value === '') expect(outcome(() => readConfig({ ...needed, [name]: '7' }))).not.toEqual(readConfig(needed));
    }
  });

  it('lists what docker-compose.yml and deploy/ipv6.yml take from the environment, with its defaults', () => {
    const files = read('docker-compose.yml') + read('deploy/ipv6.yml');
    const used = [...files.matchAll(/\$\{([A-Z][A-Z_0-9]*)(?::-([^}]*))?/g)];
    const defaults = Object.fromEntries(used.map(([, name = '', value = '']) => [name, value]));
    const listed = [...examples('docker-compose')].map(([name, { value }]) => [name, value]);
    expect(Object.fromEntries(listed)).toEqual(defaults);
  });

  it.each(parts)('says in one plain line what each setting of %s is', part => {
    for (const [name, { explanation }] of examples(part)) {
      expect(`${name}: ${explanation}`).toMatch(/: # [A-Za-z].*\.$/);
    }
  });

  it('has nothing else, and sets nothing by itself', () => {
    const text = read('.env.example');
    const names = [...text.matchAll(/^# ?[A-Z][A-Z_0-9]*=/gm)].length;
    expect(parts.reduce((sum, part) => sum + examples(part).size, 0)).toBe(names);
    expect(text.split('\n').filter(line => line !== '' && !line.startsWith('#'))).toEqual([]);
  });
});

function outcome(read: () => object): unknown {
  try {
    return read();
  } catch (error) {
    return String(error);
  }
}
