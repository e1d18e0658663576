// Signing in, over real sockets: a server that takes tokens, its authorization server, and the
// program as a process that a person uses.

import assert from "node:assert/strict";
import { AppError } from "../src/errors.ts";
import { createSignIns } from "../src/sign_ins.ts";
import { Secret } from "../src/text.ts";
import { freshPlace, PROGRAM } from "./specs/run.ts";

interface Provider {
  readonly url: string;
  /** How often a refresh token was taken; each is good once. */
  readonly refreshes: () => number;
  /** Ends the access tokens given so far, and with `all` the refresh tokens. */
  revoke(all?: boolean): void;
  /** What renewing is answered with from now on; undefined for tokens again. */
  refuse(answer: { readonly body: unknown; readonly status: number } | undefined): void;
  readonly requests: string[];
}

/** A server that asks for sign-in and answers `tools/list`, and the authorization server of it. */
async function withProvider(
  work: (provider: Provider) => Promise<void>,
  metadata: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  let refusal: Parameters<Provider["refuse"]>[0];
  const access = new Set<string>();
  const refresh = new Set<string>();
  const codes = new Map<string, { challenge: string; redirect: string }>();
  const requests: string[] = [];
  let count = 0;
  let refreshes = 0;
  const tokens = () => {
    const given = {
      access_token: `access-canary-${++count}`,
      refresh_token: `refresh-canary-${count}`,
      token_type: "Bearer",
      expires_in: 3600,
    };
    access.add(given.access_token);
    refresh.add(given.refresh_token);
    return Response.json(given);
  };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { pathname, searchParams, origin } = new URL(request.url);
    requests.push(`${request.method} ${pathname}`);
    switch (pathname) {
      case "/.well-known/oauth-protected-resource/mcp":
        return Response.json({ resource: `${origin}/mcp`, authorization_servers: [origin] });
      case "/.well-known/oauth-authorization-server":
        return Response.json({
          issuer: origin,
          authorization_endpoint: `${origin}/authorize`,
          token_endpoint: `${origin}/token`,
          registration_endpoint: `${origin}/register`,
          response_types_supported: ["code"],
          code_challenge_methods_supported: ["S256"],
          token_endpoint_auth_methods_supported: ["none"],
          ...metadata,
        });
      case "/register":
        return Response.json({ ...await request.json(), client_id: "c1" }, { status: 201 });
      case "/authorize": {
        const code = crypto.randomUUID();
        const redirect = searchParams.get("redirect_uri")!;
        codes.set(code, { challenge: searchParams.get("code_challenge")!, redirect });
        const target = new URL(redirect);
        target.searchParams.set("code", code);
        target.searchParams.set("state", searchParams.get("state")!);
        return Response.redirect(target);
      }
      case "/token": {
        const form = new URLSearchParams(await request.text());
        if (form.get("grant_type") === "refresh_token") {
          refreshes++;
          if (refusal !== undefined) {
            return Response.json(refusal.body, { status: refusal.status });
          }
          if (refresh.delete(form.get("refresh_token")!)) return tokens();
          return Response.json({ error: "invalid_grant" }, { status: 400 });
        }
        const known = codes.get(form.get("code")!);
        codes.delete(form.get("code")!);
        const verifier = new TextEncoder().encode(form.get("code_verifier")!);
        const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", verifier));
        const challenge = digest.toBase64({ alphabet: "base64url", omitPadding: true });
        const isGood = known?.challenge === challenge &&
          form.get("redirect_uri") === known.redirect;
        return isGood ? tokens() : Response.json({ error: "invalid_grant" }, { status: 400 });
      }
      case "/mcp": {
        const token = request.headers.get("authorization")?.replace(/^Bearer /, "");
        if (token === undefined || !access.has(token)) {
          const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`;
          const headers = { "www-authenticate": `Bearer resource_metadata="${metadata}"` };
          return new Response(null, { status: 401, headers });
        }
        if (request.method !== "POST") return new Response(null, { status: 405 });
        const { id, method, params } = await request.json();
        if (id === undefined) return new Response(null, { status: 202 });
        const result = method === "initialize"
          ? {
            protocolVersion: params.protocolVersion,
            capabilities: { tools: {} },
            serverInfo: { name: "signed", version: "1" },
            instructions: `You sent ${token}`,
          }
          : method === "tools/call"
          ? params.name === "look"
            ? { content: [{ type: "text", text: "seen" }] }
            : { content: [{ type: "text", text: `Failed with ${token}` }], isError: true }
          : {
            tools: ["look", "fail"].map((name) => ({
              name,
              description: `Tells ${token}`,
              inputSchema: { type: "object" },
            })),
          };
        return Response.json({ jsonrpc: "2.0", id, result });
      }
      default:
        return new Response(null, { status: 404 });
    }
  });
  try {
    await work({
      url: `http://127.0.0.1:${server.addr.port}/mcp`,
      refreshes: () => refreshes,
      requests,
      refuse: (answer) => refusal = answer,
      revoke(all = false) {
        access.clear();
        if (all) refresh.clear();
      },
    });
  } finally {
    await server.shutdown();
  }
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Person {
  run(...args: string[]): Promise<Ended>;
  /** Signs in; `answer` gets the address and gives what is typed in. */
  logIn(answer: (url: string) => Promise<string>, ...flags: string[]): Promise<Ended>;
  readonly data: string;
  /** All that the person has: configuration, data, skills. */
  readonly root: string;
}

/** A person who has configured the server as `signed`. */
async function withPerson(url: string, work: (person: Person) => Promise<void>): Promise<void> {
  const { folder, env } = await freshPlace();
  const config = `${folder}/config.json`;
  await Deno.writeTextFile(config, JSON.stringify({ mcpServers: { signed: { url } } }));
  const start = (args: readonly string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: [...PROGRAM, ...args],
      cwd: folder,
      clearEnv: true,
      env: { ...env, MCP_EXEC_CONFIG: config },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  try {
    await work({
      data: `${env["XDG_DATA_HOME"]}/mcp-exec`,
      root: folder.replace(/\/work$/, ""),
      async run(...args) {
        const child = start(args);
        await child.stdin.close();
        const { code, stdout, stderr } = await child.output();
        const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
        return { code, stdout: decode(stdout), stderr: decode(stderr) };
      },
      async logIn(answer, ...flags) {
        const child = start(["server", "login", "signed", "--no-browser", ...flags]);
        const input = child.stdin.getWriter();
        let stderr = "";
        let answered: Promise<void> | undefined;
        const output = new Response(child.stdout).text();
        for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
          stderr += part;
          const [address] = /http:\S+authorize\S+(?=\n)/.exec(stderr) ?? [];
          if (address === undefined) continue;
          answered ??= answer(address).then(async (text) => {
            await input.write(new TextEncoder().encode(text)).catch(() => {});
            await input.close().catch(() => {});
          });
        }
        await answered;
        await input.close().catch(() => {});
        return { code: (await child.status).code, stdout: await output, stderr };
      },
    });
  } finally {
    await Deno.remove(folder.replace(/\/work$/, ""), { recursive: true });
  }
}

/** What a browser ends at. */
async function redirectOf(url: string): Promise<string> {
  const response = await fetch(url, { redirect: "manual" });
  await response.body?.cancel();
  return response.headers.get("location")!;
}

Deno.test("server login signs in by an address that is pasted, and shows no token (X2)", async () => {
  await withProvider(async ({ url }) => {
    await withPerson(url, async ({ run, logIn, data }) => {
      const before = await run("introspect", "signed");
      assert.equal(before.code, 3, before.stderr);
      assert.match(
        before.stderr,
        /^error: Server "signed" asks for sign-in\n.*\n {2}hint: mcp-exec server login signed\n$/,
      );
      const signed = await logIn(async (address) => `${await redirectOf(address)}\n`);
      assert.equal(signed.code, 0, signed.stderr);
      assert.equal(signed.stdout, 'Signed in to "signed"\n');
      const after = await run("introspect", "signed", "--verbose");
      assert.equal(after.code, 0, after.stderr);
      assert.match(after.stdout, /look\(/);
      const checked = await run("server", "validate", "signed", "--format", "json");
      assert.equal(JSON.parse(checked.stdout).servers[0].auth, "accepted");
      const detailed = await run("introspect", "signed", "--detailed");
      assert.match(detailed.stdout, /You sent \*\*\*$/m, detailed.stderr);
      for (const { stdout, stderr } of [signed, after, detailed]) {
        assert.ok(!/canary/.test(stdout + stderr));
      }
      const [file] = await Array.fromAsync(Deno.readDir(`${data}/sign-ins`));
      assert.equal((await Deno.stat(`${data}/sign-ins/${file!.name}`)).mode! & 0o777, 0o600);
      assert.equal((await run("server", "logout", "signed")).stdout, 'Signed out of "signed"\n');
      assert.equal((await run("introspect", "signed")).code, 3);
      const again = await run("server", "logout", "signed");
      assert.equal(again.stdout, 'There was no sign-in at "signed"\n');
    });
  });
});

Deno.test("no command shows or keeps a token of a sign-in, but for the file of that (X2)", async () => {
  await withProvider(async ({ url }) => {
    await withPerson(url, async ({ run, logIn, data, root }) => {
      const signed = await logIn(async (address) => `${await redirectOf(address)}\n`);
      assert.equal(signed.code, 0, signed.stderr);
      const program =
        `const failed = await callTool("signed", "fail").catch((error) => error.message);
        return [await callTool("signed", "look"), failed, await searchTools("tells")]`;
      const lines = [
        ["config", "set", "journal.payloads", "true"],
        ["introspect", "signed", "--detailed", "--refresh", "--verbose"],
        ["introspect", "signed", "--tool", "look", "--format", "json"],
        ["call", "signed", "fail", "--verbose"],
        ["call", "signed", "fail", "--raw", "--format", "json"],
        ["execute", "-e", program, "--trace", "--verbose"],
        ["skill", "save", "kept", "--run", "last", "--format", "json"],
        ["generate", "signed"],
        ["search", "tells", "--detail", "full", "--format", "json"],
        ["server", "info", "signed"],
        ["server", "validate", "signed", "--format", "json"],
        ["stats", "runs", "last"],
        ["stats", "runs", "--format", "json"],
        ["debug", "connections", "--format", "json"],
        ["debug", "doctor"],
      ];
      const texts: string[] = [];
      for (const args of lines) {
        const { code, stdout, stderr } = await run(...args);
        assert.ok([0, 1, 3].includes(code), stderr);
        assert.ok(!/canary/.test(stdout + stderr), `${args.join(" ")}: ${stdout}${stderr}`);
        texts.push(stdout + stderr);
      }
      for (const text of [/You sent \*\*\*/, /Failed with \*\*\*/]) {
        assert.match(texts.join(""), text);
      }
      assert.match(texts.join(""), /Tells \*\*\*/);
      const found = (await filesWith("canary", root)).filter((path) =>
        !path.startsWith(`${data}/sign-ins/`)
      );
      assert.deepEqual(found, []);
      assert.equal((await filesWith("canary", `${data}/sign-ins`)).length, 1);
    });
  });
});

/** The files below `folder` that hold `text`. */
async function filesWith(text: string, folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await filesWith(text, path));
    else if (new TextDecoder("latin1").decode(await Deno.readFile(path)).includes(text)) {
      found.push(path);
    }
  }
  return found;
}

