// What becomes of the sums of the encoder's products, two rows at a time (product_*.hpp calls them).
#pragma once
#include "block_sums.hpp"
#include "functions.hpp"

namespace limbeck {

// bias, activation, and operands of the next product.
template <bool kGelu>
struct Activate {
  const float* bias;
  Matrix out;
  BlockSums block{};

  void start(int first_row, int nb, const float* sums) { block.start(first_row, nb, sums, bias + nb * 32); }
  void pair(int p) {
    for (int r = 2 * p; r < 2 * p + 2; ++r)
      put(out.at(block.row + r, block.chunk), activate<kGelu>(block.low(r)), activate<kGelu>(block.high(r)));
  }
};

// Queries, keys and values, each where attention wants them.
struct SplitQkv {
  const float* bias;
  int dim;  // of the model; columns 0..dim are queries, dim..2 dim keys, 2 dim..3 dim values
  Matrix queries;
  KeyStore keys;
  ValueStore values;
  const int* slots;  // of each row's key and value, and of the row after the last
  int kind = 0;
  BlockSums block{};

  void start(int first_row, int nb, const float* sums) {
    kind = nb / (dim / 32);
    block.start(first_row, nb % (dim / 32), sums, bias + nb * 32);
  }
  void pair(int p) {
    const int row = block.row + 2 * p, chunk = block.chunk;
    const Vec a0 = block.low(2 * p), a1 = block.high(2 * p), b0 = block.low(2 * p + 1), b1 = block.high(2 * p + 1);
    if (kind == 2) {
      values.put_pair(slots + row, chunk, a0, a1, b0, b1);
    } else if (kind == 1) {
      keys.put_pair(slots + row, chunk, a0, a1, b0, b1);
    } else {
      put(queries.at(row, chunk), a0, a1);
      put(queries.at(row + 1, chunk), b0, b1);
    }
  }
};

}  // namespace limbeck
