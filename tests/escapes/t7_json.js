// E-T7 S24: parameters that change while they are read
// expect: ok {"tool":"b","params":{"a":1,"list":[1,null,null]}}
// calls: 1
let reads = 0;
const params = {
  get a() {
    return ++reads;
  },
  list: [1, undefined, () => 1],
  gone: undefined,
};
export default await callTool("a", "b", params);
