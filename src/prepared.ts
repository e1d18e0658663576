// What only a build knows; it swaps this file for one that says so.

/** SHA-256 of the engine's image beside the bundle; undefined where there is none, as from source. */
export const IMAGE_SHA256: string | undefined = undefined;
