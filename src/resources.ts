// What servers offer beside tools, as programs ask for it: resources and prompts. Checks the form of
// what comes back; whether it may be asked for is the bridge's to say.

import type { CallOptions, McpBridge } from "./bridge.ts";
import { AppError } from "./errors.ts";
import { MAX_TEMPLATE_PAGES } from "./limits.ts";
import { isObject, type JsonObject } from "./server.ts";
import { cleanLine } from "./text.ts";

/** One page of what a server has, and how to ask for the next. */
export interface ResourcePage {
  readonly resources: readonly JsonObject[];
  /** All templates of URIs; on the first page alone. */
  readonly templates: readonly JsonObject[];
  readonly nextCursor?: string;
}

/** The resources and prompts of the servers of a bridge; all of it is untrusted. */
export interface ServerResources {
  /** The contents of one resource, each with its `uri` and `text` or, in base64, `blob`. */
  read(server: string, uri: string, call: CallOptions): Promise<readonly JsonObject[]>;
  /** The resources of a server, a page at a time. */
  list(server: string, cursor: string | undefined, call: CallOptions): Promise<ResourcePage>;
  /** A prompt with its messages, each of a `role` and one block as `content`. */
  prompt(
    server: string,
    prompt: { readonly name: string; readonly args: JsonObject },
    call: CallOptions,
  ): Promise<JsonObject & { readonly messages: readonly JsonObject[] }>;
}

/** Resources and prompts over `bridge`. */
export function createResources(bridge: Pick<McpBridge, "request">): ServerResources {
  async function listTemplates(server: string, call: CallOptions): Promise<JsonObject[]> {
    const templates: JsonObject[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MAX_TEMPLATE_PAGES; page++) {
      const method = "resources/templates/list";
      let answer: JsonObject;
      try {
        const params = cursor === undefined ? {} : { cursor };
        answer = await bridge.request(server, { method, params, needed: "resources" }, call);
      } catch (error) {
        // Not every server that has resources has templates.
        if (page === 0 && error instanceof AppError && error.kind === "server") return [];
        throw error;
      }
      templates.push(...objectsIn(answer, { server, method, key: "resourceTemplates" }));
      cursor = cursorOf(answer);
      if (cursor === undefined) break;
    }
    return templates;
  }

  return {
    async read(server, uri, call) {
      const method = "resources/read";
      const answer = await bridge.request(
        server,
        { method, params: { uri }, needed: "resources" },
        call,
      );
      return objectsIn(answer, { server, method, key: "contents" });
    },
    async list(server, cursor, call) {
      const method = "resources/list";
      const params = cursor === undefined ? {} : { cursor };
      const answer = await bridge.request(server, { method, params, needed: "resources" }, call);
      const nextCursor = cursorOf(answer);
      return {
        resources: objectsIn(answer, { server, method, key: "resources" }),
        templates: cursor === undefined ? await listTemplates(server, call) : [],
        ...(nextCursor !== undefined && { nextCursor }),
      };
    },
    async prompt(server, { name, args }, call) {
      const method = "prompts/get";
      const params = { name, arguments: args };
      const answer = await bridge.request(server, { method, params, needed: "prompts" }, call);
      const messages = objectsIn(answer, { server, method, key: "messages" });
      if (!messages.every(({ content }) => isObject(content))) {
        throw broken(server, method, "messages without content");
      }
      const { description } = answer;
      return { ...(typeof description === "string" && { description }), messages };
    },
  };
}

function objectsIn(
  answer: JsonObject,
  { server, method, key }: {
    readonly server: string;
    readonly method: string;
    readonly key: string;
  },
): JsonObject[] {
  const items = answer[key];
  if (Array.isArray(items) && items.every(isObject)) return items;
  throw broken(server, method, `${key} that are not a list of objects`);
}

function cursorOf({ nextCursor }: JsonObject): string | undefined {
  return typeof nextCursor === "string" && nextCursor !== "" ? nextCursor : undefined;
}

function broken(server: string, method: string, what: string): AppError {
  return new AppError(
    "protocol",
    `Server "${cleanLine(server, 64)}" answered ${method} with ${what}`,
  );
}
