// E-R3 S20: a thrown undefined
// expect: guest Program threw undefined
throw undefined;
