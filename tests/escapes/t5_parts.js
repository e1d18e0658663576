// E-T5 S25: import of METHOD
// expect: guest Module not found
// each: mcp:host?x mcp:../x mcp:%2e%2e/x mcp:a/../../b /mcp-tools/servers/../../etc/passwd /mcp-tools/servers/x/index.ts?y refused:/1 mcp:main \\u006dcp:x MCP:host mcp:HOST
await import("METHOD");
