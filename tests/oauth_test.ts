import assert from "node:assert/strict";
import { guardedFetch } from "../src/oauth.ts";

Deno.test("guardedFetch asks no place that a server has no business to name (H27)", async () => {
  const ask = guardedFetch("https://mcp.example/mcp");
  const refused = [
    "http://mcp.example/x",
    "https://169.254.169.254/latest",
    "https://10.0.0.1/",
    "https://127.0.0.1/",
    "http://localhost:1/",
    "https://[::1]/",
    "https://localhost./",
    "https://a.localhost/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fd00::1]/",
    "https://192.168.1.1/",
    "file:///etc/passwd",
    "javascript:alert(1)",
  ];
  for (const url of refused) {
    await assert.rejects(Promise.resolve(ask(url)), { kind: "sign-in" }, url);
  }
});

Deno.test("guardedFetch says of an answer that breaks off that its place cannot be reached", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const answering = (async () => {
    const connection = await listener.accept();
    await connection.read(new Uint8Array(1024));
    const head = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{";
    await connection.write(new TextEncoder().encode(head));
    connection.close();
  })();
  const url = `http://127.0.0.1:${port}/mcp`;
  await assert.rejects(Promise.resolve(guardedFetch(url)(url)), {
    kind: "connect",
    message: `Sign-in at "http://127.0.0.1:${port}" cannot be reached`,
  });
  await answering;
  listener.close();
});
