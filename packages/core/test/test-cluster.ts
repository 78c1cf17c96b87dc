import type { Place, Receipt, ServerEvents, StateReply, Typing } from '@passerby/protocol';
import {
  ChatService,
  type Clients,
  Lease,
  MemoryNodeBus,
  MemoryOutbox,
  MemoryPairStore,
  type SessionEnded,
  type SessionFact,
  type UserState,
} from '../src/index.ts';
import { HeldChannels } from './held-channels.ts';
import { HeldStore } from './held-store.ts';
import { readFacts } from './read-facts.ts';

type EventName = keyof ServerEvents;
export type Emitted = { [Name in EventName]: [event: Name, ...args: Parameters<ServerEvents[Name]>] }[EventName];

/** Clients that remember what each user got. */
export class RecordedClients implements Clients {
  /** How many times all were closed. */
  closed = 0;
  /** Whose connection was closed, or replaced. */
  readonly closedUsers: string[] = [];
  readonly replacedUsers: string[] = [];
  /** Is told of every event too, in the moment in which it is emitted. */
  onEvent: (userId: string, emitted: Emitted) => void = () => undefined;
  onClose: (userId: string) => void = () => undefined;
  onReplace: (userId: string) => void = () => undefined;
  onCloseAll: () => void = () => undefined;
  readonly #emitted = new Map<string, Emitted[]>();

  emit<Event extends EventName>(userId: string, ...emitted: [Event, ...Parameters<ServerEvents[Event]>]): void {
    const known = emitted as unknown as Emitted;
    this.of(userId).push(known);
    this.onEvent(userId, known);
  }

  close(userId: string): void {
    this.closedUsers.push(userId);
    this.onClose(userId);
  }

  replace(userId: string): void {
    this.replacedUsers.push(userId);
    this.onReplace(userId);
  }

  closeAll(): void {
    this.closed++;
    this.onCloseAll();
  }

  /** All that the user got, oldest first. */
  of(userId: string): Emitted[] {
    const emitted = this.#emitted.get(userId) ?? [];
    this.#emitted.set(userId, emitted);
    return emitted;
  }

  /** The names of the events that the user got. */
  events(userId: string): string[] {
    return this.of(userId).map(([event]) => event);
  }

  /** What the user got in the last event of that name. */
  last<Event extends EventName>(userId: string, event: Event): Parameters<ServerEvents[Event]>[0] | undefined {
    const found = this.of(userId).findLast(([name]) => name === event);
    return found?.[1] as Parameters<ServerEvents[Event]>[0] | undefined;
  }

  /** The texts that the user got. */
  texts(userId: string): string[] {
    return this.of(userId).flatMap(([event, payload]) => (event === 'message' ? [payload.message] : []));
  }

  forgetAll(): void {
    this.#emitted.clear();
  }
}

/** A service whose commands answer with the state that an acknowledgement would tell. */
export class AnsweringService {
  readonly #service: ChatService;

  constructor(service: ChatService) {
    this.#service = service;
  }

  start = () => this.#service.start();
  stop = () => this.#service.stop();
  census = () => this.#service.census();
  connect = (userId: string) => this.#service.connect(userId);
  disconnect = (userId: string, how: 'lost' | 'left' = 'left') => this.#service.disconnect(userId, how);
  send = (userId: string, text: string, place?: Place) => this.#service.send(userId, text, place);
  acknowledge = (userId: string, receipt: Receipt) => this.#service.acknowledge(userId, receipt);
  tellTyping = (userId: string, typing: Typing) => this.#service.tellTyping(userId, typing);
  resume = (
    newUserId: string,
    token?: string,
    attach: (userId: string) => void = () => undefined,
    isOpen: () => boolean = () => true,
  ) => this.#service.resume(newUserId, token, { attach, isOpen });
  stateOf = (userId: string) => this.#service.stateOf(userId);

  get present() {
    return this.#service.present;
  }

  get ready(): boolean {
    return this.#service.ready;
  }

  async search(userId: string): Promise<StateReply> {
    await this.#service.search(userId);
    return this.#service.stateOf(userId);
  }

  async skip(userId: string, sessionId?: string): Promise<StateReply> {
    await this.#service.skip(userId, sessionId);
    return this.#service.stateOf(userId);
  }

