// E-C15 S26: cancelling a wait
// expect: interrupted
// cancel: 50
await new Promise((resolve) => setTimeout(resolve, 60000));
