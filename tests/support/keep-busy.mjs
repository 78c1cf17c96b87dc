// For `node --import`: after SIGUSR2, and until the next one, each turn of the event loop takes 40 ms of CPU time more.
const ms = 40;
let isBusy = false;

function work() {
  const before = process.cpuUsage();
  for (let used = 0; used < ms * 1000; ) {
    const { user, system } = process.cpuUsage(before);
    used = user + system;
  }
  if (isBusy) setImmediate(work);
}

process.on('SIGUSR2', () => {
  isBusy = !isBusy;
  if (isBusy) setImmediate(work);
});
