/**
 * Colours of layers: evenly spaced hues of one lightness, so that no layer looks louder than another and all of them stand out
 * from the ground by a contrast of 3 at least.
 * @module
 */

export type Rgb = readonly [red: number, green: number, blue: number];

/** From teal by blue and violet to orange: neighbours differ for people who cannot tell red from green, too. */
const FIRST_HUE = 190;
const LAST_HUE = 410;

/** A colour of OKLCH (Ottosson, 2020) as bytes, cut to what a screen can show. */
export function oklch(lightness: number, chroma: number, hue: number): Rgb {
  const angle = (hue * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const byte = (linear: number): number => {
    const value = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, value)));
  };
  return [
    byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    byte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** The colour of block i of n. */
export function blockColour(i: number, n: number, dark: boolean): Rgb {
  const hue = FIRST_HUE + ((LAST_HUE - FIRST_HUE) * i) / Math.max(1, n - 1);
  return dark ? oklch(0.78, 0.13, hue) : oklch(0.56, 0.15, hue);
}

export const css = ([red, green, blue]: Rgb): string => `rgb(${red} ${green} ${blue})`;
