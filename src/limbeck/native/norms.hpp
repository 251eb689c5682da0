// Layer norm, forward and backward, row by row, in float32.
//
// In: float rows. Out: their copies as operands, and what the backward pass needs: the normalised rows before scale
// and shift ("unit") and one over their standard deviation.
//
// Source: Ba, Kiros, Hinton, "Layer Normalization" (2016), equation 4 and its derivative.
#pragma once
#include "dropout.hpp"
#include "moments.hpp"

namespace limbeck {

// row += what is kept of (branch + bias).
inline void add_branch(float* row, const float* branch, const float* bias, int dim, const Dropout& dropout, int number) {
  const Vec scale = set(dropout.scale());
  const RowDropout dice(dropout, number);
  for (int o = 0; o < dim; o += 32) {
    const uint32_t kept = dice.kept(o / 32);
    const Vec x0 = load(branch + o) + loadu(bias + o), x1 = load(branch + o + 16) + loadu(bias + o + 16);
    const Vec y0 = load(row + o), y1 = load(row + o + 16);
    store(row + o, pick(kept & 0xffff, fma(x0, scale, y0), y0));
    store(row + o + 16, pick(kept >> 16, fma(x1, scale, y1), y1));
  }
}

// Normalise a row in place; `unit` is its place among operands, or null. Returns one over its standard deviation.
inline float normalise(float* row, int dim, Norm norm, float epsilon, In* unit) {
  const auto [mean, inverse] = moments(row, dim, epsilon);
  const Vec by = set(inverse);
  for (int o = 0; o < dim; o += 32) {
    const Vec u0 = (load(row + o) - mean) * by, u1 = (load(row + o + 16) - mean) * by;
    if (unit) put(unit + (size_t)(o / 32) * kChunkStep, u0, u1);
    store(row + o, fma(u0, loadu(norm.scale + o), loadu(norm.shift + o)));
    store(row + o + 16, fma(u1, loadu(norm.scale + o + 16), loadu(norm.shift + o + 16)));
  }
  return inverse;
}

// Drop from a row, in place.
inline void drop(float* row, int dim, const Dropout& dropout, int number) {
  if (!dropout.threshold) return;
  const Vec scale = set(dropout.scale());
  const RowDropout dice(dropout, number);
  for (int o = 0; o < dim; o += 32) {
    const uint32_t kept = dice.kept(o / 32);
    store(row + o, keep(kept & 0xffff, load(row + o) * scale));
    store(row + o + 16, keep(kept >> 16, load(row + o + 16) * scale));
  }
}

// A row as operand of products, and `bias` added to it: the bias of the product that is added to the row next.
inline void put_row(float* row, int dim, In* to, const float* bias) {
  for (int o = 0; o < dim; o += 32) {
    const Vec y0 = load(row + o), y1 = load(row + o + 16);
    put(to + (size_t)(o / 32) * kChunkStep, y0, y1);
    if (!bias) continue;
    store(row + o, y0 + loadu(bias + o));
    store(row + o + 16, y1 + loadu(bias + o + 16));
  }
}

// The gradient of a normalised row becomes that of the row before, in place; those of scale and shift are added up.
// With g = gradient * scale: (g - mean(g) - unit * mean(g * unit)) / standard deviation.
inline void normalise_back(float* row, int dim, const float* scale, const In* unit, float inverse, float* scale_sum,
                           float* shift_sum) {
  Vec s0 = zero(), s1 = zero();
  for (int o = 0; o < dim; o += 32) {
    const Chunk units = read(unit + (size_t)(o / 32) * kChunkStep);
    for (int half = 0; half < 2; ++half) {
      const int at = o + 16 * half;
      const Vec u = half ? high(units) : low(units), d = load(row + at);
      const Vec g = d * loadu(scale + at);
      s0 = s0 + g;
      s1 = fma(g, u, s1);
      store(scale_sum + at, fma(d, u, load(scale_sum + at)));
      store(shift_sum + at, d + load(shift_sum + at));
    }
  }
  const Vec mean = set(sum(s0) / dim), along = set(sum(s1) / dim), by = set(inverse);
  for (int o = 0; o < dim; o += 32) {
    const Chunk units = read(unit + (size_t)(o / 32) * kChunkStep);
    for (int half = 0; half < 2; ++half) {
      const int at = o + 16 * half;
      const Vec u = half ? high(units) : low(units);
      const Vec g = fms(load(row + at), loadu(scale + at), mean);
      store(row + at, fnma(u, along, g) * by);
    }
  }
}

// What is kept of a gradient, as operand of products; the row itself stays.
inline void put_kept(const float* row, int dim, In* to, const Dropout& dropout, int number) {
  const Vec scale = set(dropout.scale());
  const RowDropout dice(dropout, number);
  for (int o = 0; o < dim; o += 32) {
    const uint32_t kept = dice.kept(o / 32);
    put(to + (size_t)(o / 32) * kChunkStep, keep(kept & 0xffff, load(row + o) * scale), keep(kept >> 16, load(row + o + 16) * scale));
  }
}

}  // namespace limbeck
