// E-R4 S17: a result nested 100,000 deep
// expect: guest | limit stack | limit fuel
let deep = 1;
for (let i = 0; i < 1e5; i++) deep = [deep];
export default deep;
