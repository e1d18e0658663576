// E-S1 S21: a tower of classes
// expect: guest | limit stack | limit fuel | ok
let Top = class {};
for (let i = 0; i < 2e4; i++) Top = class extends Top {};
new Top();
