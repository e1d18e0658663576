// E-R7 S12: timers after the result never fire
// expect: ok 1
// calls: 0
setTimeout(() => callTool("a", "late"), 0);
setInterval(() => callTool("a", "late"), 1);
export default 1;
