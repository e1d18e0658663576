// E-C6 S5: backtracking of METHOD
// expect: limit fuel
// each: ^(a|a)*$ ^(a|aa)+$ ^(x+x+|a+a*)+y (a*)*\\1b ^(([a-z])+.)+[A-Z]([a-z])+$
const text = "a".repeat(40) + "!";
new RegExp("METHOD").test(text);
