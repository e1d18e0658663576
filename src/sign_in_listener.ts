// Waits on this machine alone for a browser to come back from a sign-in. Takes one answer, and only
// the one that was waited for; tells the browser nothing of it.

import { CLOSE_GRACE_MS } from "./limits.ts";
import { settles } from "./process.ts";

/** Where a browser comes back to. */
export interface RedirectListener {
  readonly url: string;
  /** The parameters of the redirect that brings `state`. */
  readonly received: Promise<URLSearchParams>;
  /** Stops listening, once the browser has its answer; does not wait for long for anybody else. */
  close(): Promise<void>;
}

const HEADERS = {
  "content-type": "text/plain; charset=utf-8",
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'",
  "referrer-policy": "no-referrer",
};

/** Listens on a free port of the loopback address for the redirect that brings `state`. */
export function listenForRedirect(state: string): RedirectListener {
  const { promise, resolve } = Promise.withResolvers<URLSearchParams>();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const { pathname, searchParams } = new URL(request.url);
      // A page that guesses the port has not got the state.
      if (pathname !== "/callback" || searchParams.get("state") !== state) {
        return new Response("Not found\n", { status: 404, headers: HEADERS });
      }
      resolve(searchParams);
      const text = "You are done here: go back to the terminal.\n";
      return new Response(text, { headers: HEADERS });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/callback`,
    received: promise,
    async close() {
      await settles(server.shutdown(), CLOSE_GRACE_MS);
    },
  };
}
