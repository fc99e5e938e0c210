/**
 * The raster: a column for every token or time step, a row for every neuron, in the colours of the blocks. Columns are painted once
 * into a picture of a pixel a cell, and the picture is drawn in strips, so that a frame costs the same however long the text is.
 * @module
 */
import { type Band, bandsOf, indices, ones, shares } from './bins.ts';
import { csvLine } from './dom.ts';
import { blockColour, type Rgb } from './palette.ts';

/** Columns that are kept; of a longer text the oldest are forgotten. */
const MOST_COLUMNS = 2048;
/** CSS pixels of a column. */
const NARROWEST = 4;
const WIDEST = { token: 14, step: 48 } as const;

export interface RasterLayer {
  readonly name: string;
  readonly neurons: number;
}

/** The block of a layer, from its name: 0 for what comes before the blocks. */
const blockOf = (name: string): number => 1 + Number(/\.(\d+)\./.exec(name)?.[1] ?? -1);

export interface RasterOptions {
  /** What a column is called. */
  readonly unit: 'token' | 'step';
  /** The text of a column, for people. */
  label(column: number): string;
  /** The column that is looked at has changed. */
  onCursor(column: number | null): void;
}

export class Raster {
  readonly canvas: HTMLCanvasElement;
  readonly #options: RasterOptions;
  readonly #context: CanvasRenderingContext2D;
  readonly #picture: HTMLCanvasElement = document.createElement('canvas');
  readonly #dark = matchMedia('(prefers-color-scheme: dark)');
  #columns: (readonly Uint8Array[])[] = [];
  #layers: readonly RasterLayer[] = [];
  #colours: Rgb[] = [];
  #bands: Band[] = [];
  #only: number | undefined;
  #row = new Float32Array(0);
  #pixels = new ImageData(1, 1);
  #expected = 1;
  #cursor: number | null = null;
  #queued = false;
  /** Columns that were pushed, forgotten ones too. */
  count = 0;
  /** Neurons that fired, over all columns. */
  fired = 0;

