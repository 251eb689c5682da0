// Layer norm, forward and backward, row by row, in float32.
//
// In: float rows. Out: their bf16 copies as rows tiles, and what the backward pass needs: the normalised rows before scale
// and shift ("unit", bf16) and one over their standard deviation.
//
// Source: Ba, Kiros, Hinton, "Layer Normalization" (2016), equation 4 and its derivative.
#pragma once
#include "dropout.hpp"
#include "layouts.hpp"
#include "moments_tiles.hpp"

namespace limbeck {

// row += what is kept of (branch + bias).
inline void add_branch(float* row, const float* branch, const float* bias, int dim, const Dropout& dropout, int number) {
  const __m512 scale = _mm512_set1_ps(dropout.scale());
  const RowDropout dice(dropout, number);
  for (int o = 0; o < dim; o += 32) {
    const __mmask32 kept = dice.kept(o / 32);
    const __m512 x0 = _mm512_add_ps(_mm512_load_ps(branch + o), _mm512_loadu_ps(bias + o));
    const __m512 x1 = _mm512_add_ps(_mm512_load_ps(branch + o + 16), _mm512_loadu_ps(bias + o + 16));
    const __m512 y0 = _mm512_load_ps(row + o), y1 = _mm512_load_ps(row + o + 16);
    _mm512_store_ps(row + o, _mm512_mask3_fmadd_ps(x0, scale, y0, (__mmask16)kept));
    _mm512_store_ps(row + o + 16, _mm512_mask3_fmadd_ps(x1, scale, y1, (__mmask16)(kept >> 16)));
  }
}

// Normalise a row in place; `unit` is its place in rows tiles, or null. Returns one over its standard deviation.
inline float normalise(float* row, int dim, Norm norm, float epsilon, bf16* unit) {
  const auto [mean, inverse] = moments(row, dim, epsilon);
  const __m512 by = _mm512_set1_ps(inverse);
  for (int o = 0; o < dim; o += 32) {
    const __m512 u0 = _mm512_mul_ps(_mm512_sub_ps(_mm512_load_ps(row + o), mean), by);
    const __m512 u1 = _mm512_mul_ps(_mm512_sub_ps(_mm512_load_ps(row + o + 16), mean), by);
    if (unit) _mm512_store_si512(unit + (size_t)(o / 32) * kTile, to_bf16(u0, u1));
    _mm512_store_ps(row + o, _mm512_fmadd_ps(u0, _mm512_loadu_ps(norm.scale + o), _mm512_loadu_ps(norm.shift + o)));
    _mm512_store_ps(row + o + 16, _mm512_fmadd_ps(u1, _mm512_loadu_ps(norm.scale + o + 16), _mm512_loadu_ps(norm.shift + o + 16)));
  }
  return inverse;
}

// Drop from a row, in place.
inline void drop(float* row, int dim, const Dropout& dropout, int number) {
  if (!dropout.threshold) return;
  const __m512 scale = _mm512_set1_ps(dropout.scale());
  const RowDropout dice(dropout, number);
  for (int o = 0; o < dim; o += 32) {
    const __mmask32 kept = dice.kept(o / 32);
    _mm512_store_ps(row + o, _mm512_maskz_mul_ps((__mmask16)kept, _mm512_load_ps(row + o), scale));
    _mm512_store_ps(row + o + 16, _mm512_maskz_mul_ps((__mmask16)(kept >> 16), _mm512_load_ps(row + o + 16), scale));
  }
}

// A row into rows tiles, and `bias` added to it: the bias of the product that is added to the row next.
inline void put_row(float* row, int dim, bf16* tiles, const float* bias) {
  for (int o = 0; o < dim; o += 32) {
    const __m512 y0 = _mm512_load_ps(row + o), y1 = _mm512_load_ps(row + o + 16);
    _mm512_store_si512(tiles + (size_t)(o / 32) * kTile, to_bf16(y0, y1));
    if (!bias) continue;
    _mm512_store_ps(row + o, _mm512_add_ps(y0, _mm512_loadu_ps(bias + o)));
    _mm512_store_ps(row + o + 16, _mm512_add_ps(y1, _mm512_loadu_ps(bias + o + 16)));
  }
}

// The gradient of a normalised row becomes that of the row before, in place; those of scale and shift are added up.
// With g = gradient * scale: (g - mean(g) - unit * mean(g * unit)) / standard deviation.
inline void normalise_back(float* row, int dim, const float* scale, const bf16* unit, float inverse, float* scale_sum,
                           float* shift_sum) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0;
  for (int o = 0; o < dim; o += 32) {
    const __m512i units = _mm512_load_si512(unit + (size_t)(o / 32) * kTile);
    for (int half = 0; half < 2; ++half) {
      const int at = o + 16 * half;
      const __m512 u = half ? high_floats(units) : low_floats(units), d = _mm512_load_ps(row + at);
      const __m512 g = _mm512_mul_ps(d, _mm512_loadu_ps(scale + at));
      s0 = _mm512_add_ps(s0, g);
      s1 = _mm512_fmadd_ps(g, u, s1);
      _mm512_store_ps(scale_sum + at, _mm512_fmadd_ps(d, u, _mm512_load_ps(scale_sum + at)));
      _mm512_store_ps(shift_sum + at, _mm512_add_ps(d, _mm512_load_ps(shift_sum + at)));
    }
  }
  const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(s0) / dim), along = _mm512_set1_ps(_mm512_reduce_add_ps(s1) / dim);
  const __m512 by = _mm512_set1_ps(inverse);
  for (int o = 0; o < dim; o += 32) {
    const __m512i units = _mm512_load_si512(unit + (size_t)(o / 32) * kTile);
    for (int half = 0; half < 2; ++half) {
      const int at = o + 16 * half;
      const __m512 u = half ? high_floats(units) : low_floats(units);
      const __m512 g = _mm512_fmsub_ps(_mm512_load_ps(row + at), _mm512_loadu_ps(scale + at), mean);
      _mm512_store_ps(row + at, _mm512_mul_ps(_mm512_fnmadd_ps(u, along, g), by));
    }
  }
}

// What is kept of a gradient, into rows tiles; the row itself stays.
inline void put_kept(const float* row, int dim, bf16* tiles, const Dropout& dropout, int number) {
  const __m512 scale = _mm512_set1_ps(dropout.scale());
  const RowDropout dice(dropout, number);
  for (int o = 0; o < dim; o += 32) {
    const __mmask32 kept = dice.kept(o / 32);
    _mm512_store_si512(tiles + (size_t)(o / 32) * kTile,
                       to_bf16(_mm512_maskz_mul_ps((__mmask16)kept, _mm512_load_ps(row + o), scale),
                               _mm512_maskz_mul_ps((__mmask16)(kept >> 16), _mm512_load_ps(row + o + 16), scale)));
  }
}

}  // namespace limbeck
