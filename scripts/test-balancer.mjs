// npm run test:balancer [-- arguments of jest]: installs and builds what is missing, then tries deploy/haproxy.cfg in a real HAProxy.
import { findProgram } from './find-program.mjs';
import { prepare } from './prepare.mjs';

await prepare();
process.env.HAPROXY_PATH = findProgram({
  name: 'HAProxy',
  variable: 'HAPROXY_PATH',
  paths: ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/opt/homebrew/bin/haproxy'],
  packages: ['haproxy'],
  example: '/path/to/haproxy npm run test:balancer',
});
const { run } = await import('jest');
await run(['--config', 'jest.balancer.config.mjs', ...process.argv.slice(2)]);
