import { isMet, ratiosOf } from '../../src/bench/row.ts';
import { table } from '../../src/bench/table.ts';

const row = { what: 'relay', unit: 'µs', ours: [20, 30, 90], other: { name: 'bare', values: [10, 20, 30] } };

describe('a row', () => {
  it('takes ratios within each round, and judges their median', () => {
    expect(ratiosOf(row)).toEqual([2, 1.5, 3]);
    expect(isMet(row)).toBeUndefined();
    expect(isMet({ ...row, goal: { of: 'ratio', atMost: 2 } })).toBe(true);
    expect(isMet({ ...row, goal: { of: 'ratio', atMost: 1.99 } })).toBe(false);
    expect(isMet({ ...row, goal: { of: 'ratio', atLeast: 2.01 } })).toBe(false);
    expect(isMet({ ...row, goal: { of: 'ours', atMost: 30 } })).toBe(true);
    expect(isMet({ ...row, goal: { of: 'ours', atLeast: 31 } })).toBe(false);
  });

  it('is not met by what could not be measured', () => {
    expect(isMet({ ...row, ours: [Number.NaN], goal: { of: 'ours', atMost: 30 } })).toBe(false);
  });
});

describe('table', () => {
  it('prints figures with their spread, and whether goals are met', () => {
    const lines = table([
      { ...row, goal: { of: 'ratio', atMost: 1.25 } },
      { what: 'rate', unit: 'messages/s', ours: [12_345.6], goal: { of: 'ours', atLeast: 100 } },
    ]).split('\n');
    const cells = lines.map(line =>
      line
        .split('|')
        .map(cell => cell.trim())
        .slice(1, -1),
    );
    expect(cells[2]).toEqual([
      ...['relay', 'µs', '30.0 (20.0–90.0)', 'bare', '20.0 (10.0–30.0)', '2.00 (1.50–3.00)', 'at most 1.25×', 'NO'],
    ]);
    expect(cells[3]).toEqual(['rate', 'messages/s', '12,346', '', '', '', 'at least 100 messages/s', 'yes']);
    expect(new Set(lines.map(line => line.length)).size).toBe(1);
  });
});
