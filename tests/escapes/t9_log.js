// E-T9 S15: 200,000 log lines
// expect: ok 1
// truncated: 190,000 lines
// fuel: 2e9
for (let i = 0; i < 200000; i++) console.log("line");
export default 1;
