/**
 * Tests that not every runtime has to run: the slow ones, where another runtime would do the same work once more. The Node that
 * `npm test` is called with runs all of them; `node build/test/run.js --engine` leaves out those of `ONCE`, `--host` those of
 * both lists. test/runtimes/all.mjs says which runtime takes which.
 * @module
 */

/** Beginning of a path below test/ → why one runtime is enough. */
type Reasons = Readonly<Record<string, string>>;

/** Run on one runtime: they hold files and numbers against each other, and what differs between runtimes is tested elsewhere. */
export const ONCE: Reasons = {
  'architectures/reference':
    'a reference in plain numbers; the kernels under it run everywhere, as do hashes of logits',
  'cli/classify': 'processes of the command line; cli/run, cli/usage and cli/writing start them on every runtime',
  'cli/compare': 'as cli/classify',
  'cli/convert-': 'as cli/classify; what is written is compared byte for byte with what the library writes',
  'cli/data': 'as cli/classify',
  'cli/distill': 'as cli/classify',
  'cli/embed': 'as cli/classify',
  'cli/glue': 'as cli/classify',
  'cli/golden': 'as cli/classify; the golden digests are held on every runtime by test/portable',
  'cli/spiking': 'as cli/classify',
  'convert/requantise': 'arithmetic of one element at a time, whose functions kernels/encode runs everywhere',
  'convert/symboliclight': 'files written and read back; the same functions as convert/convert, which runs everywhere',
  'convert/spikingbert': 'as convert/symboliclight',
  'distill/export': 'as convert/symboliclight',
  'docs/': 'the examples of the documentation; they use what other tests run everywhere',
  'house/': 'facts about the checkout, not about a runtime',
  'cli/killed': 'as cli/classify',
  'threads/killed': 'at random what threads/faults does on purpose on every runtime',
  'session/long': 'thousands of steps of kernels that run everywhere; finds work and memory that grow',
};

/** Run once for each engine of JavaScript: another host of V8 compiles the same code to the same instructions. */
export const ENGINE: Reasons = {
  'architectures/': 'numbers and texts of files; no part of a host',
  'distill/': 'arithmetic of training; its files go through bytes/ and cli/',
  'eval/': 'arithmetic and texts',
  'forward/': 'passes of one thread; test/portable compares the hashes of their logits on every host',
  'fuzz/': 'the same changed inputs; what differs between engines differs in the functions of each target',
  'kernels/': 'as forward/',
  'sample/': 'arithmetic; the hashes of test/portable cover it',
  'tokenizer/stress': 'time and memory of the pattern matcher, which belongs to the engine',
  'wasm/values': 'as forward/',
};
