// What tests of failures ask first.

import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";

/** The `AppError` that `work` fails with; anything else fails the test. */
export async function failure(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(() => undefined, (error) => error);
  assert.ok(error instanceof AppError, error === undefined ? "it did not fail" : String(error));
  return error;
}
