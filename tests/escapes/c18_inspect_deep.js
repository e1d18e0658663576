// S15 S21: console shows what is deep or refers to itself
// expect: ok 1
let deep = {};
for (let i = 0; i < 1e4; i++) deep = { deep };
const self = { map: new Map(), set: new Set() };
self.self = self;
self.map.set(self, self);
self.set.add(self);
console.log(deep, self, [self, [self]]);
log("info", self);
export default 1;
