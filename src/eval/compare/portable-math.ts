/**
 * exp and log from additions, multiplications and divisions alone, so that every engine gives the same bits: host `Math.exp`
 * and `Math.log` differ in their last place. The method is that of fdlibm (Sun Microsystems, freely distributable): below one
 * unit in the last place of error.
 * @module
 */

const LN2_HIGH = 6.93147180369123816490e-1;
const LN2_LOW = 1.90821492927058770002e-10;
const INVERSE_LN2 = 1.44269504088896338700;
/** Above it exp overflows, below the other it is 0. */
const EXP_MOST = 709.782712893383973096;
const EXP_LEAST = -745.13321910194110842;
/** 2^−1074 … 2^1023 at 0 … 2097, made by exact doublings. */
const POWERS = powersOfTwo();

function powersOfTwo(): Float64Array {
  const powers = new Float64Array(2098);
  powers[1074] = 1;
  for (let i = 1075; i < powers.length; i++) powers[i] = powers[i - 1] * 2;
  for (let i = 1073; i >= 0; i--) powers[i] = powers[i + 1] / 2;
  return powers;
}

/** e^x. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (x > EXP_MOST) return Infinity;
  if (x < EXP_LEAST) return 0;
  const size = Math.abs(x);
  if (size < 2 ** -28) return 1 + x;
  let k = 0;
  let high = x;
  let low = 0;
  if (size > 0.5 * Math.LN2) {
    k = Math.trunc(INVERSE_LN2 * x + (x < 0 ? -0.5 : 0.5));
    high = x - k * LN2_HIGH;
    low = k * LN2_LOW;
  }
  const r = high - low;
  const t = r * r;
  const c = r -
    t * (1.66666666666666019037e-1 +
        t * (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.65339022054652515390e-6 + t * 4.13813679705723846039e-8))));
  if (k === 0) return 1 - ((r * c) / (c - 2) - r);
  const y = 1 - (low - (r * c) / (2 - c) - high);
  if (k === 1024) return y * 2 * POWERS[1023 + 1074];
  // subnormal results are rounded once: the first factor keeps y normal
  return k >= -1021 ? y * POWERS[k + 1074] : y * POWERS[k + 1000 + 1074] * POWERS[74];
}

const BITS = new DataView(new ArrayBuffer(8));

/** The natural logarithm of x. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  let k = 0;
  let m = x;
  if (m < 2 ** -1022) {
    k = -54;
    m *= 2 ** 54;
  }
  BITS.setFloat64(0, m);
  const high = BITS.getUint32(0);
  // m in √½ … √2, and the power of two that was taken out
  const add = ((high & 0xfffff) + 0x95f64) & 0x100000;
  k += (high >>> 20) - 1023 + (add >>> 20);
  BITS.setUint32(0, (high & 0xfffff) | (add ^ 0x3ff00000));
  const f = BITS.getFloat64(0) - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const odd = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  const even = z *
    (6.666666666666735130e-1 +
      w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  const half = 0.5 * f * f;
  return k * LN2_HIGH - (half - (s * (half + odd + even) + k * LN2_LOW) - f);
}
