// E-R3 S20: a thrown string
// expect: guest Program threw "plain text"
throw "plain text";
