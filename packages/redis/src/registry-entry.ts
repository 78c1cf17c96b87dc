/** The version of the format that this code understands; docs/redis-keys.md tells it. */
const formatVersion = '1';

/**
 * The session that a user of the registry is in, by the text of the user's entry: undefined if the user is in none.
 * @throws Error when the entry is of another version, perhaps of a newer node
 */
export function sessionIdOf(entry: string): string | undefined {
  const [version, state, , , , , sessionId] = entry.split(' ');
  if (version !== formatVersion) throw new Error('The entry of the registry has another format.');
  return state === 'p' ? sessionId : undefined;
}
