// E-T7 S24 S25: odd keys and characters arrive as data
// expect: ok {"tool":"b","params":{"__proto__":{"x":1},"constructor":2,"s":"\ud800 \u0000"}}
const params = JSON.parse('{"__proto__":{"x":1},"constructor":2}');
params.s = "\ud800 \0";
export default await callTool("a", "b", params);
