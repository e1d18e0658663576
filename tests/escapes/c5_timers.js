// E-C5 S3: timers that start themselves
// expect: limit wall
// wall: 300
const again = () => setTimeout(again, 0);
again();
await new Promise(() => {});
