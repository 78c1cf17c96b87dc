import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Redis or Valkey server program that can be run here. */
export interface RedisBinary {
  readonly path: string;
  /** What the environment must have besides, for the program to find its libraries. */
  readonly env: Readonly<Record<string, string>>;
}

export interface RedisVersion {
  readonly major: number;
  readonly text: string;
}

/** The version that the program itself tells; undefined if it does not run. */
export async function redisVersion(binary: RedisBinary): Promise<RedisVersion | undefined> {
  const output = await run(binary.path, ['--version'], { env: { ...process.env, ...binary.env } }).then(
    ({ stdout }) => stdout,
    () => '',
  );
  const text = /\bv=(\d+\S*)/.exec(output)?.[1];
  return text === undefined ? undefined : { major: Number.parseInt(text, 10), text };
}
