// E-M1 S13: regexps without end
// expect: limit fuel | limit memory | guest
// fuel: 3e7
const all = [];
for (let i = 0;; i++) all.push(new RegExp("a{" + i + "}"));
