// E-R3 S20: a thrown undefined
// expect: guest undefined
throw undefined;
