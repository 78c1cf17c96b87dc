import type { ChatService, NodeOnBoard, NodeStatus, PoolStatus } from '@passerby/core';
import type { Lobby } from '@passerby/protocol';
import { someStatus } from '../../../packages/core/test/status-board-contract.ts';
import { LobbyNews, lobbyOf } from '../src/lobby-news.ts';

function pool(...statuses: Partial<NodeStatus>[]): PoolStatus {
  const nodes = statuses.map((changes, i): NodeOnBoard => {
    return { nodeId: `n${i}`, lapsed: false, last: { status: someStatus(changes), ageMs: 0 } };
  });
  return { nodes, lost: [], recorder: undefined, waiting: 0, oldestWaitMs: 0 };
}

const users = (count: number) => ({ users: { idle: count, waiting: 0, paired: 0 } });

describe('the lobby', () => {
  it.each([
    [0, 1],
    [1, 1],
    [99, 99],
    [100, 100],
    [104, 100],
    [1249, 1200],
    [98_765, 99_000],
    [1_000_000, 1_000_000],
  ])('of %p users has %p', (count, online) => {
    expect(lobbyOf(pool(users(count))).online).toBe(online);
  });

  it('counts all users of all nodes but the lapsed ones, and those that say nothing', () => {
    const status = pool({}, users(10), users(1000));
    for (const node of status.nodes.slice(2)) node.lapsed = true;
    status.nodes.push({ nodeId: 'new', lapsed: false, last: undefined });
    expect(lobbyOf(status).online).toBe(16);
  });

  it.each<[waits: number[][], waitMs: number | null]>([
    [[[], []], null],
    [[[10], []], 1000],
    [
      [
        [1200, 90_000],
        [2500, 100],
      ],
      3000,
    ],
    [[[9100], []], 10_000],
    [[[21_000], []], 25_000],
    [[[61_000], []], 75_000],
  ])('after waits of %j tells %p', (waits, waitMs) => {
    expect(lobbyOf(pool(...waits.map(waitsMs => ({ waitsMs })))).waitMs).toBe(waitMs);
  });
});

describe('the news of the lobby', () => {
  const told: [userId: string, lobby: Lobby][] = [];
  let present: { userId: string; resumes: boolean; state: 'idle' }[];
  let news: LobbyNews;

  beforeEach(() => {
    told.length = 0;
    present = [
      { userId: 'ann', resumes: true, state: 'idle' },
      { userId: 'bob', resumes: false, state: 'idle' },
    ];
    const service = {
      get present() {
        return present;
      },
    } as unknown as ChatService;
    const emit = (userId: string, _event: string, lobby: Lobby) => void told.push([userId, lobby]);
    const ignore = () => undefined;
    const clients = { emit, close: ignore, replace: ignore, closeAll: ignore } as never;
    news = new LobbyNews({ service, clients });
  });

  it('are told to those who can resume, when there are any', async () => {
    await news.update(pool(users(2)));
    await news.update(pool(users(2)));
    await news.update(pool(users(3)));
    expect(told).toEqual([2, 3].map(online => ['ann', { online, waitMs: 1000 }]));
  });

  it('are told to who comes, once there are any', async () => {
    expect(news.greet('cid')).toBe(false);
    await news.update(pool(users(2)));
    told.length = 0;
    expect(news.greet('cid')).toBe(true);
    expect(told).toEqual([['cid', { online: 2, waitMs: 1000 }]]);
  });

  it('reach everybody where there are many', async () => {
    present = Array.from({ length: 1050 }, (_, i) => ({ userId: `u${i}`, resumes: true, state: 'idle' }));
    await news.update(pool(users(2)));
    expect(new Set(told.map(([userId]) => userId)).size).toBe(1050);
  });
});
