import { mutate } from '../src/mutate.ts';
import type { Mutation } from '../src/mutations.ts';

const mutation: Mutation = { does: '', file: 'a.js', from: 'if (no) return;', to: '', where: 'nodes', faults: [] };

describe('mutate', () => {
  it('replaces the text', () => {
    expect(mutate('a(); if (no) return; b();', mutation)).toBe('a();  b();');
  });

  it.each(['a(); b();', 'if (no) return; if (no) return;'])('fails when the text is not there once: %s', source => {
    expect(() => mutate(source, mutation)).toThrow(/The text that a mutation replaces is in a\.js \d times/);
  });
});