  async endChat(userId: string, sessionId?: string): Promise<StateReply> {
    await this.#service.endChat(userId, sessionId);
    return this.#service.stateOf(userId);
  }
}

/** A node of the cluster, in this process. */
export interface TestNode {
  service: AnsweringService;
  store: HeldStore;
  lease: Lease;
  clients: RecordedClients;
  counts: { matched: number; local: number; remote: number; dropped: number };
  warnings: string[];
}

export const leaseMs = 4000;
export const graceMs = 10_000;

/** Several nodes in one process over the in-memory model. */
export class TestCluster {
  readonly channels = new HeldChannels();
  readonly outbox = new MemoryOutbox();
  readonly store: MemoryPairStore;
  readonly nodes: TestNode[] = [];

  constructor(options: { now?: () => number; random?: () => number } = {}) {
    this.store = new MemoryPairStore({ channels: this.channels, outbox: this.outbox, ...options });
  }

  addNode(): TestNode {
    const store = new HeldStore(this.store);
    const counts = { matched: 0, local: 0, remote: 0, dropped: 0 };
    const warnings: string[] = [];
    const log = { info: () => undefined, warn: (_fields: object, text: string) => void warnings.push(text) };
    const lease = new Lease({ store, leaseMs, graceMs, log });
    const clients = new RecordedClients();
    const meter = {
      matched: () => void counts.matched++,
      relayed: (route: 'local' | 'remote') => void counts[route]++,
      dropped: () => void counts.dropped++,
    };
    const bus = new MemoryNodeBus(this.channels);
    const service = new AnsweringService(new ChatService({ store, bus, clients, lease, meter, log }));
    const node = { service, store, lease, clients, counts, warnings };
    this.nodes.push(node);
    return node;
  }

  async startNode(): Promise<TestNode> {
    const node = this.addNode();
    await node.service.start();
    return node;
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(node => node.service.stop()));
  }

  async facts(): Promise<SessionFact[]> {
    return readFacts(this.outbox);
  }

  /** The ends among the facts. */
  async ended(): Promise<SessionEnded[]> {
    return (await this.facts()).filter(fact => fact.kind === 'ended');
  }

  /** Pairs two new users, of whom the first had waited; what clients were told until then is forgotten. @returns the session's id */
  async pair(ann: [TestNode, string], bob: [TestNode, string], how: 'plain' | 'resuming' = 'plain'): Promise<string> {
    for (const [node, userId] of [ann, bob]) {
      if (how === 'plain') node.service.connect(userId);
      else await node.service.resume(userId, undefined);
    }
    return this.match(ann, bob);
  }

  /** The same for users who are there already. */
  async match(ann: [TestNode, string], bob: [TestNode, string]): Promise<string> {
    await ann[0].service.search(ann[1]);
    const { sessionId } = await bob[0].service.search(bob[1]);
    if (sessionId === undefined) throw new Error('They were not paired.');
    for (const { clients } of this.nodes) clients.forgetAll();
    return sessionId;
  }

  /** What the registry says of a user; nothing changes by asking. Revision 0: the user is not there. */
  async registered(userId: string): Promise<(UserState | { state: 'away' | 'gone' }) & { revision: number }> {
    const { node: _, ...state } = await this.#entry(userId);
    return state;
  }

  /** The id of the node on which the user lives; undefined for one who is away, or not in the registry. */
  async homeOf(userId: string): Promise<string | undefined> {
    return (await this.#entry(userId)).node;
  }

  async #entry(userId: string) {
    // No command has the number 0, so that the store takes it for one that it knows already.
    const command = { userId, requestId: 0, reason: 'end', messages: 0, forget: false } as const;
    for (const nodeId of ['', ...this.nodes.flatMap(node => [...node.store.nodeIds])]) {
      const [{ userId: _, ...state } = { userId, revision: 0, state: 'idle' as const }] = await this.store.leave({
        ...command,
        nodeId,
      });
      if (state.state !== 'gone') return { ...state, node: state.revision > 0 && nodeId ? nodeId : undefined };
    }
    return { state: 'gone' as const, revision: -1, node: undefined };
  }
}

/** A command of a user, by the name of the method that gives it. */
export function give(service: AnsweringService, command: 'search' | 'skip' | 'endChat', userId: string) {
  return service[command](userId);
}

/** Resolves when all that can happen without a timer has happened. */
export function settled(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve);
  });
}
