import { shedUsers } from '../src/shed-users.ts';

type State = 'idle' | 'waiting' | 'paired';

/** @returns of which states users were shed, and how many */
function shed(full: number, states: Partial<Record<State, number>>): Partial<Record<State, number>> {
  const present = Object.entries(states).flatMap(([state, count]) =>
    Array.from({ length: count }, (_, n) => ({ userId: `${state} ${n}`, resumes: false, state: state as State })),
  );
  const closed: Partial<Record<State, number>> = {};
  const close = (userId: string) => {
    const state = userId.split(' ')[0] as State;
    closed[state] = (closed[state] ?? 0) + 1;
  };
  shedUsers({ service: { present }, clients: { close }, full });
  return closed;
}

it('ends a part of the idle ones first', () => {
  expect(shed(0.99, { idle: 1000, waiting: 1000, paired: 1000 })).toEqual({ idle: 100 });
  expect(shed(0.91, { idle: 60, paired: 1000 })).toEqual({ idle: 50 });
});

it('ends those who wait next, and those in a chat last, and only when nearly nothing is left', () => {
  expect(shed(0.91, { waiting: 100, paired: 100 })).toEqual({});
  expect(shed(0.94, { waiting: 100, paired: 100 })).toEqual({ waiting: 50 });
  expect(shed(0.94, { paired: 100 })).toEqual({});
  expect(shed(0.97, { paired: 100 })).toEqual({ paired: 50 });
});
