// What only a build knows; it swaps this file for one that says so.

/** SHA-256 of the engine's image beside the bundle; undefined where there is none, as from source. */
export const IMAGE_SHA256: string | undefined = undefined;

/**
 * V8's flags that this program runs under. Whoever starts it once more gives the same ones: what
 * Deno keeps of compiled code is made anew where they differ.
 */
export const V8_FLAGS: string = "--stack-size=3400";
