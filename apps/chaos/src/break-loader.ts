// Given to Node with --import, and the name of a mutation as its query: makes that mutation in what this process loads.
// The harness loads it in the same way before it loads the client library; the simulation, with `&simulated`, before everything.
import fs from 'node:fs';
import { register, syncBuiltinESMExports } from 'node:module';
import { mutated, mutationNamed } from './mutate.ts';

const [name = '', where] = new URL(import.meta.url).search.slice(1).split('&');
const mutation = mutationNamed(name);
const edits = (where === 'simulated' && mutation.simulated) || mutation.edits;

// Modules are loaded by hooks; Lua scripts are read.
register('./break-hooks.js', { parentURL: import.meta.url, data: edits });
const read = fs.readFileSync;
const reading = (...args: Parameters<typeof fs.readFileSync>) => {
  const content = read(...args);
  const [file] = args;
  return file instanceof URL && file.pathname.endsWith('.lua')
    ? mutated(String(content), file.pathname, edits)
    : content;
};
fs.readFileSync = reading as typeof fs.readFileSync;
syncBuiltinESMExports();
