import assert from "node:assert/strict";
import { createBackoff } from "../src/backoff.ts";
import { AppError, type ErrorKind } from "../src/errors.ts";
import { BACKOFF_MS, MAX_BACKOFF_MS, STEADY_CONNECTION_MS } from "../src/limits.ts";
import type { ServerName } from "../src/names.ts";

function start() {
  const clock = { now: 1000 };
  const backoff = createBackoff("github" as ServerName, () => clock.now);
  const fail = (heldMs = 0, kind: ErrorKind = "connect") =>
    backoff.failed(backoff.round, {
      heldMs,
      error: new AppError(kind, "It exited with code 1", { detail: ["no token"] }),
    });
  return { clock, backoff, fail };
}

Deno.test("createBackoff lets a server be tried again at once after one failure (H10)", () => {
  const { backoff, fail } = start();
  assert.equal(backoff.refusal(), undefined);
  fail();
  assert.equal(backoff.failures, 1);
  assert.equal(backoff.wait(), 0);
  assert.equal(backoff.refusal(), undefined);
});

Deno.test("createBackoff waits twice as long with each further failure, up to a bound (B8)", () => {
  const { clock, backoff, fail } = start();
  fail();
  const waits = Array.from({ length: 10 }, () => {
    fail();
    return backoff.wait();
  });
  const wanted = waits.map((_, at) => Math.min(BACKOFF_MS * 2 ** at, MAX_BACKOFF_MS));
  assert.deepEqual(waits, wanted);
  assert.equal(waits.at(-1), MAX_BACKOFF_MS);
  clock.now += MAX_BACKOFF_MS - 1;
  assert.equal(backoff.wait(), 1);
  clock.now += 1;
  assert.equal(backoff.refusal(), undefined);
});

Deno.test("createBackoff names the server, how often it failed, when it may be tried and why (B8)", () => {
  const { backoff, fail } = start();
  for (let count = 0; count < 4; count++) fail();
  const error = backoff.refusal()!;
  assert.equal(error.kind, "connect");
  assert.equal(
    error.message,
    `Server "github" has failed 4 times in a row and may be tried again in 4s`,
  );
  assert.deepEqual(error.detail, ["It exited with code 1", "no token"]);
  assert.match(error.hint!, /mcp-exec server validate github/);
});

Deno.test("createBackoff begins anew after a connection that held", () => {
  const { backoff, fail } = start();
  for (let count = 0; count < 5; count++) fail();
  fail(STEADY_CONNECTION_MS);
  assert.equal(backoff.failures, 1);
  assert.equal(backoff.wait(), 0);
  backoff.held(STEADY_CONNECTION_MS - 1);
  assert.equal(backoff.failures, 1);
  backoff.held(STEADY_CONNECTION_MS);
  assert.equal(backoff.failures, 0);
});

Deno.test("createBackoff counts connections that are lost together once", () => {
  const { backoff } = start();
  const { round } = backoff;
  const error = new AppError("connect", "Lost");
  for (let count = 0; count < 8; count++) backoff.failed(round, { heldMs: 0, error });
  assert.equal(backoff.failures, 1);
});

Deno.test("createBackoff counts nothing that says nothing of the server", () => {
  const { backoff, fail } = start();
  const kinds: ErrorKind[] = ["interrupted", "untrusted", "invalid", "sign-in", "limit"];
  for (const kind of [...kinds, ...kinds]) fail(0, kind);
  assert.equal(backoff.failures, 0);
});
