// E-R3 S20: a thrown frozen
// expect: guest Program threw { code: 7 }
throw Object.freeze({ code: 7 });
