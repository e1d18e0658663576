// E-R5: a result read before it has a value
// expect: guest
const read = () => late;
export default read();
let late = 1;
