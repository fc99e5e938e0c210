/**
 * The script of a worker thread: one thread of a model. It lies beside the entries as thread.js and is started by
 * threads/port.ts; nobody imports it.
 * @module
 */
import { serve } from './threads/worker.ts';
import { program } from './architectures/programs.ts';

serve(program);
