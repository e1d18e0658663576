// What stands between the SDK and a transport: every message of a server passes here first. It
// matches answers to requests by exact id, bounds what a server sends unasked and refuses its
// requests. It opens nothing, and shows no text of a server.

import type { JSONRPCMessage, Transport, TransportSendOptions } from "@modelcontextprotocol/client";
import { AppError } from "./errors.ts";
import {
  CLOSE_GRACE_MS,
  formatDuration,
  LISTEN_AGAIN_MS,
  MAX_NOTIFICATIONS_PER_SECOND,
  MAX_WAITING_ANSWERS,
  MAX_WAITING_WITHDRAWALS,
} from "./limits.ts";
import { type Notices, readNotice } from "./notices.ts";
import { settles } from "./process.ts";
import { isObject, type JsonObject } from "./server.ts";
import { isMessage, type Message, type MessageId, type Named } from "./wire.ts";

/** What a channel is made of. */
export interface ChannelOptions {
  readonly transport: Transport;
  /** The server, for messages. */
  readonly server: Named;
  readonly warn: (message: string) => void;
  /** Takes the server's secrets out of a text. */
  readonly mask: (text: string) => string;
  /** The error for whatever went wrong while `method` was waited for. */
  readonly explain: (error: unknown, method: string) => AppError;
  /** The error for a request whose connection has ended. */
  readonly ended: (method: string) => AppError;
}

/** The bounds of one request. */
export interface RequestOptions {
  /** The whole time allowed, whatever arrives meanwhile. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Gets what the server tells meanwhile, which it is asked for then. */
  readonly listener?: RequestListener | undefined;
}

/** Who hears what a server tells while it works on a request. */
export interface RequestListener {
  /** Log messages name no request: they go to an owner who is the only one waiting. */
  readonly owner: string;
  readonly notices: Pick<Notices, "add">;
}

/** Told of a server's notifications; `params` is untrusted. */
export type NotificationListener = (method: string, params: unknown) => void;

/** What helps against the deadlines that a server's entry or a flag may set. */
export const TIMEOUT_HINT = 'raise --server-timeout, or "timeout" in its entry';

interface Waiting {
  readonly method: string;
  readonly listener: RequestListener | undefined;
  readonly settle: (outcome: { result: JsonObject } | { error: unknown }) => void;
}

// The SDK numbers its own few requests from 0.
const FIRST_ID = 1000;

/** A transport in front of another one, for the SDK's handshake and for requests after it. */
export class Channel implements Transport {
  onmessage?: Transport["onmessage"];
  onclose?: () => void;
  onerror?: (error: Error) => void;
  /** Settles when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;
  /** What the server answered to `initialize`; untrusted. */
  handshake: JsonObject | undefined;
  /** In the modern era, what every request carries in its `_meta`. */
  envelope: JsonObject | undefined;
  /** What a request carries besides when somebody listens, to be told of its log. */
  logRequest: JsonObject = {};

  readonly #options: ChannelOptions;
  readonly #listeners: NotificationListener[] = [];
  /** Requests of the SDK that have no answer yet, with their methods. */
  readonly #expected = new Map<MessageId, string>();
  readonly #waiting = new Map<MessageId, Waiting>();
  /** What tells the server that nobody waits for an answer, still on its way. */
  readonly #withdrawals = new Set<Promise<void>>();
  #listening: { notifications: JsonObject; since: number; isOn: boolean } | undefined;
  readonly #markClosed: () => void;
  #isOpen = true;
  #isLost = false;
  #isEnding = false;
  #closing: Promise<void> | undefined;
  #nextId = FIRST_ID;
  #answers = 0;
  #second = { begins: 0, count: 0, warned: false, changed: false };

  constructor(options: ChannelOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#markClosed = resolve;
  }

  /** Whether requests can still be sent. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether the connection ended without having been closed from this side. */
  get isLost(): boolean {
    return this.#isLost;
  }

  get sessionId(): string | undefined {
    return this.#options.transport.sessionId;
  }

  setProtocolVersion(version: string): void {
    this.#options.transport.setProtocolVersion?.(version);
  }

  start(): Promise<void> {
    const transport = this.#options.transport;
    transport.onmessage = (message) => this.#receive(message);
    transport.onclose = () => this.#end();
    // Not every fault of a stream is the end of it; what a request needs comes by another way.
    transport.onerror = () => {};
    return transport.start();
  }

