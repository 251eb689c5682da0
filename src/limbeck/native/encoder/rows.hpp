// What happens row by row: embeddings, layer norm, pooling.
//
// In and out: float rows, one a token, and their bf16 copy as rows tiles. This file does not know products or attention.
#pragma once
#include "moments.hpp"

namespace limbeck {

enum Kind : int32_t { kFirst = 0, kMean = 1, kMax = 2 };

inline void embed(const float* word, const float* position, int dim, float* row) {
  for (int o = 0; o < dim; o += 16)
    _mm512_store_ps(row + o, _mm512_add_ps(_mm512_loadu_ps(word + o), _mm512_loadu_ps(position + o)));
}

// Normalise rows first..stop of `sums` into rows tiles, and leave (normalised + next_bias) in `sums`: the residual and
// the bias to which the next product is added.
inline void normalise(float* sums, int first, int stop, int dim, Norm norm, float epsilon, const float* next_bias,
                      bf16* tiles) {
  const int per = dim / kBlock;
  for (int r = first; r < stop; ++r) {
    float* row = sums + (size_t)r * dim;
    const auto [mean, one_over] = moments(row, dim, epsilon);
    const __m512 inverse = _mm512_set1_ps(one_over);
    bf16* at = tiles + (size_t)(r / 16) * per * kTile + (r % 16) * 32;
    for (int o = 0; o < dim; o += 32) {
      __m512 y0 = _mm512_mul_ps(_mm512_sub_ps(_mm512_load_ps(row + o), mean), inverse);
      __m512 y1 = _mm512_mul_ps(_mm512_sub_ps(_mm512_load_ps(row + o + 16), mean), inverse);
      y0 = _mm512_fmadd_ps(y0, _mm512_loadu_ps(norm.scale + o), _mm512_loadu_ps(norm.shift + o));
      y1 = _mm512_fmadd_ps(y1, _mm512_loadu_ps(norm.scale + o + 16), _mm512_loadu_ps(norm.shift + o + 16));
      _mm512_store_si512(at + (size_t)(o / kBlock) * kTile, to_bf16(y0, y1));
      _mm512_store_ps(row + o, _mm512_add_ps(y0, _mm512_loadu_ps(next_bias + o)));
      _mm512_store_ps(row + o + 16, _mm512_add_ps(y1, _mm512_loadu_ps(next_bias + o + 16)));
    }
  }
}

// Pool the rows of one text; `bias` is what `normalise` left in them beside the hidden state.
inline void pool(const float* sums, int count, const float* bias, int dim, Kind kind, float* out) {
  if (kind == kFirst) count = 1;
  for (int o = 0; o < dim; o += 16) {
    __m512 total = _mm512_load_ps(sums + o);
    if (kind == kMax)
      for (int i = 1; i < count; ++i) total = _mm512_max_ps(total, _mm512_load_ps(sums + (size_t)i * dim + o));
    else
      for (int i = 1; i < count; ++i) total = _mm512_add_ps(total, _mm512_load_ps(sums + (size_t)i * dim + o));
    if (kind == kMean) total = _mm512_mul_ps(total, _mm512_set1_ps(1.0f / count));
    _mm512_storeu_ps(out + o, _mm512_sub_ps(total, _mm512_loadu_ps(bias + o)));
  }
}

}  // namespace limbeck
