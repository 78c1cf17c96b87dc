import { Overload } from '../src/overload.ts';

const fine = { delayMs: 1, memory: 0.3, collections: 0 };
const late = { delayMs: 50, memory: 0.3, collections: 0 };
const full = { delayMs: 1, memory: 0.95, collections: 1 };

let now: number;
let overload: Overload;
let putOff: string[];
let shed: number[];

beforeEach(() => {
  now = 0;
  putOff = [];
  shed = [];
  overload = new Overload({ putOff: what => putOff.push(what), shed: share => shed.push(share) }, () => now);
});

/** Lets time pass, with connections that come all the time. @returns how many of them were taken */
function pass(ms: number, load: typeof fine, connections = 10): number {
  let taken = 0;
  for (const until = now + ms; now < until; now += 20) {
    for (let n = 0; n < connections; n++) taken += overload.ask('connection') === 0 ? 1 : 0;
    overload.look(load);
  }
  return taken;
}

it('takes everybody while the node can', () => {
  expect(pass(1000, fine)).toBe(500);
  expect(overload.overloaded).toBe(false);
});

it('puts connections off while the node is behind, and takes them again when it is not', () => {
  pass(1000, late);
  expect(pass(1000, late)).toBeLessThan(30);
  expect(putOff).toContain('connection');
  now += 2000;
  overload.look(fine);
  expect(pass(1000, fine)).toBe(500);
});

it('says that it is overloaded after a while, and no more after a while', () => {
  pass(500, late);
  expect(overload.overloaded).toBe(false);
  pass(2000, late);
  expect(overload.overloaded).toBe(true);
  for (const after of [1000, 1000]) {
    now += after;
    overload.look(fine);
    expect(overload.overloaded).toBe(true);
  }
  now += 1100;
  overload.look(fine);
  expect(overload.overloaded).toBe(false);
});

it('says so when connections are closed unread, or the event loop is very late', () => {
  for (const burden of [() => overload.dropped(), () => overload.look({ ...late, delayMs: 300 })]) {
    for (const until = now + 1200; now < until; now += 100) burden();
    expect(overload.overloaded).toBe(true);
    now += 3100;
    expect(overload.overloaded).toBe(false);
  }
});

it('says nothing of what is rare', () => {
  for (let times = 0; times < 20; times++) {
    overload.dropped();
    now += 1100;
    expect(overload.overloaded).toBe(false);
  }
});

it('takes no connection while memory is nearly full, and ends some once for each collection', () => {
  overload.look(full);
  overload.look(full);
  expect(shed).toEqual([0.95]);
  const waits = Array.from({ length: 50 }, () => overload.ask('return'));
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(2500);
  expect(new Set(waits).size).toBeGreaterThan(1);
  overload.look({ ...full, collections: 2 });
  expect(shed).toEqual([0.95, 0.95]);
  overload.look({ ...full, memory: 0.5, collections: 3 });
  expect(overload.ask('connection')).toBe(0);
});

it('gives those who are in a chat their turn before all who came earlier and are not', async () => {
  const order: string[] = [];
  const wait = (what: 'join' | 'return' | 'search' | 'skip') => overload.turn(what).then(() => void order.push(what));
  const all = Array.from({ length: 40 }, () => [wait('join'), wait('search')]).flat();
  all.push(wait('return'), wait('skip'));
  await Promise.all(all);
  expect(order.slice(0, 3)).toEqual(['skip', 'return', 'join']);
  expect(order).toHaveLength(82);
});

it('lets searches wait for their turn, and puts them off when others have waited for too long', async () => {
  const waiting = (['search', 'join', 'skip'] as const).map(what => overload.turn(what));
  const since = performance.now();
  // The turn of nobody comes meanwhile.
  while (performance.now() - since < 2050);
  await expect(overload.turn('search')).rejects.toMatchObject({
    code: 'BUSY',
    retryAfterMs: expect.any(Number),
  });
  await expect(overload.turn('skip')).rejects.toMatchObject({ code: 'BUSY' });
  expect(putOff).toEqual(['search', 'skip']);
  await Promise.all(waiting);
  await overload.turn('search');
});
