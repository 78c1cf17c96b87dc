import { Cluster } from './cluster.ts';
import { type Config, readConfig } from './config.ts';
import { lockFolder } from './folder-lock.ts';
import { onStopSignal } from './on-stop-signal.ts';
import { Progress } from './progress.ts';
import { summary } from './summary.ts';

const progress = new Progress();
let config: Config;
try {
  config = readConfig();
  if (!(await lockFolder(config.dataDir))) {
    throw new Error(`Passerby runs already with the data in ${config.dataDir}. Stop that one first, with Ctrl-C.`);
  }
} catch (error) {
  progress.fail((error as Error).message);
  process.exit(1);
}

let step = '';
const cluster = new Cluster({
  config,
  onStep: text => {
    step = text;
    progress.step(text);
  },
  onEvent: sentence => progress.say(sentence),
});

const stopping = onStopSignal({
  first: async () => {
    progress.say('\nStopping …');
    await cluster.stop();
    progress.say('Stopped.');
    process.exit(0);
  },
  second: () => cluster.hurry(),
});

try {
  progress.say(summary(await cluster.start(), config));
} catch (error) {
  if (!stopping()) {
    progress.fail(`\n${step} failed.\n${(error as Error).message}\n`);
    await cluster.stop();
    process.exit(1);
  }
}
