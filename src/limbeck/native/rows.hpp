// What happens row by row: embeddings, layer norm, pooling.
//
// In and out: float rows, one a token, and their copy as operands of products. This file does not know products or attention.
#pragma once
#include "moments.hpp"

namespace limbeck {

inline void embed(const float* word, const float* position, int dim, float* row) {
  for (int o = 0; o < dim; o += 16) store(row + o, loadu(word + o) + loadu(position + o));
}

// Normalise rows first..stop of `sums` into operands, and leave (normalised + next_bias) in `sums`: the residual and the
// bias to which the next product is added.
inline void normalise(float* sums, int first, int stop, int dim, Norm norm, float epsilon, const float* next_bias, Matrix rows) {
  for (int r = first; r < stop; ++r) {
    float* row = sums + (size_t)r * dim;
    const auto [mean, one_over] = moments(row, dim, epsilon);
    const Vec inverse = set(one_over);
    for (int o = 0; o < dim; o += 32) {
      Vec y0 = (load(row + o) - mean) * inverse, y1 = (load(row + o + 16) - mean) * inverse;
      y0 = fma(y0, loadu(norm.scale + o), loadu(norm.shift + o));
      y1 = fma(y1, loadu(norm.scale + o + 16), loadu(norm.shift + o + 16));
      put(rows.at(r, o / 32), y0, y1);
      store(row + o, y0 + loadu(next_bias + o));
      store(row + o + 16, y1 + loadu(next_bias + o + 16));
    }
  }
}

// Pool the rows of one text; `bias` is what `normalise` left in them beside the hidden state.
inline void pool(const float* sums, int count, const float* bias, int dim, Kind kind, float* out) {
  if (kind == kFirst) count = 1;
  for (int o = 0; o < dim; o += 16) {
    Vec total = load(sums + o);
    if (kind == kMax)
      for (int i = 1; i < count; ++i) total = max(total, load(sums + (size_t)i * dim + o));
    else
      for (int i = 1; i < count; ++i) total = total + load(sums + (size_t)i * dim + o);
    if (kind == kMean) total = total * set(1.0f / count);
    storeu(out + o, total - loadu(bias + o));
  }
}

}  // namespace limbeck
