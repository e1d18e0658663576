// E-T2: lists that JSON writes as METHOD, while what is exported is told
// expect: none Program has no result
// each: null undefined 5 {}
Array.prototype.toJSON = () => METHOD;
Object.keys = () => METHOD;
export const a = 1;
