// Sign-ins at servers over HTTP: their tokens stand in the data folder for this user only, each for
// one URL. Nothing here shows a token, one process at a time renews it, and what a person does
// meanwhile holds.

import { ensureFolder, removeFile, writeFileAtomic } from "./disk.ts";
import { AppError } from "./errors.ts";
import { type Digest, digestOf } from "./hash.ts";
import { MAX_SIGN_IN_BYTES, RENEW_BEFORE_MS } from "./limits.ts";
import { withLock } from "./lock.ts";
import type { SignInState } from "./oauth.ts";
import { isThere, readTextFile } from "./read.ts";
import { isObject } from "./server.ts";
import { Secret } from "./text.ts";

/** The sign-in at one server. */
export interface ServerSignIn {
  /** The token to send, renewed when it is about to expire; undefined without a sign-in. */
  token(): Promise<Secret | undefined>;
  /** Another token than `used`, which the server refused; undefined where there is none to get. */
  renewed(used: Secret): Promise<Secret | undefined>;
  /** Tells the sign-in that is kept now from any other one; undefined without one. */
  identity(): Promise<Digest | undefined>;
}

/** The sign-ins of this user. */
export interface SignIns {
  /** The sign-in at the server with that address. */
  of(url: Secret): ServerSignIn;
  save(url: Secret, state: SignInState): Promise<void>;
  /** Whether there was one. */
  remove(url: Secret): Promise<boolean>;
}

/** How sign-ins are kept. */
export interface SignInOptions {
  /** Undefined where nothing can be kept. */
  readonly folder: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Asks for new tokens; throws `sign-in` where a person has to. */
  readonly renew?: (url: string, state: SignInState) => Promise<SignInState>;
}

async function renewByProtocol(url: string, state: SignInState): Promise<SignInState> {
  return await (await import("./oauth.ts")).renewTokens(url, state);
}

/** The sign-ins in `folder`. */
export function createSignIns(
  { folder, now, renew = renewByProtocol }: SignInOptions,
): SignIns {
  // The name says nothing of the server: its address may hold a secret.
  const fileOf = (url: string) => `${folder}/${digestOf(url).replace(/^.*:/, "")}.json`;

  async function read(url: string): Promise<SignInState | undefined> {
    if (folder === undefined) return undefined;
    const path = fileOf(url);
    if (!isThere(path)) return undefined;
    const text = await readTextFile(path, { maxBytes: MAX_SIGN_IN_BYTES }).catch((error) => {
      // Removed this moment.
      if (!isThere(path)) return "";
      throw error;
    });
    try {
      const { version, ...state } = JSON.parse(text);
      if (version === VERSION && isObject(state.tokens)) return state as SignInState;
    } catch {
      // What cannot be read is as good as none.
    }
    return undefined;
  }

  async function write(url: string, state: SignInState): Promise<void> {
    if (folder === undefined) {
      throw new AppError("failure", "A sign-in cannot be kept: no data folder is known", {
        hint: "set MCP_EXEC_DATA_DIR",
      });
    }
    const text = JSON.stringify({ version: VERSION, ...state });
    await writeFileAtomic(fileOf(url), text, { mode: 0o600 });
  }

  // For no longer than a write takes: a person who signs in or out waits for no server.
  async function whileAlone<T>(url: string, run: () => Promise<T>): Promise<T> {
    if (folder !== undefined) await ensureFolder(folder);
    return await (folder === undefined ? run() : withLock(`${fileOf(url)}.edit`, run));
  }

  async function renewed(url: string, used: string): Promise<Secret | undefined> {
    if (await read(url) === undefined) return undefined;
    return await withLock(`${fileOf(url)}.lock`, async () => {
      const state = await read(url);
      const token = accessOf(state);
      // Somebody else was first.
      if (token !== undefined && token !== used) return new Secret(token);
      if (state?.tokens?.["refresh_token"] === undefined) return undefined;
      const next = await renew(url, state).catch((error) => {
        if (!(error instanceof AppError) || error.kind !== "sign-in") throw error;
        return undefined;
      });
      return await whileAlone(url, async () => {
        const current = await read(url);
        if (JSON.stringify(current) === JSON.stringify(state)) {
          await (next === undefined ? removeFile(fileOf(url)) : write(url, next));
          return next && new Secret(accessOf(next)!);
        }
        // Its person has signed in anew, or out.
        const token = accessOf(current);
        return token === undefined ? undefined : new Secret(token);
      });
    });
  }

  return {
    of(secret) {
      const url = addressOf(secret);
      return {
        async token() {
          const state = await read(url);
          const token = accessOf(state);
          if (token === undefined) return undefined;
          const isOld = (state?.expiresAt ?? Infinity) - RENEW_BEFORE_MS < now();
          return isOld ? await renewed(url, token) ?? new Secret(token) : new Secret(token);
        },
        renewed: (used) => renewed(url, used.reveal()),
        async identity() {
          const token = accessOf(await read(url));
          return token === undefined ? undefined : digestOf(token);
        },
      };
    },
    async save(secret, state) {
      const url = addressOf(secret);
      await whileAlone(url, () => write(url, state));
    },
    async remove(secret) {
      const url = addressOf(secret);
      if (folder === undefined || !isThere(fileOf(url))) return false;
      return await whileAlone(url, () => removeFile(fileOf(url)));
    },
  };
}

const VERSION = 1;

function accessOf(state: SignInState | undefined): string | undefined {
  const token = state?.tokens?.["access_token"];
  return typeof token === "string" ? token : undefined;
}

// Another spelling of an address is the same place.
function addressOf(secret: Secret): string {
  const text = secret.reveal();
  return URL.canParse(text) ? new URL(text).href.replace(/#.*$/, "") : text;
}
