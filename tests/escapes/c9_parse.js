// E-C9: a huge JSON text
// expect: limit fuel | limit memory
export default JSON.parse("[" + "1,".repeat(3e7) + "1]").length;
