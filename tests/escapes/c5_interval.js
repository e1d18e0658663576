// E-C5 S3: an interval that is never cleared
// expect: limit wall
// wall: 300
setInterval(() => {}, 1);
await new Promise(() => {});
