/**
 * `strftime` as Python has it on Linux, in English on every host: all directives, with the flags of glibc (`%-d`, `%_d`, `%^a` …).
 * @module
 */

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const DAY_MS = 86_400_000;

/** Directives that stand for others. */
const WHOLE: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  h: '%b',
  r: '%I:%M:%S %p',
  R: '%H:%M',
  T: '%H:%M:%S',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
};

/** Numbers: the value, its width and what fills it. */
type Numbers = Readonly<Record<string, (at: Moment) => readonly [value: number, width: number, fill: string]>>;

interface Moment {
  readonly date: Date;
  readonly day: number;
  readonly weekday: number;
  readonly iso: { readonly year: number; readonly week: number };
}

const hour12 = (date: Date): number => date.getHours() % 12 || 12;

const NUMBERS: Numbers = {
  C: ({ date }) => [Math.floor(date.getFullYear() / 100), 2, '0'],
  d: ({ date }) => [date.getDate(), 2, '0'],
  e: ({ date }) => [date.getDate(), 2, ' '],
  g: ({ iso }) => [iso.year % 100, 2, '0'],
  G: ({ iso }) => [iso.year, 1, '0'],
  H: ({ date }) => [date.getHours(), 2, '0'],
  I: ({ date }) => [hour12(date), 2, '0'],
  j: ({ day }) => [day, 3, '0'],
  k: ({ date }) => [date.getHours(), 2, ' '],
  l: ({ date }) => [hour12(date), 2, ' '],
  m: ({ date }) => [date.getMonth() + 1, 2, '0'],
  M: ({ date }) => [date.getMinutes(), 2, '0'],
  s: ({ date }) => [Math.floor(date.getTime() / 1000), 1, '0'],
  S: ({ date }) => [date.getSeconds(), 2, '0'],
  u: ({ weekday }) => [weekday || 7, 1, '0'],
  U: ({ day, weekday }) => [Math.floor((day + 6 - weekday) / 7), 2, '0'],
  V: ({ iso }) => [iso.week, 2, '0'],
  w: ({ weekday }) => [weekday, 1, '0'],
  W: ({ day, weekday }) => [Math.floor((day + 6 - (weekday + 6) % 7) / 7), 2, '0'],
  y: ({ date }) => [date.getFullYear() % 100, 2, '0'],
  Y: ({ date }) => [date.getFullYear(), 1, '0'],
};

const NAMES: Readonly<Record<string, (date: Date) => string>> = {
  a: (date) => DAYS[date.getDay()].slice(0, 3),
  A: (date) => DAYS[date.getDay()],
  b: (date) => MONTHS[date.getMonth()].slice(0, 3),
  B: (date) => MONTHS[date.getMonth()],
  f: (date) => String(date.getMilliseconds() * 1000).padStart(6, '0'),
  n: () => '\n',
  p: (date) => date.getHours() < 12 ? 'AM' : 'PM',
  P: (date) => date.getHours() < 12 ? 'am' : 'pm',
  t: () => '\t',
  // the time is of no zone, as that of Python's datetime.now()
  z: () => '',
  Z: () => '',
  '%': () => '%',
};

/** @param date read in local time @param most characters of the result at most, longer fields are cut */
export function formatDate(date: Date, format: string, most: number = 1 << 16): string {
  const moment = momentOf(date);
  const write = (text: string): string =>
    text.replace(/%([-_0^#]*)(\d{0,4})([EO]?)([A-Za-z%])/g, (all, flags: string, width: string, _, kind: string) => {
      let shown: string;
      const size = Math.min(Number(width || 0), most);
      if (Object.hasOwn(NUMBERS, kind)) {
        const [value, usual, fill] = NUMBERS[kind](moment);
        const flag = [...flags].reverse().find((one) => '-_0'.includes(one));
        const digits = String(Math.abs(value));
        const padding = flag === '-' ? '' : flag === '_' ? ' ' : flag === '0' ? '0' : fill;
        shown = (value < 0 ? '-' : '') +
          (padding === '' ? digits : digits.padStart(Math.max(size, width === '' ? usual : 0), padding));
      } else if (Object.hasOwn(WHOLE, kind)) shown = write(WHOLE[kind]).padStart(size, flags.includes('0') ? '0' : ' ');
      else if (Object.hasOwn(NAMES, kind)) shown = NAMES[kind](date).padStart(size, flags.includes('0') ? '0' : ' ');
      else return all;
      if (flags.includes('^')) return shown.toUpperCase();
      return flags.includes('#') ? swapped(shown, kind) : shown;
    });
  return write(format);
}

/** `#` writes names large, and AM and PM small. */
const swapped = (text: string, kind: string): string => kind === 'p' ? text.toLowerCase() : text.toUpperCase();

function momentOf(date: Date): Moment {
  const year = date.getFullYear();
  const noon = (y: number, month: number, day: number): number => Date.UTC(y, month, day, 12);
  const today = noon(year, date.getMonth(), date.getDate());
  const day = Math.round((today - noon(year, 0, 1)) / DAY_MS) + 1;
  // the week of ISO 8601 belongs to the year of its Thursday
  const thursday = new Date(today + (4 - (date.getDay() || 7)) * DAY_MS);
  const isoYear = thursday.getUTCFullYear();
  const week = Math.floor(Math.round((thursday.getTime() - noon(isoYear, 0, 1)) / DAY_MS) / 7) + 1;
  return { date, day, weekday: date.getDay(), iso: { year: isoYear, week } };
}
