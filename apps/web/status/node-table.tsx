import { useState } from 'preact/hooks';
import { type NodeState, stateOf } from './findings.ts';
import { bytes, count, time } from './format.ts';
import type { LostReport, NodeReport } from './report.ts';

type Row = NodeReport | LostReport;

const stateTexts: Record<NodeState, string> = {
  ok: 'ok',
  busy: 'busy',
  draining: 'stopping',
  silent: 'silent',
  quiet: 'unknown',
  lapsed: 'lapsed',
  lost: 'lost',
};
const stateOrder: NodeState[] = ['lapsed', 'lost', 'silent', 'busy', 'draining', 'quiet', 'ok'];

interface Column {
  title: string;
  /** Does without on a phone. */
  wide?: true;
  text: (node: Row, at: number) => string;
  /** Numbers are sorted from the greatest; texts from A. */
  sortBy: (node: Row) => number | string;
}

const usersOf = ({ last }: Row) => {
  const { idle = 0, waiting = 0, paired = 0 } = last?.status.users ?? {};
  return idle + waiting + paired;
};
const figure = (of: (status: NonNullable<Row['last']>['status']) => number, show: (value: number) => string) => ({
  text: ({ last }: Row) => (last ? show(of(last.status)) : '–'),
  sortBy: ({ last }: Row) => (last ? of(last.status) : -1),
});

const columns: Column[] = [
  { title: 'Node', text: ({ nodeId }) => nodeId, sortBy: ({ nodeId }) => nodeId },
  {
    title: 'State',
    text: node => {
      const state = stateOf(node);
      const isAway = state === 'silent' || state === 'lost';
      return stateTexts[state] + (isAway ? `, ${time(node.last?.ageMs ?? 0)}` : '');
    },
    sortBy: node => -stateOrder.indexOf(stateOf(node)),
  },
  { title: 'Users', text: node => (node.last ? count(usersOf(node)) : '–'), sortBy: usersOf },
  { title: 'In chat', wide: true, ...figure(({ users }) => users.paired, count) },
  { title: 'Waiting', wide: true, ...figure(({ users }) => users.waiting, count) },
  { title: 'Loop late', ...figure(({ eventLoopDelayMs }) => eventLoopDelayMs, time) },
  { title: 'Memory', ...figure(({ rssBytes }) => rssBytes, bytes) },
  {
    title: 'Age',
    wide: true,
    text: ({ last }, at) => (last ? time(Math.max(0, at - last.ageMs - last.status.startedAt)) : '–'),
    sortBy: ({ last }) => -(last?.status.startedAt ?? 0),
  },
  {
    title: 'Version',
    wide: true,
    text: ({ last }) => last?.status.version ?? '–',
    sortBy: ({ last }) => last?.status.version ?? '',
  },
];

/** The nodes, those that need a look first, or sorted by any column. What a lost node said last is told of it. */
export function NodeTable({ nodes, at, answeredBy }: { nodes: Row[]; at: number; answeredBy: string }) {
  const [sortedBy, setSortedBy] = useState('State');
  const column = columns.find(({ title }) => title === sortedBy);
  const sorted = [...nodes].sort(
    (a, b) => compare(column?.sortBy(a) ?? '', column?.sortBy(b) ?? '') || compare(a.nodeId, b.nodeId),
  );
  return (
    <table class="nodes">
      <thead>
        <tr>
          {columns.map(({ title, wide }) => (
            <th
              key={title}
              class={wide && 'wide'}
              scope="col"
              aria-sort={
                title !== sortedBy ? 'none' : title === 'Node' || title === 'Version' ? 'ascending' : 'descending'
              }
            >
              <button type="button" onClick={() => setSortedBy(title)}>
                {title}
              </button>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {sorted.map(node => (
          <tr key={node.nodeId} class={stateOf(node)}>
            {columns.map((each, i) => {
              const text = each.text(node, at);
              if (i === 0) {
                return (
                  <th key={each.title} scope="row">
                    {text}
                    {node.nodeId === answeredBy && <span class="hint"> answers</span>}
                  </th>
                );
              }
              return (
                <td key={each.title} class={each.wide && 'wide'}>
                  {each.title === 'State' ? <span class="state">{text}</span> : text}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return b - a;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}
