// E-T2: what is shown in the log is no text
// expect: ok 1
Date.prototype.toISOString = () => ({ toString: 1, toJSON: () => ({ toString: 1 }) });
try {
  log("info", new Date(0));
} catch {
  // It broke that itself.
}
export default 1;
