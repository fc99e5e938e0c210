// Neurons: membranes, thresholds, spikes as bits, and the list of those that fired.
//
//   spikes   one bit each, lowest first:   word i / 32, bit i % 32          padded to whole words with silence

/** Packs the signs of four comparisons, eight at a time, into one byte each. */
@inline
function fired4(x: v128, theta: v128): i32 {
  return i32x4.bitmask(f32x4.ge(x, theta));
}

/**
 * v ← clamp(leak · v + x[t], ±limit);   s[t] = [v ≥ θ];   v ← v · (1 − s[t])                           t = 0 … count − 1 in turn
 * x (count, xStride) f32    v (n) f32 in and out    spikes (count, spikeStride bytes)
 * layout: plain vectors; spikes as above
 * needs: n a multiple of 32 or x zero and θ > 0 up to the next one, v readable and writable to there
 * range: NaN never fires and stays in v.   after a spike v is +0
 * equals: reference.lifScan, bit for bit.   cost: 6 ops and 8 bytes per 4 neurons and step
 */
export function lif_scan_f32(
  x: usize, xStride: i32, v: usize, spikes: usize, spikeStride: i32, n: i32, count: i32, leak: f32, theta: f32, limit: f32,
): void {
  const leaks = f32x4.splat(leak), thetas = f32x4.splat(theta), top = f32x4.splat(limit), bottom = f32x4.splat(-limit);
  for (let t = 0; t < count; t++, x += <usize>xStride << 2, spikes += spikeStride) {
    for (let i = 0; i < n; i += 32) {
      let word = 0;
      for (let j = 0; j < 32; j += 4) {
        const at = (i + j) << 2;
        const u = f32x4.min(f32x4.max(f32x4.add(f32x4.mul(v128.load(v + at), leaks), v128.load(x + at)), bottom), top);
        const fires = f32x4.ge(u, thetas);
        v128.store(v + at, v128.andnot(u, fires));
        word |= i32x4.bitmask(fires) << j;
      }
      store<i32>(spikes + (i >> 3), word);
    }
  }
}

/**
 * s[i] = [x[i] ≥ θ]; returns how many fired                                                                      i < n
 * x (n) f32    spikes (n / 8) u8
 * needs: as `lif_scan_f32`.   range: NaN is silent.   equals: reference.threshold.   cost: 2 ops per 4 neurons
 */
export function threshold_f32(x: usize, n: i32, theta: f32, spikes: usize): i32 {
  const thetas = f32x4.splat(theta);
  let total = 0;
  for (let i = 0; i < n; i += 32) {
    let word = 0;
    for (let j = 0; j < 32; j += 4) word |= fired4(v128.load(x + ((i + j) << 2)), thetas) << j;
    store<i32>(spikes + (i >> 3), word);
    total += popcnt<i32>(word);
  }
  return total;
}

/**
 * list = the i with s[i] = 1, ascending; returns how many                                                        i < n
 * spikes (n / 8) u8    list (n) i32.   needs: silence from n to the next multiple of 32
 * equals: reference.activeList.   cost: 1 op per 32 silent neurons, 4 per spike
 */
export function active_list(spikes: usize, n: i32, list: usize): i32 {
  const start = list;
  for (let i = 0; i < n; i += 32) {
    for (let word = load<u32>(spikes + (i >> 3)); word != 0; word &= word - 1, list += 4) {
      store<i32>(list, i + <i32>ctz<u32>(word));
    }
  }
  return <i32>((list - start) >> 2);
}

/**
 * h ← a·h + (1 − a)·x[t],   x[t] ← h                                     per head, t = 0 … count − 1 in turn
 * x (count, xStride) f32 in and out    h (heads · headDim) f32 in and out    a (heads) f32
 * needs: headDim a multiple of 4.   order: the recurrence, so that batches and single steps agree bit for bit
 * range: subnormal results become +0: a state that fades would be ten times slower for as long as nothing comes in
 * equals: reference.decayScan, bit for bit.   cost: 5 ops per 4 elements
 */
export function decay_scan_f32(x: usize, xStride: i32, h: usize, a: usize, heads: i32, headDim: i32, count: i32): void {
  const smallest = f32x4.splat(f32.MIN_NORMAL_VALUE);
  for (let t = 0; t < count; t++, x += <usize>xStride << 2) {
    let at: usize = 0;
    for (let head = 0; head < heads; head++) {
      const keep = v128.load32_splat(a + (head << 2));
      const take = f32x4.sub(f32x4.splat(1), keep);
      for (let i = 0; i < headDim; i += 4, at += 16) {
        let next = f32x4.add(f32x4.mul(keep, v128.load(h + at)), f32x4.mul(take, v128.load(x + at)));
        next = v128.andnot(next, f32x4.lt(f32x4.abs(next), smallest));
        v128.store(h + at, next);
        v128.store(x + at, next);
      }
    }
  }
}

/** y = g·x + (1 − g)·y, element by element; x, y (n) f32. */
export function mix_f32(y: usize, x: usize, gate: f32, n: i32): void {
  const rest: f32 = 1 - gate;
  for (let i = 0; i < n; i++) {
    const at = i << 2;
    store<f32>(y + at, gate * load<f32>(x + at) + rest * load<f32>(y + at));
  }
}
