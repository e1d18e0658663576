// E-S2 S19: a pattern nested in METHOD
// expect: guest | limit stack | limit fuel
// each: groups lookaheads noncapturing
const open = { groups: "(", lookaheads: "(?=", classes: "[^", noncapturing: "(?:" }["METHOD"];
const close = "METHOD" === "classes" ? "]" : ")";
new RegExp(open.repeat(1e5) + "a" + close.repeat(1e5)).test("a");
throw new Error("matched");
