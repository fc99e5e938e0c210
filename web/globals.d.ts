/** Constants that scripts/build.mjs writes into the page. */

/** Model files that come with the page, below `models/`. */
declare const BUNDLED_MODELS: readonly { readonly name: string; readonly bytes: number }[];
declare const ENGINE_VERSION: string;
/** Every file of the page, by its path below it. */
declare const PAGE_FILES: readonly string[];
/** Changes when any of them does. */
declare const PAGE_DIGEST: string;
