// E-C6 S5: a slow pattern that ignores case, in a loop
// expect: limit fuel
const text = "\u01c5\u0130\ufb03".repeat(2e4);
for (;;) text.replace(/[\p{L}\p{M}]+?(?=\p{N})/giu, "");
