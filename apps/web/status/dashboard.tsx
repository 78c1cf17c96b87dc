import { findings, stateOf } from './findings.ts';
import { count, rate, time } from './format.ts';
import { NodeTable } from './node-table.tsx';
import { Plot } from './plot.tsx';
import type { Report, Sample } from './report.ts';

/** The plots reach so far back, in ms: the shortest of these that shows all that is known. */
const spansMs = [2, 5, 10].map(minutes => minutes * 60_000);

export function Dashboard({ report }: { report: Report }) {
  const { nodes, lost = [], samples, at, outbox, recorder, waiting, oldestWaitMs } = report;
  const knownMs = at - (samples[0]?.at ?? at);
  const spanMs = spansMs.find(each => each >= knownMs) ?? Math.max(...spansMs);
  const plot = (title: string, of: (sample: Sample) => number, format: (value: number) => string) => ({
    ...{ title, format, spanMs, until: at, points: samples.map(sample => ({ at: sample.at, value: of(sample) })) },
  });
  const living = nodes.flatMap(node => (node.last && stateOf(node) !== 'lapsed' ? [node.last.status] : []));
  const users = living.reduce((sum, each) => sum + each.users.idle + each.users.waiting + each.users.paired, 0);
  const sessions = living.reduce((sum, each) => sum + each.sessions, 0);
  return (
    <main>
      <Findings report={report} />
      <section aria-labelledby="pool">
        <h2 id="pool">Pool</h2>
        <div class="plots">
          <Plot {...plot('Users', sample => sample.users, count)} now={count(users)} />
          <Plot {...plot('Sessions', sample => sample.sessions, count)} now={count(sessions)} />
          <Plot
            {...plot('Waiting', sample => sample.waiting, count)}
            now={count(waiting)}
            more={waiting > 0 ? `longest wait ${time(oldestWaitMs)}` : 'nobody waits'}
          />
          <Plot {...plot('Messages/s', sample => sample.messagesPerSecond, rate)} />
          <Plot {...plot('Matches/s', sample => sample.matchesPerSecond, rate)} />
          <Plot
            {...plot('Outbox', sample => sample.waitingFacts, count)}
            now={count(outbox.length)}
            more={outbox.length > 0 ? `oldest fact ${time(outbox.oldestAgeMs)}` : 'nothing waits'}
          />
        </div>
      </section>
      <div class="columns">
        <section aria-labelledby="errors">
          <h2 id="errors">Errors in the last {time(spanMs)}</h2>
          <Errors samples={samples} />
        </section>
        <section aria-labelledby="recorder">
          <h2 id="recorder">Recorder</h2>
          <dl>
            <dt>State</dt>
            <dd>{!recorder ? 'not heard of' : recorder.status.recording ? 'recording' : 'cannot record'}</dd>
            <dt>Facts in the outbox</dt>
            <dd>{count(outbox.length)}</dd>
            <dt>Lag</dt>
            <dd>{time(outbox.oldestAgeMs)}</dd>
            <dt>Refused facts</dt>
            <dd>{count(outbox.setAside)}</dd>
            <dt>Version</dt>
            <dd>{recorder?.status.version ?? '–'}</dd>
          </dl>
        </section>
      </div>
      <section aria-labelledby="nodes">
        <h2 id="nodes">
          Nodes <span class="count">{count(nodes.length)}</span>
        </h2>
        <NodeTable nodes={[...nodes, ...lost]} at={at} answeredBy={report.nodeId} />
      </section>
    </main>
  );
}

function Findings({ report }: { report: Report }) {
  const found = findings(report);
  return (
    <div role="status">
      <ul class="findings">
        {found.length === 0 && <li class="good">All is well.</li>}
        {found.map(({ level, text }) => (
          <li key={text} class={level}>
            {text}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Errors({ samples }: { samples: Sample[] }) {
  const byCode = new Map<string, number>();
  for (const { errors } of samples) {
    for (const [code, more] of Object.entries(errors)) byCode.set(code, (byCode.get(code) ?? 0) + more);
  }
  if (byCode.size === 0) return <p class="none">None.</p>;
  const sorted = [...byCode].sort(([, a], [, b]) => b - a);
  const greatest = sorted[0]?.[1] ?? 1;
  return (
    <table class="errors">
      <thead>
        <tr>
          <th scope="col">Code</th>
          <th scope="col">Clients told</th>
        </tr>
      </thead>
      <tbody>
        {sorted.map(([code, told]) => (
          <tr key={code}>
            <th scope="row">{code}</th>
            <td>
              {count(told)}
              <svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
                <rect width={(100 * told) / greatest} height="4" />
              </svg>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
