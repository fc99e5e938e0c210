/**
 * The script of a worker that runs a model for a page. It is part of `ternspike/worker` as text, and a file of its own,
 * worker-host.js, for pages that may start no other.
 * @module
 */
import { serveModel } from './worker/host.ts';

serveModel();
