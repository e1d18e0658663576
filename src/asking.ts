// How a request of a program gets to its server: in its turn among all who ask, over a connection of
// the pool, and no longer than its deadline and its caller allow. What may be asked is decided before.

import { AppError } from "./errors.ts";
import type { RunId } from "./journal.ts";
import {
  CALL_TIMEOUT_MS,
  MAX_ALL_CALLS_IN_FLIGHT,
  MAX_ALL_CALLS_WAITING,
  MAX_CALLS_IN_FLIGHT,
  MAX_CALLS_WAITING,
} from "./limits.ts";
import type { SessionId } from "./names.ts";
import { createNotices, type Notices } from "./notices.ts";
import type { Lease, Pool } from "./pool.ts";
import type { JsonObject, ServerSpec } from "./server.ts";
import { createSlots, interruption, orInterrupted, type SlotBounds } from "./waiting.ts";

/** What whoever asks may set. */
export interface AskOptions {
  readonly signal?: AbortSignal;
  /** The run the call belongs to, for the journal. */
  readonly run?: RunId;
  /** Whose rate and turn the call counts for; one for all calls without a session. */
  readonly session?: SessionId;
  /** Whether the server is asked to tell of its progress and its log, for the trace. */
  readonly notices?: boolean | undefined;
  /** How often this program stands above the call; told to the server, which may be this program. */
  readonly depth?: number | undefined;
  /** Called before connecting to the server; what it gives is called when that has ended. */
  readonly onConnecting?: () => () => void;
}

/** Who asks something of a server, until when, and whose turn it takes. */
export interface Asker {
  readonly spec: ServerSpec;
  /** Its session, else its run: all who wait take turns by it. */
  readonly owner: string;
  /** Aborted when the caller leaves or the bridge ends. */
  readonly signal: AbortSignal;
  /** Gets what the server tells meanwhile. */
  readonly notices?: Notices;
  readonly depth?: number | undefined;
  /** Gives what `work` gives, and sees to who waits for a connection meanwhile. */
  whenConnected<T>(work: () => Promise<T>): Promise<T>;
}

/** What is asked of a server. */
export interface Request {
  readonly method: string;
  readonly params: JsonObject;
  /** A capability without which the server is not asked. */
  readonly needed?: string;
  /** The whole time allowed; that of the server's entry, or the default. */
  readonly timeoutMs?: number | undefined;
}

/** Asks servers for a bridge. */
export interface Asking {
  /** Who asks; throws `interrupted` once its signal is aborted or the bridge has ended. */
  askerFor(spec: ServerSpec, options: AskOptions): Asker;
  /**
   * What a server answers, raw. Throws `limit` where too many wait already, `invalid` where the
   * server does not offer what is needed, and what connecting and the connection throw.
   */
  ask(asker: Asker, request: Request): Promise<unknown>;
}

/** What asking is made of. */
export interface AskingParts {
  readonly pool: Pool;
  /** Aborted when the bridge ends. */
  readonly ending: AbortSignal;
  /** Bounds of the line, where they are not the usual ones. */
  readonly queue: Partial<SlotBounds> | undefined;
}

/** A line in which nobody waits yet. */
export function createAsking({ pool, ending, queue }: AskingParts): Asking {
  const slots = createSlots({
    places: MAX_ALL_CALLS_IN_FLIGHT,
    placesOfOne: MAX_CALLS_IN_FLIGHT,
    waitingOfOne: MAX_CALLS_WAITING,
    waiting: MAX_ALL_CALLS_WAITING,
    refuse: tooManyWait,
    ...queue,
  });
  const joined = new WeakMap<AbortSignal, AbortSignal>();

  // One for all calls of a run: they share its signal.
  function untilEnd(signal: AbortSignal): AbortSignal {
    const known = joined.get(signal) ?? AbortSignal.any([signal, ending]);
    joined.set(signal, known);
    return known;
  }

  async function connectionFor({ spec, whenConnected }: Asker): Promise<Lease> {
    const taking = pool.take(spec);
    try {
      return await whenConnected(() => taking);
    } catch (error) {
      // It may still come to who has left.
      taking.then((lease) => lease.release(), () => {});
      throw error;
    }
  }

  return {
    askerFor(spec, options) {
      const signal = options.signal === undefined ? ending : untilEnd(options.signal);
      if (signal.aborted) throw interruption(signal);
      return {
        spec,
        owner: options.session ?? options.run ?? "",
        signal,
        ...(options.notices && { notices: createNotices() }),
        depth: options.depth,
        async whenConnected(connect) {
          const ended = pool.isConnected(spec.name) ? undefined : options.onConnecting?.();
          try {
            return await orInterrupted(connect(), signal);
          } finally {
            ended?.();
          }
        },
      };
    },
    async ask(asker, { method, params, needed, timeoutMs }) {
      const { spec, owner, notices, signal } = asker;
      const giveBack = slots.takeNow(owner) ?? await slots.take({ owner, signal });
      try {
        const lease = pool.takeNow(spec) ?? await connectionFor(asker);
        let isLate = false;
        try {
          if (needed !== undefined && lease.connection.capabilities[needed] === undefined) {
            throw new AppError("invalid", `Server "${spec.name}" offers no ${needed}`);
          }
          return await lease.connection.request(method, params, {
            timeoutMs: timeoutMs ?? spec.timeoutMs ?? CALL_TIMEOUT_MS,
            signal,
            listener: notices && { owner, notices },
          });
        } catch (error) {
          isLate = error instanceof AppError && error.kind === "timeout";
          throw error;
        } finally {
          lease.release(isLate);
        }
      } finally {
        giveBack();
      }
    },
  };
}

function tooManyWait(bound: number): AppError {
  return new AppError("limit", `Calls that wait for their turn are over the limit of ${bound}`, {
    limit: { name: "waiting calls", limit: bound },
    hint: "await some of them before the next ones are made",
  });
}
