import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.ts';
import { Crowd } from './crowd.ts';
import type { Stage } from './stage.ts';

const ofOneAddress = 10;

export interface HonestCostOptions {
  stage: Stage;
  people: number;
  /** How long they are looked at, first silent and then while they chat. */
  ms: number;
  random: Random;
  harm: string[];
}

/**
 * The CPU time of the nodes, in ns, for each byte that the connections of honest people in chats carry to them: two thirds
 * over WebSocket and one third over polling, texts of about 80 characters, with HTTP and WebSocket but without TCP. What the
 * same people cost while they are silent is not counted.
 */
export async function honestNsPerByte({ stage, people, ms, random, harm }: HonestCostOptions): Promise<number> {
  const addressOf = (index: number) => `127.0.2.${1 + Math.floor(index / ofOneAddress)}`;
  const crowd = new Crowd({ name: 'Person', urls: stage.urls, size: people, addressOf, harm });
  const usedIn = async (): Promise<{ cpuMs: number; bytes: number }> => {
    const [cpuMs, bytes] = [stage.cpuMs(), crowd.bytesSent()];
    await delay(ms);
    return { cpuMs: stage.cpuMs() - cpuMs, bytes: crowd.bytesSent() - bytes };
  };
  try {
    await crowd.pairUp();
    crowd.chat(random);
    await delay(ms); // The nodes compile what they use often.
    const chatting = await usedIn();
    crowd.rest();
    await crowd.heard();
    const silent = await usedIn();
    return ((chatting.cpuMs - silent.cpuMs) * 1e6) / (chatting.bytes - silent.bytes);
  } finally {
    crowd.leave();
  }
}
