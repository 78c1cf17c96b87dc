import { seededRandom } from '../src/random.ts';

describe('seededRandom', () => {
  it('draws the same for the same seed', () => {
    const [one, same, other] = [1, 1, 2].map(seed => {
      const random = seededRandom(seed);
      return [random.next(), random.whole(1, 1000), random.pick(['a', 'b', 'c']), random.shuffled([1, 2, 3, 4, 5])];
    });
    expect(one).toEqual(same);
    expect(one).not.toEqual(other);
  });

  it('draws whole numbers within their limits, all of them', () => {
    const random = seededRandom(3);
    expect(new Set(Array.from({ length: 200 }, () => random.whole(2, 4)))).toEqual(new Set([2, 3, 4]));
  });

  it('shuffles without loss', () => {
    expect(seededRandom(4).shuffled([1, 2, 3, 4]).toSorted()).toEqual([1, 2, 3, 4]);
  });
});