Deno.test("server login takes the browser that comes back to this machine", async () => {
  const open: Deno.Conn[] = [];
  await withProvider(async ({ url }) => {
    await withPerson(url, async ({ run, logIn }) => {
      const signed = await logIn(async (address) => {
        const target = await redirectOf(address);
        assert.match(target, /^http:\/\/127\.0\.0\.1:\d+\/callback\?/);
        // A page that does not know the state is nobody.
        const guess = await fetch(target.replace(/state=[^&]*/, "state=x"));
        assert.equal(guess.status, 404);
        await guess.body?.cancel();
        // One that only holds a connection open keeps nobody waiting.
        const { hostname, port } = new URL(target);
        const idle = await Deno.connect({ hostname, port: Number(port) });
        await idle.write(new TextEncoder().encode("GET /callback HTTP/1.1\r\nHost: x\r\n"));
        open.push(idle);
        assert.match(await (await fetch(target)).text(), /^You are done here/);
        return "";
      });
      assert.equal(signed.code, 0, signed.stderr);
      for (const idle of open) idle.close();
      assert.equal((await run("introspect", "signed")).code, 0);
    });
  });
});

Deno.test("server login refuses an answer that belongs to another sign-in", async () => {
  await withProvider(async ({ url, requests }) => {
    await withPerson(url, async ({ run, logIn }) => {
      const forged = await logIn(async (address) =>
        (await redirectOf(address)).replace(/state=[^&]*/, "state=other")
      );
      assert.equal(forged.code, 3, forged.stderr);
      assert.match(forged.stderr, /error: The answer does not belong to this sign-in/);
      assert.ok(!requests.includes("POST /token"));
      assert.equal((await run("introspect", "signed")).code, 3);
    });
  });
});

