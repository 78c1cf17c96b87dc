import { mutate, mutated } from '../src/mutate.ts';

const edit = { file: 'src/a.js', from: 'if (no) return;', to: '' };

describe('mutate', () => {
  it('replaces the text', () => {
    expect(mutate('a(); if (no) return; b();', edit)).toBe('a();  b();');
  });

  it.each(['a(); b();', 'if (no) return; if (no) return;'])('fails when the text is not there once: %s', source => {
    expect(() => mutate(source, edit)).toThrow(/The text that a mutation replaces is in src\/a\.js \d times/);
  });

  it('makes all edits of a file, and no other', () => {
    const edits = [edit, { file: 'src/a.js', from: 'a()', to: 'c()' }, { file: 'src/b.js', from: 'a()', to: 'd()' }];
    expect(mutated('a(); if (no) return; b();', 'file:///project/src/a.js', edits)).toBe('c();  b();');
    expect(mutated('e();', 'file:///project/src/c.js', edits)).toBe('e();');
  });
});