  /** Sends a message of the SDK. */
  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (!("method" in message && "id" in message) || message.id === undefined) {
      return await this.#options.transport.send(message, options);
    }
    const { id, method } = message;
    this.#expected.set(id, method);
    await this.#options.transport.send(message, {
      ...options,
      onRequestStreamEnd: () => this.#expected.has(id) && this.#breakOff(id, method),
    });
  }

  /** Ends the connection; never rejects. More calls wait for the first. */
  close(): Promise<void> {
    // Some transports report their end while they are still being closed.
    this.#isEnding = true;
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    // Closing would take them back.
    if (this.#withdrawals.size > 0) {
      await settles(Promise.all(this.#withdrawals), CLOSE_GRACE_MS);
    }
    await this.#options.transport.close().catch(() => {});
    this.#end();
  }

  /** Adds a listener for the server's notifications. */
  onNotification(listener: NotificationListener): void {
    this.#listeners.push(listener);
  }

  /**
   * Asks a server of the modern era to tell of changes, which in the legacy one it does unasked.
   * Where it ends that by itself, it is asked again with a later request.
   */
  listen(notifications: JsonObject): void {
    this.#listening = { notifications, since: performance.now(), isOn: true };
    const onEnd = () => {
      if (this.#listening !== undefined) this.#listening.isOn = false;
    };
    const params = this.#withMeta({ notifications }, undefined);
    // Nobody waits for its answer, which comes when it is over.
    this.#write({ id: this.#nextId++, method: "subscriptions/listen", params }, {
      onRequestStreamEnd: onEnd,
    }).catch(onEnd);
  }

  #listenAgain(): void {
    if (this.#listening === undefined || this.#listening.isOn) return;
    const { notifications, since } = this.#listening;
    if (performance.now() - since >= LISTEN_AGAIN_MS) this.listen(notifications);
  }

  /** The raw result of a request. Throws as `explain` and `ended` say, `timeout`, `interrupted`. */
  async request(method: string, params: JsonObject, options: RequestOptions): Promise<JsonObject> {
    if (options.signal?.aborted) throw this.#interrupted(options.signal, method);
    if (!this.#isOpen) throw this.#options.ended(method);
    this.#listenAgain();
    const id = this.#nextId++;
    const stream = this.#options.transport.hasPerRequestStream ? new AbortController() : undefined;
    const { promise, resolve, reject } = Promise.withResolvers<JsonObject>();
    this.#waiting.set(id, {
      method,
      listener: options.listener,
      settle: (outcome) => "result" in outcome ? resolve(outcome.result) : reject(outcome.error),
    });
    const giveUp = (error: AppError) => {
      reject(error);
      // In the modern era over HTTP the end of its stream says it all; elsewhere it says nothing.
      if (this.envelope === undefined || stream === undefined) this.#withdraw(id);
      stream?.abort();
    };
    const timer = setTimeout(
      () => giveUp(this.#late(method, options.timeoutMs)),
      options.timeoutMs,
    );
    const onAbort = () => giveUp(this.#interrupted(options.signal!, method));
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const meta = options.listener && { progressToken: id, ...this.logRequest };
      this.#write({ id, method, params: this.#withMeta(params, meta) }, {
        ...(stream !== undefined && { requestSignal: stream.signal }),
        onRequestStreamEnd: () => {
          if (this.#waiting.has(id)) reject(this.#options.explain(undefined, method));
        },
      }).catch((error) => reject(this.#options.explain(error, method)));
      return await promise;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", onAbort);
      this.#waiting.delete(id);
    }
  }

  async #write(
    message: { id?: MessageId; method?: string; params?: JsonObject },
    options?: TransportSendOptions,
  ): Promise<void> {
    await this.#options.transport.send({ jsonrpc: "2.0", ...message } as JSONRPCMessage, options);
  }

  #withMeta(params: JsonObject, more: JsonObject | undefined): JsonObject {
    if (this.envelope === undefined && more === undefined) return params;
    const meta = params["_meta"] as JsonObject | undefined;
    return { ...params, _meta: { ...this.envelope, ...more, ...meta } };
  }

  #receive(message: JSONRPCMessage): void {
    if (!this.#isOpen || !isMessage(message)) return;
    if (message.method === undefined) this.#takeAnswer(message);
    else if (message.id === undefined) this.#takeNotification(message.method, message.params);
    else this.#refuse(message.id, message.method);
  }

  // An id that was never sent, was answered before or is of another type is nobody's answer.
  #takeAnswer(message: Message): void {
    const id = message.id!;
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) {
      this.#waiting.delete(id);
      waiting.settle(
        message.result === undefined ? this.#failure(message, waiting) : {
          result: message.result,
        },
      );
      return;
    }
    const method = this.#expected.get(id);
    if (method === undefined) return;
    this.#expected.delete(id);
    if (method === "initialize") this.handshake = message.result;
    this.onmessage?.(message as JSONRPCMessage);
  }

  #failure(message: Message, waiting: Waiting): { error: AppError } {
    return { error: this.#options.explain(message.error, waiting.method) };
  }

  #takeNotification(method: string, params: unknown): void {
    const now = performance.now();
    if (now - this.#second.begins >= 1000) {
      Object.assign(this.#second, { begins: now, count: 0, changed: false });
    }
    // Once a second even in a flood: what was kept of the old tools must not outlive them.
    const isNews = method === "notifications/tools/list_changed" && !this.#second.changed;
    if (isNews) this.#second.changed = true;
    if (++this.#second.count > MAX_NOTIFICATIONS_PER_SECOND && !isNews) {
      if (!this.#second.warned) {
        this.#second.warned = true;
        this.#options.warn(
          `Server "${this.#options.server.name}" sends more than ${MAX_NOTIFICATIONS_PER_SECOND} ` +
            "notifications a second; the rest are dropped",
        );
      }
      return;
    }
    this.#tell(method, params);
    for (const listener of this.#listeners) listener(method, params);
  }

  /** Hands progress to the one who waits for it, and a log message to whom it must belong. */
  #tell(method: string, params: unknown): void {
    const token = isObject(params) ? params["progressToken"] : undefined;
    const listener = method === "notifications/progress"
      ? this.#waiting.get(token as MessageId)?.listener
      : method === "notifications/message"
      ? this.#loneListener()
      : undefined;
    if (listener === undefined) return;
    const notice = readNotice({ method, params }, this.#options.mask);
    if (notice !== undefined) listener.notices.add(notice);
  }

  #loneListener(): RequestListener | undefined {
    let lone: RequestListener | undefined;
    for (const { method, listener } of this.#waiting.values()) {
      if (method === "logging/setLevel") continue;
      if (listener === undefined || (lone ?? listener).owner !== listener.owner) return undefined;
      lone ??= listener;
    }
    return lone;
  }

  // A server that does not even take note of it is told of few others meanwhile.
  #withdraw(requestId: MessageId): void {
    if (this.#withdrawals.size >= MAX_WAITING_WITHDRAWALS) return;
    const told = this.#write({ method: "notifications/cancelled", params: { requestId } })
      .catch(() => {}).finally(() => this.#withdrawals.delete(told));
    this.#withdrawals.add(told);
  }

  // The modern era has no requests from servers. In the legacy one only a ping gets its wish; a
  // server that asks faster than it reads our answers gets none.
  #refuse(id: MessageId, method: string): void {
    if (this.envelope !== undefined || this.#answers >= MAX_WAITING_ANSWERS) return;
    const answer = method === "ping"
      ? { result: {} }
      : { error: { code: -32601, message: "Method not found: this client offers none" } };
    this.#answers++;
    this.#write({ id, ...answer }).catch(() => {}).finally(() => this.#answers--);
  }

  // A stream that ends without the answer it was for: none will come.
  #breakOff(id: MessageId, method: string): void {
    if (method === "initialize") return this.#end();
    const error = { code: -32601, message: "Method not found: no answer came" };
    this.#takeAnswer({ jsonrpc: "2.0", id, error });
  }

  #end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#isLost = !this.#isEnding;
    for (const { method, settle } of this.#waiting.values()) {
      settle({ error: this.#options.ended(method) });
    }
    this.#waiting.clear();
    this.#markClosed();
    this.onclose?.();
  }

  #late(method: string, timeoutMs: number): AppError {
    return new AppError(
      "timeout",
      `Server "${this.#options.server.name}" gave no answer to ${method} within ${
        formatDuration(timeoutMs)
      }`,
      {
        limit: { name: method, limit: timeoutMs },
        ...(method === "tools/call" && { hint: `${TIMEOUT_HINT} or of "limits.callTimeouts"` }),
      },
    );
  }

  #interrupted(signal: AbortSignal, method: string): AppError {
    if (signal.reason instanceof AppError) return signal.reason;
    return new AppError(
      "interrupted",
      `Interrupted while server "${this.#options.server.name}" was asked for ${method}`,
    );
  }
}
