/**
 * The script of a worker thread: one lane of a model. It lies beside the entries as lane.js and is started by
 * lanes/thread.ts; nobody imports it.
 * @module
 */
import { serve } from './lanes/worker.ts';
import { program } from './programs.ts';

serve(program);
