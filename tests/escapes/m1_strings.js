// E-M1 S14: many strings
// fuel: 1e9
// expect: guest out of memory | limit memory
const kept = [];
for (let i = 0; i < 100; i++) kept.push("é€".repeat(5e6) + i);
export default kept.length;
