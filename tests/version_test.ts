import assert from "node:assert/strict";
import { VERSION } from "../src/version.ts";

Deno.test("VERSION is the version of deno.json", async () => {
  const text = await Deno.readTextFile(new URL("../deno.json", import.meta.url));
  assert.equal(VERSION, (JSON.parse(text) as { version: string }).version);
  assert.match(VERSION, /^\d+\.\d+\.\d+(?:-[a-z0-9.]+)?$/);
});