Deno.test("tokens that have ended are renewed once, however many processes want them", async () => {
  await withProvider(async ({ url, refreshes, revoke }) => {
    await withPerson(url, async ({ run, logIn, data }) => {
      await logIn(redirectOf);
      revoke();
      const runs = await Promise.all([1, 2, 3].map(() => run("introspect", "signed")));
      assert.deepEqual(runs.map(({ code }) => code), [0, 0, 0], runs[0]!.stderr);
      assert.equal(refreshes(), 1);
      revoke(true);
      const ended = await run("introspect", "signed");
      assert.equal(ended.code, 3, ended.stderr);
      assert.match(ended.stderr, /hint: mcp-exec server login signed/);
      assert.deepEqual(await Array.fromAsync(Deno.readDir(`${data}/sign-ins`)), []);
    });
  });
});

Deno.test("tokens stay where renewing fails without saying that they have ended, and nothing of it is shown raw (H22, X2)", async () => {
  await withProvider(async ({ url, revoke, refuse }) => {
    await withPerson(url, async ({ run, logIn }) => {
      await logIn(redirectOf);
      revoke();
      const text = "\u009b31m\u202e refresh-canary-1";
      for (
        const answer of [
          { status: 503, body: { error: "temporarily_unavailable", error_description: text } },
          { status: 500, body: text },
          { status: 400, body: { error: "server_error", error_description: text } },
          { status: 400, body: { error: "invalid_scope", error_description: text } },
          { status: 200, body: { access_token: 1, error_description: text } },
        ]
      ) {
        refuse(answer);
        const { code, stdout, stderr } = await run("introspect", "signed");
        assert.equal(code, 3, stderr);
        assert.match(stderr, /^error: The sign-in could not be renewed\n/);
        assert.ok(!/[\u0080-\u009f\u202e]|mcp-sdk/.test(stdout + stderr), stderr);
        assert.ok(!/canary/.test(stdout + stderr), stderr);
      }
      refuse(undefined);
      assert.equal((await run("introspect", "signed")).code, 0);
    });
  });
});

