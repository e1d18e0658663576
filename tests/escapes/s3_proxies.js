// E-S3: a tower of proxies
// expect: guest | limit stack | limit fuel | limit memory
let a = {};
for (let i = 0; i < 1e5; i++) a = new Proxy(a, {});
a.x;
