// What becomes of the sums of the encoder's products, two rows at a time (product_*.hpp calls them).
#pragma once
#include "functions.hpp"

namespace limbeck {

// bias, activation, and operands of the next product.
template <bool kGelu>
struct Activate {
  const float* bias;
  Matrix out;
  const float* sums = nullptr;
  int row = 0, chunk = 0;
  Vec bias0{}, bias1{};

  void start(int first_row, int nb, const float* block) {
    sums = block;
    row = first_row;
    chunk = nb;
    bias0 = loadu(bias + nb * 32);
    bias1 = loadu(bias + nb * 32 + 16);
  }
  void pair(int p) {
    for (int r = 2 * p; r < 2 * p + 2; ++r)
      put(out.at(row + r, chunk), activate<kGelu>(load(sums + r * 32) + bias0), activate<kGelu>(load(sums + r * 32 + 16) + bias1));
  }
};

// Queries, keys and values, each where attention wants them.
struct SplitQkv {
  const float* bias;
  int dim;  // of the model; columns 0..dim are queries, dim..2 dim keys, 2 dim..3 dim values
  Matrix queries;
  KeyStore keys;
  ValueStore values;
  const float* sums = nullptr;
  int row = 0, kind = 0, chunk = 0;
  Vec bias0{}, bias1{};

  void start(int first_row, int nb, const float* block) {
    sums = block;
    row = first_row;
    kind = nb / (dim / 32);
    chunk = nb % (dim / 32);
    bias0 = loadu(bias + nb * 32);
    bias1 = loadu(bias + nb * 32 + 16);
  }
  void pair(int p) {
    const float* at = sums + 2 * p * 32;
    const Vec a0 = load(at) + bias0, a1 = load(at + 16) + bias1, b0 = load(at + 32) + bias0, b1 = load(at + 48) + bias1;
    if (kind == 2) {
      values.put_pair(row + 2 * p, chunk, a0, a1, b0, b1);
    } else if (kind == 1) {
      keys.put_pair(row + 2 * p, chunk, a0, a1, b0, b1);
    } else {
      put(queries.at(row + 2 * p, chunk), a0, a1);
      put(queries.at(row + 2 * p + 1, chunk), b0, b1);
    }
  }
};

}  // namespace limbeck
