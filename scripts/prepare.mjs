import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const oldestNode = [20, 19];
const stamp = 'node_modules/.passerby-installed';
const unfinished = 'unfinished';

/**
 * Makes the project ready to run, from its root folder: the packages that the lock file names, and the compiled code.
 * Quick when nothing has changed. Ends the process, with a sentence, when that cannot be done.
 */
export async function prepare() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
    fail(`Passerby needs Node.js ${oldestNode.join('.')} or later. This is ${process.versions.node}.`);
  }
  process.chdir(fileURLToPath(new URL('..', import.meta.url)));
  await install();
  await build();
}

async function install() {
  const wanted = createHash('sha256')
    .update(readFileSync('package-lock.json'))
    .update(`${process.platform} ${process.arch}`)
    .digest('hex');
  const found = existsSync(stamp) ? readFileSync(stamp, 'utf8') : undefined;
  if (found === wanted) return;
  console.log('Installing packages (this can take a minute, once) …');
  // What an interrupted installation left cannot be trusted.
  if (found === unfinished) rmSync('node_modules', { recursive: true, force: true });
  mkdirSync('node_modules', { recursive: true });
  writeFileSync(stamp, unfinished);
  // npm tells where it is when it runs us. NODE_ENV=production must not leave out what the build needs. The lock file is
  // followed but not written. `npm ci` would refuse it wherever the registry has not every platform's packages.
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  const done = await run([...npm, 'install', '--no-save', '--include=dev', '--include=optional', '--loglevel=error']);
  if (!done) fail('The packages could not be installed. The reason is above.');
  writeFileSync(stamp, wanted);
}

async function build() {
  const startedAt = Date.now();
  const say = () => process.stdout.write(`\rBuilding … ${Math.round((Date.now() - startedAt) / 1000)} s`);
  const timer = process.stdout.isTTY ? setInterval(say, 1000) : undefined;
  process.stdout.write(process.stdout.isTTY ? 'Building …' : 'Building …\n');
  const built = await run(
    [process.execPath, 'node_modules/turbo/bin/turbo', 'run', 'build', '--output-logs=errors-only'],
    {
      quiet: true,
      env: { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' },
    },
  );
  clearInterval(timer);
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  if (!built) fail('The build failed. The reason is above.');
}

/**
 * Runs a command in a process group of its own, so that a signal to us ends it whole. A quiet one shows what it writes
 * only when it fails. Answers whether it succeeded.
 */
function run([command, ...args], { quiet = false, env = {} } = {}) {
  return new Promise(resolve => {
    const output = quiet ? 'pipe' : 'inherit';
    const child = spawn(command, args, {
      stdio: ['ignore', output, output],
      detached: true,
      env: { ...process.env, ...env },
    });
    const written = [];
    child.stdout?.on('data', data => written.push(data));
    child.stderr?.on('data', data => written.push(data));
    const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 };
    let stoppedBy;
    const stop = signal => {
      stoppedBy = signal;
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It has just ended.
      }
    };
    for (const signal of Object.keys(signals)) process.on(signal, stop);
    const end = success => {
      if (stoppedBy) process.exit(128 + signals[stoppedBy]);
      for (const signal of Object.keys(signals)) process.off(signal, stop);
      if (!success) process.stderr.write(`\n${Buffer.concat(written)}\n`);
      resolve(success);
    };
    child.once('error', error => {
      written.push(Buffer.from(`${command} could not be run: ${error.message}`));
      end(false);
    });
    child.once('close', code => end(code === 0));
  });
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}
