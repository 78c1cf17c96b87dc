import { type Edit, type Mutation, mutations } from './mutations.ts';

/** @throws Error when there is no such mutation */
export function mutationNamed(name: string): Mutation {
  const mutation = mutations[name];
  if (!mutation) throw new Error(`There is no mutation "${name}".`);
  return mutation;
}

/** @throws Error when the text to replace is not there exactly once: then the mutation must be brought up to date */
export function mutate(source: string, { file, from, to }: Edit): string {
  const parts = source.split(from);
  if (parts.length !== 2) {
    throw new Error(`The text that a mutation replaces is in ${file} ${parts.length - 1} times. See mutations.ts.`);
  }
  return parts.join(to);
}

/** The source of a file, with what a mutation changes in it. @param url of the file */
export function mutated(source: string, url: string, edits: readonly Edit[]): string {
  return edits.filter(({ file }) => url.endsWith(`/${file}`)).reduce(mutate, source);
}
