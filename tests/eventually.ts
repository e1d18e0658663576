// Waiting in tests for what has to happen, for as long as a busy machine may take.

import assert from "node:assert/strict";

const POLL_MS = 10;
const PATIENCE_MS = 60_000;

/** Settles once `holds` does; fails with what `what` says where it does not come to that. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: () => string = () => "it did not come to that",
): Promise<void> {
  for (const began = performance.now(); !await holds();) {
    assert.ok(performance.now() - began < PATIENCE_MS, what());
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
