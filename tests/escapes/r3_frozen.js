// E-R3 S20: a thrown frozen
// expect: guest code: 7
throw Object.freeze({ code: 7 });
