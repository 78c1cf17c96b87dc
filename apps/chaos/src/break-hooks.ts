// Runs on the thread of Node's module hooks: see break-loader.ts.
import type { LoadHook } from 'node:module';
import { mutated } from './mutate.ts';
import type { Edit } from './mutations.ts';

let edits: readonly Edit[] = [];

export function initialize(data: readonly Edit[]): void {
  edits = data;
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (!edits.some(({ file }) => url.endsWith(`/${file}`))) return loaded;
  return { ...loaded, source: mutated(String(loaded.source), url, edits) };
};