  constructor(canvas: HTMLCanvasElement, options: RasterOptions) {
    this.canvas = canvas;
    this.#options = options;
    this.#context = canvas.getContext('2d') as CanvasRenderingContext2D;
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'slider');
    new ResizeObserver(() => this.#layOut()).observe(canvas);
    this.#dark.addEventListener('change', () => this.#layOut());
    canvas.addEventListener('pointermove', (event) => this.look(this.#columnAt(event.offsetX)));
    canvas.addEventListener('pointerdown', (event) => this.look(this.#columnAt(event.offsetX)));
    canvas.addEventListener('pointerleave', (event) => {
      if (event.pointerType === 'mouse') this.look(null);
    });
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('blur', () => this.look(null));
    this.#say();
  }

  /** Neurons of all layers. */
  get neurons(): number {
    return this.#layers.reduce((sum, { neurons }) => sum + neurons, 0);
  }

  get layers(): readonly RasterLayer[] {
    return this.#layers;
  }

  get cursor(): number | null {
    return this.#cursor;
  }

  /** Begins anew. @param expected columns that will come, which set their width */
  reset(layers: readonly RasterLayer[], expected: number): void {
    this.#layers = layers;
    this.#expected = Math.max(1, expected);
    this.#columns = [];
    this.count = this.fired = 0;
    this.#cursor = null;
    if (this.#only !== undefined && this.#only >= layers.length) this.#only = undefined;
    this.#layOut();
    this.#say();
  }

  /** The next column. @param bits of every layer; they are kept */
  push(bits: readonly Uint8Array[]): void {
    this.#columns[this.count % MOST_COLUMNS] = bits;
    for (const layer of bits) this.fired += ones(layer);
    this.#paint(this.count);
    this.count++;
    this.draw();
  }

  /** Shows one layer, or all. */
  only(layer: number | undefined): void {
    this.#only = layer;
    this.#layOut();
  }

  /** Looks at a column. */
  look(column: number | null): void {
    const first = Math.max(0, this.count - MOST_COLUMNS);
    const at = column === null || column < first || column >= this.count ? null : column;
    if (at === this.#cursor) return;
    this.#cursor = at;
    this.#say();
    this.#options.onCursor(at);
    this.draw();
  }

  /** Neurons of each layer that fired in a column. */
  firedIn(column: number): number[] {
    return (this.#columns[column % MOST_COLUMNS] ?? []).map(ones);
  }

  /** A column in words. */
  describe(column: number): string {
    const fired = this.firedIn(column).reduce((sum, n) => sum + n, 0);
    const share = ((100 * fired) / this.neurons).toFixed(1);
    return `${this.#options.unit} ${column + 1}${this.#options.label(column)}: ${fired.toLocaleString('en-GB')} of ` +
      `${this.neurons.toLocaleString('en-GB')} neurons fired, ${share} %`;
  }

  /** CSS colour of each block, by its name. */
  legend(): { readonly name: string; readonly colour: Rgb }[] {
    const seen = new Map<number, { name: string; colour: Rgb }>();
    this.#layers.forEach(({ name }, i) => {
      const block = blockOf(name);
      if (!seen.has(block)) {
        seen.set(block, { name: block === 0 ? name : `block ${block}`, colour: this.#colours[i] });
      }
    });
    return [...seen.values()];
  }

  /** Draws before the next frame. */
  draw(): void {
    if (this.#queued) return;
    this.#queued = true;
    requestAnimationFrame(() => {
      this.#queued = false;
      this.#say();
      this.#drawNow(this.#context, this.canvas.width, this.canvas.height, this.#width(), this.#first(), this.#cursor);
    });
  }

  /** The whole raster as a picture. */
  async png(): Promise<Blob> {
    const kept = Math.min(this.count, MOST_COLUMNS);
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, kept * 8);
    canvas.height = Math.max(480, this.#row.length);
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    this.#drawNow(context, canvas.width, canvas.height, 8, this.count - kept, null);
    return await new Promise((resolve, reject) =>
      canvas.toBlob((blob) => blob ? resolve(blob) : reject(new Error('the browser made no picture')), 'image/png')
    );
  }

  /** Who fired: a line for every column and layer. */
  csv(): Blob {
    const parts = [csvLine([this.#options.unit, 'text', 'layer', 'neurons', 'fired', 'neurons that fired'])];
    for (let i = Math.max(0, this.count - MOST_COLUMNS); i < this.count; i++) {
      this.#columns[i % MOST_COLUMNS].forEach((bits, layer) => {
        const { name, neurons } = this.#layers[layer];
        const list = indices(bits);
        parts.push(csvLine([i + 1, this.#options.label(i).trim(), name, neurons, list.length, list.join(' ')]));
      });
    }
    return new Blob(parts, { type: 'text/csv' });
  }

  /** Device pixels of a column. */
  #width(): number {
    const ratio = devicePixelRatio || 1;
    const fitting = Math.floor(this.canvas.width / this.#expected);
    return Math.round(Math.min(WIDEST[this.#options.unit] * ratio, Math.max(NARROWEST * ratio, fitting)));
  }

  /** First column that is shown: the newest are, unless an older one is looked at. */
  #first(): number {
    const room = Math.max(1, Math.floor(this.canvas.width / this.#width()));
    const newest = Math.max(0, this.count - room);
    return this.#cursor === null ? newest : Math.min(newest, this.#cursor);
  }

  #columnAt(x: number): number | null {
    const column = this.#first() + Math.floor((x * (devicePixelRatio || 1)) / this.#width());
    return column < this.count ? column : null;
  }

  #key(event: KeyboardEvent): void {
    const from = this.#cursor ?? this.count - 1;
    const to: Readonly<Record<string, number>> = {
      ArrowLeft: from - 1,
      ArrowDown: from - 1,
      ArrowRight: from + 1,
      ArrowUp: from + 1,
      PageDown: from - 10,
      PageUp: from + 10,
      Home: 0,
      End: this.count - 1,
    };
    if (!(event.key in to) || this.count === 0) return;
    event.preventDefault();
    this.look(Math.min(this.count - 1, Math.max(0, to[event.key])));
  }

  #say(): void {
    const at = this.#cursor ?? Math.max(0, this.count - 1);
    const { canvas } = this;
    canvas.setAttribute('aria-valuemin', '1');
    canvas.setAttribute('aria-valuemax', String(Math.max(1, this.count)));
    canvas.setAttribute('aria-valuenow', String(at + 1));
    canvas.setAttribute('aria-valuetext', this.count === 0 ? 'nothing yet' : this.describe(at));
  }

  /** Sizes and colours anew, and all columns with them. */
  #layOut(): void {
    const ratio = devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    const blocks = Math.max(0, ...this.#layers.map(({ name }) => blockOf(name))) + 1;
    this.#colours = this.#layers.map(({ name }) => blockColour(blockOf(name), blocks, this.#dark.matches));
    this.#bands = bandsOf(this.#layers.map(({ neurons }) => neurons), this.canvas.height, this.#only);
    const rows = this.#bands.reduce((sum, band) => sum + band.rows, 0);
    this.#row = new Float32Array(rows);
    this.#picture.width = Math.min(MOST_COLUMNS, Math.max(this.#expected, this.count) + 64);
    this.#picture.height = Math.max(1, rows);
    this.#pixels = new ImageData(1, Math.max(1, rows));
    for (let i = Math.max(0, this.count - this.#picture.width); i < this.count; i++) this.#paint(i);
    this.draw();
  }

  /** A column of the picture. */
  #paint(column: number): void {
    if (column >= this.#picture.width && this.#picture.width < MOST_COLUMNS) {
      this.#expected = 2 * column; // more than were expected
      this.#layOut();
    }
    const { data } = this.#pixels;
    shares(this.#columns[column % MOST_COLUMNS], this.#bands, this.#row);
    for (const { layer, from, rows } of this.#bands) {
      const [red, green, blue] = this.#colours[layer];
      for (let row = from; row < from + rows; row++) {
        const share = Math.min(1, this.#row[row]);
        data[4 * row] = red;
        data[4 * row + 1] = green;
        data[4 * row + 2] = blue;
        data[4 * row + 3] = share === 0 ? 0 : 70 + 185 * share;
      }
    }
    this.#picture.getContext('2d')?.putImageData(this.#pixels, column % this.#picture.width, 0);
  }

  #drawNow(
    context: CanvasRenderingContext2D,
    width: number,
    height: number,
    cell: number,
    first: number,
    cursor: number | null,
  ): void {
    const style = getComputedStyle(this.canvas);
    const ground = style.getPropertyValue('--panel').trim();
    context.imageSmoothingEnabled = false;
    context.globalAlpha = 1;
    context.fillStyle = ground;
    context.fillRect(0, 0, width, height);
    if (this.#bands.length === 0) return;
    const gap = this.#bands.length > 1 ? Math.max(1, Math.min(4, Math.round(height / this.#bands.length / 8))) : 0;
    const scale = (height - gap * (this.#bands.length - 1)) / this.#row.length;
    const shown = Math.min(Math.ceil(width / cell), this.count - first);
    const at = (band: number): number => Math.round(this.#bands[band].from * scale + gap * band);
    const tall = (band: number): number => Math.max(1, Math.round(this.#bands[band].rows * scale));
    for (let done = 0; done < shown;) {
      const from = (first + done) % this.#picture.width;
      const n = Math.min(shown - done, this.#picture.width - from);
      this.#bands.forEach(({ from: row, rows }, i) => {
        context.drawImage(this.#picture, from, row, n, rows, done * cell, at(i), n * cell, tall(i));
      });
      done += n;
    }
    context.fillStyle = ground;
    if (cell >= 4) { for (let x = 1; x <= shown; x++) context.fillRect(x * cell - 1, 0, 1, height); }
    if (scale >= 5) {
      this.#bands.forEach(({ rows }, i) => {
        for (let y = 1; y < rows; y++) context.fillRect(0, Math.round(at(i) + y * scale) - 1, width, 1);
      });
    }
    if (cursor === null) return;
    const x = (cursor - first) * cell;
    context.globalAlpha = 0.6;
    context.fillRect(0, 0, x, height);
    context.fillRect(x + cell, 0, width, height);
    context.globalAlpha = 1;
    context.fillStyle = style.getPropertyValue('--ink').trim();
    context.fillRect(x, 0, Math.max(1, cell - 1), 2);
    context.fillRect(x, height - 2, Math.max(1, cell - 1), 2);
  }
}
