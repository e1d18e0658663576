// Drives real servers from npm and the official conformance suite with our command line, closing
// with a plain line `N passed, N failed`. Needs `npx` and a package registry.

import { close, runTests } from "./test.ts";

close([await runTests(["tests/integration"])]);
