/**
 * Decimals of floats, exact to the last digit and rounded half to even, as C and Python print them: `toFixed` rounds ties up and
 * ends at 1e21.
 * @module
 */
import { fail } from './values.ts';

/** Places beyond which no format is followed: a float has at most 1074 after the point. */
export const MAX_PLACES = 1100;

/** The integer nearest to `value · 10^places`, ties to even. `value` is finite. */
export function scaled(value: number, places: number): bigint {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const word = bits.getBigUint64(0);
  const exponent = Number((word >> 52n) & 0x7ffn);
  const fraction = word & 0xfffffffffffffn;
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n);
  const power = Math.max(exponent, 1) - 1075;
  let top = mantissa * (places > 0 ? 10n ** BigInt(places) : 1n);
  let bottom = places < 0 ? 10n ** BigInt(-places) : 1n;
  if (power > 0) top <<= BigInt(power);
  else bottom <<= BigInt(-power);
  const floor = top / bottom;
  const twice = (top - floor * bottom) * 2n;
  const up = twice > bottom || (twice === bottom && floor % 2n === 1n);
  const magnitude = up ? floor + 1n : floor;
  return value < 0 ? -magnitude : magnitude;
}

/** `%.{places}f` of a finite value, without its sign. */
export function fixed(value: number, places: number): string {
  if (places > MAX_PLACES) fail(`a precision of ${places} is too large; at most ${MAX_PLACES} places are written`);
  const digits = String(scaled(Math.abs(value), places)).padStart(places + 1, '0');
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

/** Significant digits and decimal exponent of a finite value: `d.ddd · 10^exponent`. */
export function significant(value: number, count: number): { digits: string; exponent: number } {
  if (count > MAX_PLACES) fail(`a precision of ${count} is too large; at most ${MAX_PLACES} digits are written`);
  const magnitude = Math.abs(value);
  if (magnitude === 0) return { digits: '0'.repeat(count), exponent: 0 };
  let exponent = Number(magnitude.toExponential().split('e')[1]);
  let digits = String(scaled(magnitude, count - 1 - exponent));
  if (digits.length > count) {
    exponent++;
    digits = String(scaled(magnitude, count - 1 - exponent));
  }
  return { digits, exponent };
}

/** `%.{places}e` of a finite value, without its sign. */
export function exponential(value: number, places: number): string {
  const { digits, exponent } = significant(value, places + 1);
  const mantissa = places === 0 ? digits : `${digits[0]}.${digits.slice(1)}`;
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** `%.{precision}g` of a finite value, without its sign. @param keep whether trailing zeros stay (`#`) */
export function general(value: number, precision: number, keep: boolean, most: number = precision || 1): string {
  const count = precision || 1;
  const { digits, exponent } = significant(value, count);
  const bare = (text: string): string => keep || !text.includes('.') ? text : text.replace(/\.?0+$/, '');
  if (exponent < -4 || exponent >= most) {
    const mantissa = bare(count === 1 ? digits : `${digits[0]}.${digits.slice(1)}`);
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  return bare(fixed(value, Math.max(0, count - 1 - exponent)));
}

/** `round(value, places)` of Python: the float nearest to the decimal, ties to even. */
export function roundFloat(value: number, places: number): number {
  if (!Number.isFinite(value) || places > 324) return value;
  if (places < -309) return value < 0 ? -0 : 0;
  const rounded = scaled(value, places);
  if (rounded === 0n) return value < 0 || Object.is(value, -0) ? -0 : 0;
  return Number(`${rounded}e${-places}`);
}

/** `round(value, places)` of an integer: places below 0 round to tens, hundreds …, ties to even. */
export function roundInt(value: bigint, places: number): bigint {
  if (places >= 0) return value;
  const unit = 10n ** BigInt(Math.min(-places, 4000));
  const magnitude = value < 0n ? -value : value;
  const floor = magnitude / unit;
  const twice = (magnitude - floor * unit) * 2n;
  const nearest = twice > unit || (twice === unit && floor % 2n === 1n) ? floor + 1n : floor;
  return (value < 0n ? -nearest : nearest) * unit;
}
