// E-R8: 100,000 rejections
// expect: ok 1
// warns: 99,995 more promises rejected
// fuel: 1e8
for (let i = 0; i < 100_000; i++) Promise.reject(i);
export default 1;
