// E-C17 S10: generators that delegate to themselves
// expect: limit stack | limit fuel | limit memory | guest
function* self() {
  yield* self();
}
for (const _ of self());
