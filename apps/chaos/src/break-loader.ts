// Given to Node with --import, and the name of a mutation as its query: makes that mutation in what this process loads.
// The harness loads it in the same way before it loads the client library.
import fs from 'node:fs';
import { register, syncBuiltinESMExports } from 'node:module';
import { mutate, mutationNamed } from './mutate.ts';

const mutation = mutationNamed(new URL(import.meta.url).search.slice(1));

if (mutation.file.endsWith('.lua')) {
  const read = fs.readFileSync;
  const reading = (...args: Parameters<typeof fs.readFileSync>) => {
    const content = read(...args);
    const isIt = args[0] instanceof URL && args[0].pathname.endsWith(mutation.file);
    return isIt ? mutate(String(content), mutation) : content;
  };
  fs.readFileSync = reading as typeof fs.readFileSync;
  syncBuiltinESMExports();
} else {
  register('./break-hooks.js', { parentURL: import.meta.url, data: mutation });
}
