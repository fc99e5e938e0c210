/**
 * Arithmetic of Python: integers without bound (but for the budget), floats, and text and lists where they add and multiply.
 * @module
 */
import { bitsOf, type Budget } from './budget.ts';
import { escaped } from './html.ts';
import { printf } from './printf.ts';
import { fail, isNumber, isText, Markup, Tuple, typeName, Undefined, type Value } from './values.ts';

export type Operator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/** `left operator right`. @throws {TemplateFailure} where Python has no such operation */
export function binary(operator: Operator, left: Value, right: Value, budget: Budget): Value {
  if (operator === '%' && isText(left)) return printf(left, right, budget);
  for (const side of [left, right]) if (side instanceof Undefined) fail(side.message);
  if (isNumber(left) && isNumber(right)) return arithmetic(operator, numeric(left), numeric(right), budget);
  const result = operator === '+'
    ? sum(left, right, budget)
    : operator === '*'
    ? product(left, right, budget) ?? product(right, left, budget)
    : undefined;
  if (result !== undefined) return result;
  return fail(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`);
}

/** A boolean as the integer that it is in Python. */
export const numeric = (value: boolean | bigint | number): bigint | number =>
  typeof value === 'boolean' ? (value ? 1n : 0n) : value;

function sum(left: Value, right: Value, budget: Budget): Value | undefined {
  if (isText(left) && isText(right)) {
    if (left instanceof Markup || right instanceof Markup) {
      const text = escaped(left, budget) + escaped(right, budget);
      budget.chars(text.length);
      return new Markup(text);
    }
    budget.chars(left.length + right.length);
    return left + right;
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    budget.items(left.length + right.length);
    return [...left, ...right];
  }
  if (left instanceof Tuple && right instanceof Tuple) {
    budget.items(left.items.length + right.items.length);
    return new Tuple([...left.items, ...right.items]);
  }
  return undefined;
}

/** A text or list several times. */
function product(value: Value, times: Value, budget: Budget): Value | undefined {
  if (typeof times !== 'bigint' && typeof times !== 'boolean') return undefined;
  const count = Math.max(0, Number(numeric(times)));
  if (count >= 2 ** 63) return fail("cannot fit 'int' into an index-sized integer");
  if (isText(value)) {
    const text = typeof value === 'string' ? value : value.text;
    if (text !== '') budget.chars(text.length * count);
    const repeated = text === '' ? '' : text.repeat(count);
    return typeof value === 'string' ? repeated : new Markup(repeated);
  }
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (items === undefined) return undefined;
  if (items.length > 0) budget.items(items.length * count);
  const repeated = items.length === 0 ? [] : Array.from({ length: count }, () => items).flat(1) as Value[];
  return Array.isArray(value) ? repeated : new Tuple(repeated);
}

function arithmetic(operator: Operator, a: bigint | number, b: bigint | number, budget: Budget): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return integers(operator, a, b, budget);
  const [x, y] = [toFloat(a), toFloat(b)];
  switch (operator) {
    case '+':
      return x + y;
    case '-':
      return x - y;
    case '*':
      return x * y;
    case '/':
      return y === 0 ? fail('float division by zero') : x / y;
    case '//':
      return y === 0 ? fail('float floor division by zero') : divmod(x, y)[0];
    case '%':
      return y === 0 ? fail('float modulo') : divmod(x, y)[1];
    case '**':
      return power(x, y);
  }
}

function integers(operator: Operator, a: bigint, b: bigint, budget: Budget): Value {
  switch (operator) {
    case '+':
      return checked(a + b, budget);
    case '-':
      return checked(a - b, budget);
    case '*':
      budget.bits(bitsOf(a) + bitsOf(b) - 64);
      return a * b;
    case '/':
      return b === 0n ? fail('division by zero') : quotient(a, b);
    case '//':
      return b === 0n ? fail('integer division or modulo by zero') : floorDivide(a, b);
    case '%':
      return b === 0n ? fail('integer modulo by zero') : a - floorDivide(a, b) * b;
    case '**':
      if (b < 0n) return a === 0n ? fail('0.0 cannot be raised to a negative power') : power(Number(a), Number(b));
      if (a !== 0n && a !== 1n && a !== -1n) budget.bits((a.toString(2).length - 1) * Number(b));
      return a === -1n ? (b % 2n === 0n ? 1n : -1n) : a === 0n || a === 1n ? (b === 0n ? 1n : a) : a ** b;
  }
}

function checked(value: bigint, budget: Budget): bigint {
  budget.bits(bitsOf(value));
  return value;
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return quotient * b !== a && (a < 0n) !== (b < 0n) ? quotient - 1n : quotient;
}

/** The nearest float to a quotient of integers of any size. */
function quotient(a: bigint, b: bigint): number {
  const small = 1n << 53n;
  if (a >= -small && a <= small && b >= -small && b <= small) return Number(a) / Number(b);
  // 66 bits of the quotient and a sticky one say how it rounds
  const [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  const shift = BigInt(Math.max(0, 66 - (x.toString(2).length - y.toString(2).length)));
  const scaled = (x << shift) / y;
  const sticky = scaled * y !== x << shift ? 1n : 0n;
  const value = Number((scaled << 1n) | sticky) / 2 ** (Number(shift) + 1);
  return toFinite((a < 0n) !== (b < 0n) ? -value : value);
}

function toFinite(value: number): number {
  return Number.isFinite(value) ? value : fail('integer division result too large for a float');
}

/** An integer as a float. @throws {TemplateFailure} beyond the range of floats */
export function toFloat(value: bigint | number): number {
  const float = Number(value);
  return typeof value === 'bigint' && !Number.isFinite(float) ? fail('int too large to convert to float') : float;
}

/** Python's floor division and modulo of floats. */
function divmod(x: number, y: number): [number, number] {
  let remainder = x % y;
  let quotient = (x - remainder) / y;
  if (remainder !== 0) {
    if ((y < 0) !== (remainder < 0)) {
      remainder += y;
      quotient -= 1;
    }
  } else {
    remainder = y < 0 ? -0 : 0;
  }
  if (quotient === 0) return [x / y < 0 || Object.is(x / y, -0) ? -0 : 0, remainder];
  const floor = Math.floor(quotient);
  return [quotient - floor > 0.5 ? floor + 1 : floor, remainder];
}

function power(x: number, y: number): number {
  if (x === 0 && y < 0) fail('0.0 cannot be raised to a negative power');
  if (x < 0 && Number.isFinite(x) && Number.isFinite(y) && !Number.isInteger(y)) {
    fail('complex numbers are not supported');
  }
  if (x === 1 || y === 0) return 1;
  if (x === -1 && !Number.isFinite(y) && !Number.isNaN(y)) return 1;
  const result = x ** y;
  if (!Number.isFinite(result) && Number.isFinite(x) && Number.isFinite(y)) fail('Numerical result out of range');
  return result;
}

/** `-value` and `+value`. */
export function unary(operator: '+' | '-', value: Value): Value {
  if (value instanceof Undefined) fail(value.message);
  if (!isNumber(value)) return fail(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  const number = numeric(value);
  return operator === '-' ? -number : number;
}

/** A bound, index or count. @throws {TemplateFailure} for anything but an integer */
export function integer(value: Value, what: string): number {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'boolean') return Number(value);
  if (value instanceof Undefined) return fail(value.message);
  return fail(`${what}: '${typeName(value)}' object cannot be interpreted as an integer`);
}
