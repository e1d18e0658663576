// E-S3 S21: structuredClone of what is deep
// expect: guest | limit stack
let deep = {};
for (let i = 0; i < 1e5; i++) deep = { deep };
structuredClone(deep);
