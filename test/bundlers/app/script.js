// A program of a bundle: the check, printed.
import { check } from './check.js';

console.log(JSON.stringify(await check()));
