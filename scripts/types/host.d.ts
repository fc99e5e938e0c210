/// <reference lib="es2022" />
/// <reference lib="esnext.disposable" />
// deno-lint-ignore-file no-empty-interface
/**
 * Globals that the declarations of this package mention and that not every host declares. An interface declared twice is one:
 * where the DOM library or the types of a host are loaded, these lines add nothing; elsewhere they keep the declarations valid.
 */
declare global {
  interface AbortSignal {}
  interface Blob {}
  interface File extends Blob {}
  interface Request {}
  interface RequestInit {}
  interface Response {}
  interface URL {}
  namespace WebAssembly {
    interface Memory {}
    interface Module {}
  }
}

export {};
