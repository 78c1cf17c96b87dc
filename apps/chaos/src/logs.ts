import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { World } from './world.ts';

interface LogLine {
  level?: number;
  msg?: string;
  node?: string;
}

/** The ids, in the registry, of the nodes that run: the last that each one's log names. */
export async function livingNodeIds(world: World): Promise<string[]> {
  const ids = world.nodes.map(async ({ program }) => {
    const lines = await readLines(join(world.logDir, `${program.incarnation}.log`));
    return lines.map(line => parse(line)?.node).findLast(id => id !== undefined) ?? `${program.incarnation}, unknown`;
  });
  return Promise.all(ids);
}

/**
 * What our own apps wrote that they must not write, a sentence for each: anything but a log line (Node's warnings and what
 * ends a process go to standard error, which is the same file), and a line that says that the process must end.
 */
export async function logComplaints(logDir: string): Promise<string[]> {
  const files = (await readdir(logDir)).filter(name => /^(node|recorder)-/.test(name)).toSorted();
  const found = await Promise.all(
    files.map(async name => {
      const lines = await readLines(join(logDir, name));
      const odd = lines.filter((line, index) => {
        const parsed = parse(line);
        // The last line of a process that was killed may have been cut off.
        if (parsed === undefined) return !(index === lines.length - 1 && line.startsWith('{'));
        return (parsed.level ?? 0) >= 60;
      });
      if (odd.length === 0) return [];
      return [
        `${name.replace('.log', '')} wrote to standard error, or a fatal line:\n    ${odd.slice(0, 8).join('\n    ')}`,
      ];
    }),
  );
  return found.flat();
}

async function readLines(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').filter(line => line !== '');
}

function parse(line: string): LogLine | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined;
  } catch {
    return undefined;
  }
}
