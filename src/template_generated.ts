// @ts-nocheck
// deno-lint-ignore-file
// deno-fmt-ignore-file
// Made from templates/*.hbs by `deno task templates`; not to be edited.

export const host = {"compiler":[8,">= 4.3.0"],"main":function(container,depth0,helpers,partials,data) {
    return "// What a program may ask of mcp-exec. Inside it these functions are globals too; elsewhere this\n// file only gives their types.\n\n/** A call that was refused or failed; `kind` says why, such as `server`, `denied` or `timeout`. */\nexport interface ToolError extends Error {\n  readonly kind: string;\n}\n\nexport interface Host {\n  /** Calls a tool: its structured content, else its text (parsed when JSON), else its blocks. */\n  callTool<T = unknown>(server: string, tool: string, params?: object): Promise<T>;\n  /** Calls tools side by side; the outcomes come in the order of `items`. */\n  callTools(\n    items: readonly { server: string; tool: string; params?: object }[],\n    options?: { concurrency?: number; stopOnError?: boolean },\n  ): Promise<({ ok: true; value: unknown } | { ok: false; error: ToolError })[]>;\n  readFile(path: string): Promise<string>;\n  listFiles(path: string): Promise<string[]>;\n  /** The tools that match a few words, best first. */\n  searchTools(\n    query: string,\n    options?: { server?: string; limit?: number },\n  ): Promise<{ server: string; tool: string; signature: string; summary: string }[]>;\n  getState<T>(key: string): Promise<T | undefined>;\n  setState(key: string, value: unknown): Promise<void>;\n  log(level: \"debug\" | \"info\" | \"warn\" | \"error\", message: unknown): void;\n  readonly ToolError: { new (message: string): ToolError; readonly prototype: ToolError };\n}\n\nconst host = globalThis as unknown as Host;\n\nexport const {\n  callTool,\n  callTools,\n  readFile,\n  listFiles,\n  searchTools,\n  getState,\n  setState,\n  log,\n  ToolError,\n} = host;\n";
},"useData":true};

export const index = {"0":function(container,depth0,helpers,partials,data) {
    var stack1, alias1=container.strict, alias2=container.lambda;

  return "export * from \"./"
    + ((stack1 = alias2(alias1(depth0, "file", {"start":{"line":3,"column":19},"end":{"line":3,"column":23}} ), depth0)) != null ? stack1 : "")
    + "\";"
    + ((stack1 = alias2(alias1(depth0, "note", {"start":{"line":3,"column":29},"end":{"line":3,"column":33}} ), depth0)) != null ? stack1 : "")
    + "\n";
},"compiler":[8,">= 4.3.0"],"main":function(container,depth0,helpers,partials,data) {
    var stack1, lookupProperty = container.lookupProperty || function(parent, propertyName) {
        if (Object.prototype.hasOwnProperty.call(parent, propertyName)) {
          return parent[propertyName];
        }
        return undefined
    };

  return "// "
    + ((stack1 = container.lambda(container.strict(depth0, "title", {"start":{"line":1,"column":5},"end":{"line":1,"column":10}} ), depth0)) != null ? stack1 : "")
    + "\n"
    + ((stack1 = lookupProperty(helpers,"each").call(depth0 != null ? depth0 : (container.nullContext || {}),lookupProperty(depth0,"tools"),{"name":"each","hash":{},"fn":container.program(0, data, 0),"inverse":container.noop,"data":data,"loc":{"start":{"line":2,"column":0},"end":{"line":4,"column":9}}})) != null ? stack1 : "")
    + "export * from \"./types.ts\";\n";
},"useData":true};

