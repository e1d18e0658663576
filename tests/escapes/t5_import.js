// E-T5: import of METHOD
// expect: guest Module not found
// each: node:fs std os https://example.com/x.js data:text/javascript,1 /etc/passwd ../../etc/passwd mcp:entry mcp:prelude npm:chalk file:///etc/passwd
await import("METHOD");
