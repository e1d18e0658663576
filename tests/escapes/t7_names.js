// E-T7 S25: odd names arrive whole
// expect: ok {"tool":"b\u0000c","params":{}}
// calls: 1
export default await callTool("a\0b\ud800", "b\0c");
