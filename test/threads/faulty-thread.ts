/** A thread that can be told to fail: see `FAULTS`. */
import process from 'node:process';
import { serve } from '../../src/threads/worker.ts';
import { program } from '../../src/architectures/programs.ts';
import { AT_START, FAULT_WORD, FAULTS, HUNG } from './executors.ts';

/** (module (memory 1) (func (export "f") i32.const -4 i32.load drop)) */
const TRAP = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 5, 1, 1, 102, 0, 0, 10, 10];
TRAP.push(1, 8, 0, 65, 124, 40, 2, 0, 26, 11);

/** Longer than anybody waits, but not for ever: Deno cannot end a busy thread. */
const HANG_MS = 20_000;

function fail(fault: number): void {
  switch (fault) {
    case FAULTS.throw:
      throw new Error('on purpose');
    case FAULTS.trap:
      return (new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(TRAP))).exports.f as () => void)();
    case FAULTS.exit:
      return process.exit(3);
    case FAULTS.hang: {
      const never = new Int32Array(new SharedArrayBuffer(4));
      for (const end = performance.now() + HANG_MS; performance.now() < end;) Atomics.wait(never, 0, 0, 1);
      throw new Error(HUNG);
    }
    case FAULTS.delay: {
      const end = performance.now() + Math.random() * 0.3;
      while (performance.now() < end);
    }
  }
}

serve(async (recipe, means) => {
  const fault = (base: number): void => {
    const order = Atomics.load(means.words, FAULT_WORD);
    if (order >> 8 === means.index) fail((order & 255) - base);
  };
  fault(AT_START);
  const run = await program(recipe, means);
  return (thread) => {
    fault(0);
    run(thread);
  };
});
