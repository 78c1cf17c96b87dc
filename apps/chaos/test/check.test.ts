import { WrittenHistory } from './write-history.ts';

const history = () => new WrittenHistory().come('ann', 'bob', 'eve');

/** Ann and Bob have been in session s, and Ann has ended it. */
const chat = () => history().pair('s', 2, 'ann', 'bob').part('s', 20, 'ann', 'bob');

describe('the checker', () => {
  it('finds nothing wrong in a good history', () => {
    const good = chat()
      .send('ann', 's', 1, 3)
      .show('bob', 'ann', 's', 1, 3)
      .send('bob', 's', 1, 4)
      .show('ann', 'bob', 's', 1, 4);
    expect(good.phase('closing', 60).verdict().violations).toEqual([]);
  });

  describe('sessions', () => {
    it('come one at a time', () => {
      const twice = chat().pair('t', 5, 'bob', 'eve').part('t', 9, 'eve', 'bob');
      expect(twice.found()).toContain('double session');
      expect(twice.verdict().violations[0]?.users).toEqual(['bob']);
    });

    it('come one at a time in the record, too', () => {
      const rows = chat().row({ id: 't', userA: 'id-bob', userB: 'id-zoe', startedAt: 5000, endedAt: 9000 });
      rows.row({ id: 's', userA: 'id-ann', userB: 'id-bob', startedAt: 2000, endedAt: 20_000 });
      expect(rows.found()).toEqual(['double session']);
      rows.row({ id: 's', userA: 'id-ann', userB: 'id-bob', startedAt: 2000, endedAt: 20_000, endReason: 'lost' });
      expect(rows.found().toSorted()).toEqual(['double session', 'record']);
      rows.fault({ at: 4000, healedAt: 5000, redis: true, losesData: true });
      expect(rows.found()).toEqual([]);
      expect([...rows.verdict().excused.values()]).toContain(1);
    });

    it('are matched once', () => {
      const again = history().pair('s', 2, 'ann', 'bob').pair('s', 3, 'ann', 'bob').part('s', 5, 'ann', 'bob');
      expect(again.found()).toEqual(['double session', 'double session']);
    });

    it('have two users', () => {
      expect(chat().add({ kind: 'matched', at: 3000, user: 'eve', session: 's' }).found()).toContain('double session');
    });

    it('are known to both', () => {
      const row = { id: 's', userA: 'id-ann', userB: 'id-bob', startedAt: 2000 };
      const half = history().ask({ user: 'ann', op: 'search', seconds: 1.5, reply: { state: 'waiting' } });
      half.add({ kind: 'matched', at: 2000, user: 'ann', session: 's' }).row(row).phase('closing', 60);
      expect(half.found()).toEqual(['one side']);
      const gone = half.add({ kind: 'gone', at: 3000, user: 'bob', how: 'lost' });
      expect(gone.found()).toEqual(['not told']);
      expect(gone.over('s', 9, 'ann').found()).toEqual([]);
      expect([...gone.verdict().excused.values()]).toEqual([1]);
    });

    const ghost = (matchedAt: number) =>
      history()
        .ask({ user: 'bob', op: 'search', seconds: 2, reply: { state: 'waiting' } })
        .add({ kind: 'gone', at: 3000, user: 'bob', how: 'left' })
        .ask({ user: 'ann', op: 'search', seconds: matchedAt, reply: { state: 'paired', sessionId: 's' } })
        .add({ kind: 'matched', at: matchedAt * 1000, user: 'ann', session: 's' })
        .row({ id: 's', userA: 'id-bob', userB: 'id-ann', startedAt: matchedAt * 1000 })
        .phase('closing', 60);

    it('do not begin with somebody who is long gone', () => {
      const told = (matchedAt: number) => ghost(matchedAt).over('s', matchedAt + 1, 'ann');
      expect(told(10).found()).toEqual([]);
      expect([...told(10).verdict().excused.values()]).toEqual([1]);
      expect(told(12).found()).toEqual(['nobody there']);
      expect(
        told(12)
          .fault({ at: 2500, healedAt: 5000, cuts: ['node-2#1'] })
          .found(),
      ).toEqual([]);
      expect(
        told(12)
          .fault({ at: 2500, healedAt: 5000, cuts: ['node-1#1'] })
          .found(),
      ).toEqual(['nobody there']);
    });

    it('with somebody who is gone are over for the other one, too', () => {
      expect(ghost(10).found()).toEqual(['not told']);
      expect(ghost(10).over('s', 19, 'ann').found()).toEqual(['not told']);
    });

    it('whose partner searched on has one side, too', () => {
      const row = { id: 's', userA: 'id-ann', userB: 'id-bob', startedAt: 2000 };
      const half = history()
        .ask({ user: 'bob', op: 'search', seconds: 1.4, reply: { state: 'waiting' } })
        .ask({ user: 'ann', op: 'search', seconds: 1.5, reply: { state: 'waiting' } })
        .add({ kind: 'matched', at: 2000, user: 'ann', session: 's' })
        .row(row)
        .ask({ user: 'bob', op: 'search', seconds: 3, reply: { state: 'waiting' } });
      expect(half.phase('closing', 60).found()).toEqual(['one side']);
    });

    it('may begin and end while the node of one side is cut off, which is counted', () => {
      const row = { id: 's', userA: 'id-ann', userB: 'id-bob', startedAt: 2000 };
      const missed = (endedAt: number) =>
        history()
          .ask({ user: 'ann', op: 'search', seconds: 1.5, reply: { state: 'waiting' } })
          .add({ kind: 'matched', at: 2000, user: 'ann', session: 's' })
          .ask({ user: 'ann', op: 'end', seconds: endedAt, session: 's', reply: { state: 'idle' } })
          .row(row)
          .fault({ at: 1500, healedAt: 9000, cuts: ['node-2#1'] })
          .phase('closing', 60)
          .verdict();
      expect(missed(9).violations).toEqual([]);
      expect([...missed(9).excused.values()]).toEqual([1]);
      expect(missed(15).violations.map(({ check }) => check)).toEqual(['one side']);
    });

    it('may be lost with the data of Redis, which is counted', () => {
      const lost = history()
        .ask({ user: 'ann', op: 'search', seconds: 1.5, reply: { state: 'waiting' } })
        .add({ kind: 'matched', at: 2000, user: 'ann', session: 's' })
        .row({ id: 's', userA: 'id-ann', userB: 'id-bob', startedAt: 2000 })
        .fault({ at: 2100, healedAt: 3000, redis: true, losesData: true })
        .phase('closing', 60)
        .verdict();
      expect(lost.violations).toEqual([]);
      expect([...lost.excused.keys()].join()).toContain('Redis lost its data in that moment');
    });

    it('may follow one another while several skips are open, or are given up', () => {
      const skips = history().pair('r', 2, 'ann', 'bob').part('r', 2.5, 'bob', 'ann');
      skips.ask({ user: 'ann', op: 'search', seconds: 2.6, reply: { state: 'waiting' } });
      const skip = { user: 'ann', op: 'skip' as const, session: 'r' };
      skips.ask({ ...skip, seconds: 3, endedAt: 3100, reply: { state: 'paired', sessionId: 's' } });
      skips.ask({ ...skip, seconds: 3.01, endedAt: 4500, outcome: 'failed', code: 'UNAVAILABLE' });
      skips.ask({ user: 'bob', op: 'search', seconds: 2.7, reply: { state: 'waiting' } });
      skips.ask({ user: 'eve', op: 'search', seconds: 2.7, reply: { state: 'waiting' } });
      for (const user of ['ann', 'bob']) skips.add({ kind: 'matched', at: 3090, user, session: 's' });
      skips.over('s', 5, 'bob');
      for (const user of ['ann', 'eve']) skips.add({ kind: 'matched', at: 5000, user, session: 't' });
      skips.row({ id: 's', userA: 'id-ann', userB: 'id-bob', startedAt: 3090 });
      skips.row({ id: 't', userA: 'id-ann', userB: 'id-eve', startedAt: 5000 });
      expect(skips.part('t', 9, 'ann', 'eve').found()).toEqual([]);
    });

    it('end before the next one, also when a second search was under way', () => {
      const twice = history().pair('r', 2, 'ann', 'bob').part('r', 2.5, 'bob', 'ann');
      const reply = { state: 'paired', sessionId: 't' };
      twice.ask({ user: 'ann', op: 'search', seconds: 3, endedAt: 5000, reply });
      twice
        .pair('s', 3.1, 'ann', 'bob')
        .ask({ user: 'bob', op: 'end', seconds: 4, session: 's', reply: { state: 'idle' } });
      twice.ask({ user: 'eve', op: 'search', seconds: 4.5, reply: { state: 'waiting' } });
      for (const user of ['ann', 'eve']) twice.add({ kind: 'matched', at: 5000, user, session: 't' });
      twice.row({ id: 't', userA: 'id-ann', userB: 'id-eve', startedAt: 5000 });
      expect(twice.part('t', 9, 'ann', 'eve').found()).toEqual(['double session']);
    });

    it('may come of a search of the page before', () => {
      const reloaded = chat().ask({ user: 'ann', op: 'search', seconds: 30, endedAt: 30_100, outcome: 'unknown' });
      reloaded.over('s', 30.2, 'ann').ask({ user: 'eve', op: 'search', seconds: 30.1, reply: { state: 'waiting' } });
      const stopped = (seconds: number) =>
        reloaded.ask({ user: 'ann', op: 'end', seconds, session: 's', reply: { state: 'idle' } });
      for (const user of ['ann', 'eve']) reloaded.add({ kind: 'matched', at: 31_000, user, session: 't' });
      reloaded.row({ id: 't', userA: 'id-eve', userB: 'id-ann', startedAt: 31_000 }).phase('closing', 31.5);
      expect(reloaded.found()).toEqual([]);
      expect(stopped(30.5).found()).toEqual(['uninvited']);
    });

    it('come to nobody who looks for none', () => {
      const idle = chat().ask({ user: 'eve', op: 'search', seconds: 24, reply: { state: 'waiting' } });
      for (const user of ['ann', 'eve']) idle.add({ kind: 'matched', at: 25_000, user, session: 't' });
      idle.row({ id: 't', userA: 'id-eve', userB: 'id-ann', startedAt: 25_000 }).phase('closing', 26);
      expect(idle.found()).toEqual(['uninvited']);
    });
  });

  describe('whoever stays', () => {
    const left = () => history().pair('s', 2, 'ann', 'bob').add({ kind: 'gone', at: 10_000, user: 'ann', how: 'lost' });

    it('is told', () => {
      expect(left().phase('closing', 60).found()).toEqual(['not told']);
      expect(left().over('s', 19, 'bob').found()).toEqual(['not told']);
      const inTime = left().over('s', 17, 'bob').verdict();
      expect(inTime.violations).toEqual([]);
      expect(inTime.toldDelays).toEqual([{ at: 10_000, ms: 7000 }]);
    });

    it('is told, too, after an own skip that was refused', () => {
      const refused = (outcome: 'failed' | 'unknown', endedAt: number) =>
        left()
          .ask({ user: 'bob', op: 'skip', seconds: 5, endedAt, session: 's', outcome, code: 'UNAVAILABLE' })
          .phase('closing', 60);
      expect(refused('failed', 6000).found()).toEqual(['not told']);
      expect(refused('failed', 16_000).over('s', 18.9, 'bob').found()).toEqual([]);
      expect(refused('failed', 16_000).over('s', 19.1, 'bob').found()).toEqual(['not told']);
    });

    it('may be told later while another fault lasts, which is counted', () => {
      const late = left().over('s', 25, 'bob').fault({ at: 5000, healedAt: 20_000, redis: true }).verdict();
      expect(late.violations).toEqual([]);
      expect([...late.excused.values()]).toEqual([1]);
      expect(left().over('s', 29, 'bob').fault({ at: 5000, healedAt: 20_000, redis: true }).found()).toEqual([
        'not told',
      ]);
    });

    it('may be told a lease later after Redis lost its data, which is counted', () => {
      const wiped = (seconds: number) =>
        left().over('s', seconds, 'bob').fault({ at: 6000, healedAt: 7000, redis: true, losesData: true });
      expect(wiped(19.9).found()).toEqual([]);
      expect([...wiped(19.9).verdict().excused.values()]).toEqual([1]);
      expect(wiped(20.1).found()).toEqual(['not told']);
    });

    it('is told of a node that stands still', () => {
      const frozen = history()
        .pair('s', 2, 'ann', 'bob')
        .fault({ at: 10_000, healedAt: 30_000, halts: ['node-1#1'] });
      frozen.add({ kind: 'gone', at: 30_000, user: 'ann', how: 'lost' });
      expect(frozen.over('s', 30, 'bob').found()).toEqual(['not told']);
    });

    it('is told within the bound when a node dies, for however long that is', () => {
      const killed = (seconds: number) =>
        history()
          .pair('s', 2, 'ann', 'bob')
          .fault({ at: 10_000, healedAt: 14_000, name: 'node-kill', halts: ['node-1#1'] })
          .add({ kind: 'gone', at: 10_010, user: 'ann', how: 'lost' })
          .over('s', seconds, 'bob');
      expect(killed(18.1).found()).toEqual(['not told']);
      expect(killed(17).verdict().toldDelays).toEqual([{ at: 10_010, ms: 6990 }]);
    });

    it('may be told later while the node stands still that it has come to meanwhile', () => {
      const killed = (seconds: number, node: string) =>
        history()
          .pair('s', 2, 'ann', 'bob')
          .fault({ at: 10_000, healedAt: 12_000, name: 'node-kill', halts: ['node-1#1'] })
          .fault({ at: 16_000, healedAt: 23_000, halts: [node] })
          .add({ kind: 'gone', at: 10_010, user: 'ann', how: 'lost' })
          .add({ kind: 'down', at: 10_010, user: 'bob' })
          .add({ kind: 'up', at: 10_200, user: 'bob', node: 'node-3#1', state: 'paired' })
          .over('s', seconds, 'bob');
      expect(killed(30.9, 'node-3#1').found()).toEqual([]);
      expect([...killed(30.9, 'node-3#1').verdict().excused.values()]).toEqual([1]);
      expect(killed(31.1, 'node-3#1').found()).toEqual(['not told']);
      expect(killed(18.3, 'node-2#1').found()).toEqual(['not told']);
    });

    it('is told after the grace time of a goodbye that was lost with its node, which is counted', () => {
      const goodbye = (told: number, killed: number) =>
        new WrittenHistory()
          .comeToStay('ann', 'bob')
          .pair('s', 2, 'ann', 'bob')
          .fault({ at: killed, healedAt: killed + 1000, name: 'node-kill', halts: ['node-1#1'] })
          .add({ kind: 'gone', at: 10_000, user: 'ann', how: 'left' })
          .over('s', told, 'bob')
          .phase('closing', 60)
          .verdict();
      expect(goodbye(22, 10_100).violations).toEqual([]);
      expect([...goodbye(22, 10_100).excused.values()]).toEqual([1]);
      expect(goodbye(31.1, 10_100).violations.map(({ check }) => check)).toEqual(['not told']);
      const refused = (seconds: number, killed: number) =>
        new WrittenHistory()
          .comeToStay('ann', 'bob')
          .pair('s', 2, 'ann', 'bob')
          .ask({ user: 'ann', op: 'search', seconds, outcome: 'failed', code: 'UNAVAILABLE' })
          .fault({ at: killed, healedAt: killed + 1000, name: 'node-kill', halts: ['node-1#1'] })
          .add({ kind: 'gone', at: 10_000, user: 'ann', how: 'left' })
          .over('s', 22, 'bob')
          .phase('closing', 60)
          .found();
      expect(refused(8, 15_000)).toEqual([]);
      expect(refused(8, 15_500)).toEqual(['not told']);
      expect(refused(6, 15_000)).toEqual(['not told']);
      expect(goodbye(20.2, 11_100).violations.map(({ check }) => check)).toEqual(['not told']);
    });

    it('is told when the partner was told', () => {
      const half = history().pair('s', 2, 'ann', 'bob').over('s', 10, 'ann').phase('closing', 60);
      expect(half.found()).toEqual(['not told', 'ended for nothing']);
    });
  });

  describe('a question', () => {
    const silent = () =>
      history().ask({ user: 'ann', op: 'search', seconds: 2, endedAt: 12_000, outcome: 'unknown', code: 'TIMEOUT' });

    it('is answered while there is a connection', () => {
      expect(silent().phase('closing', 60).found()).toEqual(['silence']);
    });

    it('may wait in a client that resumes for others that are answered, which is counted', () => {
      const queued = (seconds: number) =>
        new WrittenHistory()
          .comeToStay('ann')
          .ask({
            user: 'ann',
            op: 'search',
            seconds: 2,
            endedAt: seconds * 1000,
            outcome: 'failed',
            code: 'UNAVAILABLE',
          })
          .ask({ user: 'ann', op: 'search', seconds: 2, endedAt: 12_000, outcome: 'unknown', code: 'TIMEOUT' })
          .phase('closing', 60)
          .verdict();
      expect(queued(8).violations).toEqual([]);
      expect([...queued(8).excused.values()]).toEqual([1]);
      expect(queued(6).violations.map(({ check }) => check)).toEqual(['silence']);
    });

    it('is not answered by a node that stands still', () => {
      expect(
        silent()
          .fault({ at: 1000, healedAt: 9000, halts: ['node-1#1'] })
          .found(),
      ).toEqual([]);
      expect(
        silent()
          .fault({ at: 1000, healedAt: 9000, halts: ['node-2#1'] })
          .found(),
      ).toEqual(['silence']);
      expect(silent().fault({ at: 1000, healedAt: 9000, redis: true }).found()).toEqual(['silence']);
    });
  });

  it('wants everybody matched at the end', () => {
    const search = (user: string) => ({ user, op: 'search' as const, seconds: 31, reply: { state: 'waiting' } });
    const last = chat().phase('roll-call', 30).ask(search('ann')).phase('closing', 60);
    expect(last.found()).toEqual([]);
    expect(last.ask(search('bob')).found()).toEqual(['hangs', 'hangs']);
  });

  describe('the record', () => {
    const row = { id: 's', userA: 'id-ann', userB: 'id-bob', startedAt: 2000 };

    it('has each session', () => {
      const missing = chat();
      missing.end.rows = [];
      expect(missing.found()).toEqual(['record']);
    });

    it.each([
      ['is closed', { ...row, endedAt: null }],
      ['ends after its start', { ...row, endedAt: 1000 }],
      ['has the right users', { ...row, userB: 'id-eve' }],
    ])('%s', (_name, wrong) => {
      expect(chat().row(wrong).found()).toEqual(['record']);
    });

    it('may miss what Redis lost, which is counted', () => {
      const lost = chat().row({ ...row, endReason: 'lost' });
      expect(lost.found()).toEqual(['record']);
      lost.fault({ at: 10_000, healedAt: 11_000, losesData: true, redis: true });
      expect(lost.found()).toEqual([]);
      expect([...lost.verdict().excused.values()]).toEqual([1]);
      lost.row({ ...row, endedAt: null });
      expect(lost.found()).toEqual(['record']);
      lost.end.rows = [];
      expect(lost.found()).toEqual([]);
    });
  });

  it('wants Redis empty', () => {
    const left = chat();
    left.end.keys = ['passerby:{lobby}:users: 1 in a hash'];
    left.end.leases = ['n1', 'n0'];
    left.end.leasesLeft = ['n1'];
    expect(left.found()).toEqual(['leftovers', 'leftovers', 'leftovers']);
    left.end.leases = [];
    expect(left.verdict().violations.map(({ text }) => text)).toContain('Node n1 runs without a lease.');
  });

  it('passes on complaints', () => {
    expect(chat().add({ kind: 'complaint', at: 1, text: 'A process ended.' }).found()).toEqual(['complaint']);
  });
});