Deno.test("server login takes no code from another issuer than the one it asked", async () => {
  await withProvider(async ({ url, requests }) => {
    await withPerson(url, async ({ logIn }) => {
      const mixed = await logIn(async (address) =>
        `${await redirectOf(address)}&iss=https%3A%2F%2Fevil.example`
      );
      assert.equal(mixed.code, 3, mixed.stderr);
      assert.ok(!requests.includes("POST /token"));
    });
  });
  const foreign: readonly Record<string, unknown>[] = [
    { issuer: "https://evil.example" },
    { authorization_endpoint: "javascript:alert(1)" },
    { authorization_endpoint: "file:///etc/passwd" },
    { token_endpoint: "http://169.254.169.254/token" },
    { registration_endpoint: "https://10.0.0.1/register" },
    { code_challenge_methods_supported: ["plain"] },
  ];
  for (const metadata of foreign) {
    await withProvider(async ({ url, requests }) => {
      await withPerson(url, async ({ logIn }) => {
        const { code, stderr } = await logIn(redirectOf);
        assert.equal(code, 3, JSON.stringify(metadata) + stderr);
        assert.ok(!requests.includes("POST /token"), JSON.stringify(metadata));
      });
    }, metadata);
  }
});

Deno.test("server login says what it is not for", async () => {
  await withPerson("http://127.0.0.1:1/mcp", async ({ run }) => {
    const demo = await run("server", "login", "demo");
    assert.equal(demo.code, 2);
    assert.match(demo.stderr, /^error: Server "demo" is not reached over HTTP\n/);
    const gone = await run("server", "login", "signed", "--no-browser");
    assert.equal(gone.code, 3, gone.stderr);
    assert.match(gone.stderr, /^error: Sign-in at "http:\/\/127\.0\.0\.1:1" cannot be reached/m);
  });
});

