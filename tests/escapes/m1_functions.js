// E-M1 S13: functions without end
// expect: limit fuel | limit memory
// fuel: 3e7
const all = [];
for (let i = 0;; i++) all.push(new Function("return " + i));
