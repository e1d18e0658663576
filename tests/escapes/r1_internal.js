// E-R1 S9: errors that pretend to be the engine's own
// expect: guest
// each: interrupted out_of_memory stack_overflow
const error = new Error("METHOD");
Object.setPrototypeOf(error, InternalError.prototype);
throw error;
