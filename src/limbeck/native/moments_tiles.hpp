// Mean and spread of a row: what every layer norm begins with, in inference and in training.
//
// In: a float row, aligned. Out: its mean and one over its standard deviation.
#pragma once
#include <cmath>
#include "tiles.hpp"

namespace limbeck {

struct Norm { const float *scale, *shift; };

struct Moments { __m512 mean; float inverse; };

inline Moments moments(const float* row, int dim, float epsilon) {
  __m512 s0 = _mm512_setzero_ps(), s1 = s0;
  for (int o = 0; o < dim; o += 32) {
    s0 = _mm512_add_ps(s0, _mm512_load_ps(row + o));
    s1 = _mm512_add_ps(s1, _mm512_load_ps(row + o + 16));
  }
  const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(_mm512_add_ps(s0, s1)) / dim);
  s0 = s1 = _mm512_setzero_ps();
  for (int o = 0; o < dim; o += 32) {
    const __m512 x0 = _mm512_sub_ps(_mm512_load_ps(row + o), mean);
    const __m512 x1 = _mm512_sub_ps(_mm512_load_ps(row + o + 16), mean);
    s0 = _mm512_fmadd_ps(x0, x0, s0);
    s1 = _mm512_fmadd_ps(x1, x1, s1);
  }
  return {mean, 1.0f / std::sqrt(_mm512_reduce_add_ps(_mm512_add_ps(s0, s1)) / dim + epsilon)};
}

}  // namespace limbeck