export const tool = {"compiler":[8,">= 4.3.0"],"main":function(container,depth0,helpers,partials,data) {
    var stack1, alias1=container.strict, alias2=container.lambda;

  return "import { callTool } from \"./host.ts\";\n"
    + ((stack1 = alias2(alias1(depth0, "imports", {"start":{"line":2,"column":2},"end":{"line":2,"column":9}} ), depth0)) != null ? stack1 : "")
    + "\nexport type "
    + ((stack1 = alias2(alias1(depth0, "typeName", {"start":{"line":3,"column":14},"end":{"line":3,"column":22}} ), depth0)) != null ? stack1 : "")
    + "Params = "
    + ((stack1 = alias2(alias1(depth0, "params", {"start":{"line":3,"column":35},"end":{"line":3,"column":41}} ), depth0)) != null ? stack1 : "")
    + ";\n\nexport type "
    + ((stack1 = alias2(alias1(depth0, "typeName", {"start":{"line":5,"column":14},"end":{"line":5,"column":22}} ), depth0)) != null ? stack1 : "")
    + "Result = "
    + ((stack1 = alias2(alias1(depth0, "result", {"start":{"line":5,"column":35},"end":{"line":5,"column":41}} ), depth0)) != null ? stack1 : "")
    + ";\n\n"
    + ((stack1 = alias2(alias1(depth0, "doc", {"start":{"line":7,"column":2},"end":{"line":7,"column":5}} ), depth0)) != null ? stack1 : "")
    + "export async function "
    + ((stack1 = alias2(alias1(depth0, "functionName", {"start":{"line":7,"column":31},"end":{"line":7,"column":43}} ), depth0)) != null ? stack1 : "")
    + "(params"
    + ((stack1 = alias2(alias1(depth0, "optional", {"start":{"line":7,"column":54},"end":{"line":7,"column":62}} ), depth0)) != null ? stack1 : "")
    + ": "
    + ((stack1 = alias2(alias1(depth0, "typeName", {"start":{"line":7,"column":68},"end":{"line":7,"column":76}} ), depth0)) != null ? stack1 : "")
    + "Params): Promise<"
    + ((stack1 = alias2(alias1(depth0, "typeName", {"start":{"line":7,"column":97},"end":{"line":7,"column":105}} ), depth0)) != null ? stack1 : "")
    + "Result> {\n  return await callTool<"
    + ((stack1 = alias2(alias1(depth0, "typeName", {"start":{"line":8,"column":26},"end":{"line":8,"column":34}} ), depth0)) != null ? stack1 : "")
    + "Result>("
    + ((stack1 = alias2(alias1(depth0, "server", {"start":{"line":8,"column":46},"end":{"line":8,"column":52}} ), depth0)) != null ? stack1 : "")
    + ", "
    + ((stack1 = alias2(alias1(depth0, "tool", {"start":{"line":8,"column":58},"end":{"line":8,"column":62}} ), depth0)) != null ? stack1 : "")
    + ", params);\n}\n";
},"useData":true};

export const types = {"0":function(container,depth0,helpers,partials,data) {
    var stack1, alias1=container.strict, alias2=container.lambda;

  return "\nexport type "
    + ((stack1 = alias2(alias1(depth0, "name", {"start":{"line":4,"column":14},"end":{"line":4,"column":18}} ), depth0)) != null ? stack1 : "")
    + " = "
    + ((stack1 = alias2(alias1(depth0, "text", {"start":{"line":4,"column":25},"end":{"line":4,"column":29}} ), depth0)) != null ? stack1 : "")
    + ";\n";
},"compiler":[8,">= 4.3.0"],"main":function(container,depth0,helpers,partials,data) {
    var stack1, lookupProperty = container.lookupProperty || function(parent, propertyName) {
        if (Object.prototype.hasOwnProperty.call(parent, propertyName)) {
          return parent[propertyName];
        }
        return undefined
    };

  return "// Types that the tools of this server share.\n"
    + ((stack1 = lookupProperty(helpers,"each").call(depth0 != null ? depth0 : (container.nullContext || {}),lookupProperty(depth0,"definitions"),{"name":"each","hash":{},"fn":container.program(0, data, 0),"inverse":container.noop,"data":data,"loc":{"start":{"line":2,"column":0},"end":{"line":5,"column":9}}})) != null ? stack1 : "")
    + "\nexport {};\n";
},"useData":true};
