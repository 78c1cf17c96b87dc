// Loaded into a node before its own code. So it can be told what is garbage from what has been kept.
process.on('SIGUSR2', () => globalThis.gc?.());
