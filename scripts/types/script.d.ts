/** A script that is started as a worker, by its address. It exports nothing. */
export {};