Deno.test("createSignIns keeps nothing where there is no data folder, and takes no broken file", async () => {
  const nowhere = createSignIns({ folder: undefined, now: Date.now });
  const url = new Secret("https://a.example/mcp");
  assert.equal(await nowhere.of(url).token(), undefined);
  await assert.rejects(nowhere.save(url, { redirectUrl: "" }), { kind: "failure" });
  const folder = await Deno.makeTempDir();
  try {
    const store = createSignIns({ folder, now: () => 1_000 });
    const tokens = { access_token: "canary" };
    await store.save(url, { redirectUrl: "", tokens });
    const token = (await store.of(url).token())!;
    assert.equal(JSON.stringify(token), '"***"');
    assert.equal(await store.of(new Secret("https://a.example/other")).token(), undefined);
    const [file] = await Array.fromAsync(Deno.readDir(folder));
    await Deno.writeTextFile(`${folder}/${file!.name}`, "{");
    assert.equal(await store.of(url).token(), undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("createSignIns lets stand what a person does while a token is renewed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const url = new Secret("https://a.example/mcp");
    const stateOf = (token: string) => ({
      redirectUrl: "",
      tokens: { access_token: token, refresh_token: token },
    });
    const renewals: {
      readonly gives: string | undefined;
      readonly meanwhile: string | undefined;
    }[] = [
      { gives: "renewed", meanwhile: undefined },
      { gives: "renewed", meanwhile: "new" },
      { gives: undefined, meanwhile: "new" },
    ];
    for (const { gives, meanwhile } of renewals) {
      const person = createSignIns({ folder, now: () => 0 });
      const store = createSignIns({
        folder,
        now: () => 0,
        async renew() {
          if (meanwhile === undefined) await person.remove(url);
          else await person.save(url, stateOf(meanwhile));
          if (gives === undefined) throw new AppError("sign-in", "Ended");
          return stateOf(gives);
        },
      });
      await person.save(url, stateOf("old"));
      assert.equal((await store.of(url).renewed(new Secret("old")))?.reveal(), meanwhile);
      assert.equal((await person.of(url).token())?.reveal(), meanwhile);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("createSignIns renews a token shortly before its end", async () => {
  const folder = await Deno.makeTempDir();
  try {
    let now = 0;
    const asked: string[] = [];
    const store = createSignIns({
      folder,
      now: () => now,
      renew(url, state) {
        asked.push(url);
        return Promise.resolve({ ...state, tokens: { access_token: "two" }, expiresAt: 2e9 });
      },
    });
    const url = new Secret("https://a.example/mcp#part");
    const tokens = { access_token: "one", refresh_token: "r" };
    await store.save(url, { redirectUrl: "", tokens, expiresAt: 100_000 });
    const token = async () => (await store.of(url).token())!.reveal();
    assert.equal(await token(), "one");
    now = 80_000;
    assert.equal(await token(), "two");
    assert.equal(await token(), "two");
    assert.deepEqual(asked, ["https://a.example/mcp"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
