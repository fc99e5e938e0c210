/// <reference path="./host.d.ts" />
/** The kernels, as hosts give them that import WebAssembly compiled. */
declare const module: WebAssembly.Module;
export default module;
