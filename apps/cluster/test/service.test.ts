import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { ServerProcess } from '../src/server-process.ts';
import { Service } from '../src/service.ts';
import { temporaryDir } from './temporary-dir.ts';

const services: Service[] = [];

interface Harness {
  service: Service;
  /** The processes, in the order of their start. */
  processes: ServerProcess[];
  /** Emits `said` with each sentence. */
  said: EventEmitter;
}

async function harness({
  script = 'exec sleep 60',
  isReady,
}: {
  script?: string;
  isReady?: () => Promise<boolean>;
} = {}) {
  const dir = await temporaryDir();
  const said = new EventEmitter();
  const processes: ServerProcess[] = [];
  const service = new Service({
    name: 'Sleeper',
    url: 'test:',
    launch: async started => {
      const process_ = new ServerProcess({
        name: 'Sleeper',
        command: 'sh',
        args: ['-c', script],
        env: process.env,
        logFile: join(dir, 'log'),
        stopSignal: 'SIGTERM',
        stopTimeoutMs: 5_000,
      });
      processes.push(process_);
      started(process_);
      await process_.untilReady(async () => script.includes('sleep'), 5_000);
    },
    ...(isReady && { isReady }),
    onEvent: sentence => said.emit('said', sentence),
  });
  services.push(service);
  return { service, processes, said } satisfies Harness;
}

describe('Service', () => {
  afterEach(async () => {
    for (const service of services.splice(0)) await service.stop();
  });

  it('starts its program again when that ends, and says so', async () => {
    const { service, processes, said } = await harness();
    await service.start();
    expect(service.ready).toBe(true);
    const ended = once(said, 'said');
    processes[0]?.kill();
    await expect(ended).resolves.toEqual(['Sleeper ended by SIGKILL. It is started again in 1 s.']);
    expect(service.ready).toBe(false);
    await expect(once(said, 'said')).resolves.toEqual(['Sleeper runs again.']);
    expect(service.ready).toBe(true);
    expect(processes).toHaveLength(2);
    expect(service.pid).toBe(processes[1]?.pid);
  });

  it('does not start it again once it is stopped, not even while it waits to', async () => {
    const { service, processes, said } = await harness();
    await service.start();
    const ended = once(said, 'said');
    processes[0]?.kill();
    await ended;
    await service.stop();
    expect(processes).toHaveLength(1);
    expect(service.ready).toBe(false);
  });

  it('rejects when the first start fails, and lets it be', async () => {
    const { service, processes } = await harness({ script: 'exit 1' });
    await expect(service.start()).rejects.toThrow('Sleeper ended with code 1 instead of starting');
    await service.stop();
    expect(processes).toHaveLength(1);
  });

  it('can be stopped while it starts', async () => {
    const { service, processes } = await harness();
    const start = service.start();
    await service.stop();
    await start.catch(() => {});
    await processes[0]?.ended;
    expect(service.ready).toBe(false);
  });

  it('is ready only while the program says so', async () => {
    let answer = false;
    const asked = new EventEmitter();
    const { service } = await harness({
      isReady: async () => {
        asked.emit('asked');
        return answer;
      },
    });
    await service.start();
    for (const expected of [false, true]) {
      answer = expected;
      await once(asked, 'asked');
      await once(asked, 'asked');
      expect(service.ready).toBe(expected);
    }
  });
});
