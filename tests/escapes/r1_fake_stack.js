// E-R1 S27: a stack that names files of the host
// expect: guest fake
const error = new Error("fake");
error.stack = "    at f (file:///etc/passwd:1:1)\n    at /mcp-tools/servers/x/index.ts:1:1";
throw error;
