// Runs on the thread of Node's module hooks: see break-loader.ts.
import type { LoadHook } from 'node:module';
import { mutate } from './mutate.ts';
import type { Mutation } from './mutations.ts';

let mutation: Mutation | undefined;

export function initialize(data: Mutation): void {
  mutation = data;
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (!mutation || !url.endsWith(mutation.file)) return loaded;
  return { ...loaded, source: mutate(String(loaded.source), mutation) };
};
