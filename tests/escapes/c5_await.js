// E-C5 S3: endless awaits
// expect: limit fuel | limit memory
export default await (async () => {
  for (;;) await 0;
})();
