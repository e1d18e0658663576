import assert from "node:assert/strict";
import { listenForRedirect } from "../src/sign_in_listener.ts";

Deno.test("listenForRedirect takes the redirect that brings its state, and no other", async () => {
  const listener = listenForRedirect("right");
  const ask = async (path: string) => {
    const response = await fetch(new URL(path, listener.url));
    await response.body?.cancel();
    return response.status;
  };
  assert.equal(await ask("/callback?state=wrong&code=1"), 404);
  assert.equal(await ask("/?state=right&code=2"), 404);
  assert.equal(await ask("/callback?state=right&code=3"), 200);
  assert.equal((await listener.received).get("code"), "3");
  await listener.close();
});

Deno.test("listenForRedirect does not wait for who sends half a request", async () => {
  const listener = listenForRedirect("right");
  const port = Number(new URL(listener.url).port);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const half = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nab";
  await connection.write(new TextEncoder().encode(half));
  await connection.read(new Uint8Array(1024));
  // Where it does wait, the end of the connection ends that.
  let isHeld = false;
  const timer = setTimeout(() => {
    isHeld = true;
    connection.close();
  }, 20_000);
  await listener.close();
  clearTimeout(timer);
  assert.equal(isHeld, false);
  connection.close();
});
