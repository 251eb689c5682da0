// Mean and spread of a row: what every layer norm begins with, in inference and in training.
//
// In: a float row, aligned. Out: its mean and one over its standard deviation.
#pragma once
#include <cmath>
#include "api.hpp"

namespace limbeck {

struct Moments { Vec mean; float inverse; };

inline Moments moments(const float* row, int dim, float epsilon) {
  Vec s0 = zero(), s1 = zero();
  for (int o = 0; o < dim; o += 32) {
    s0 = s0 + load(row + o);
    s1 = s1 + load(row + o + 16);
  }
  const Vec mean = set(sum(s0 + s1) / dim);
  s0 = s1 = zero();
  for (int o = 0; o < dim; o += 32) {
    const Vec x0 = load(row + o) - mean, x1 = load(row + o + 16) - mean;
    s0 = fma(x0, x0, s0);
    s1 = fma(x1, x1, s1);
  }
  return {mean, 1.0f / std::sqrt(sum(s0 + s1) / dim + epsilon)};
}

}  // namespace limbeck
