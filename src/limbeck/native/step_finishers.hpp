// What becomes of the sums of the training step's products, two rows at a time (product_*.hpp calls them).
#pragma once
#include "block_sums.hpp"
#include "functions.hpp"

namespace limbeck {

alignas(64) static const float kNoBias[32] = {};

// bias, and operands of the next product.
struct PutRows {
  const float* bias;  // may be null
  Matrix out;         // from the first row on
  BlockSums block{};

  void start(int first_row, int nb, const float* sums) { block.start(first_row, nb, sums, bias ? bias + nb * 32 : kNoBias); }
  void pair(int p) {
    for (int r = 2 * p; r < 2 * p + 2; ++r) put(out.at(block.row + r, block.chunk), block.low(r), block.high(r));
  }
};

// The inner layer of the feed-forward net: bias, kept for the backward pass (unless `before` is null), activation.
template <bool kGelu>
struct Inner {
  const float* bias;
  Matrix before, out;  // from the first row and the slice's first column on
  BlockSums block{};

  void start(int first_row, int nb, const float* sums) { block.start(first_row, nb, sums, bias + nb * 32); }
  void pair(int p) {
    for (int r = 2 * p; r < 2 * p + 2; ++r) {
      const Chunk x = make(block.low(r), block.high(r));
      if (before.base) write(before.at(block.row + r, block.chunk), x);
      put(out.at(block.row + r, block.chunk), activate<kGelu>(low(x)), activate<kGelu>(high(x)));
    }
  }
};

// Back through the activation: the gradient before it, as rows and crossed, and the activation itself as pairs.
template <bool kGelu>
struct InnerBack {
  Matrix before, out;    // from the first row and the slice's first column on
  CrossedStore crossed;  // from the slice's first column on
  PairedStore paired;
  int first;             // row of the batch that is row 0 here
  const float* sums = nullptr;
  int row = 0, chunk = 0;

  void start(int first_row, int nb, const float* block) {
    sums = block;
    row = first_row;
    chunk = nb;
  }
  void pair(int p) {
    Chunk gradient[2], active[2];
    for (int r = 0; r < 2; ++r) {
      const int here = row + 2 * p + r;
      const float* from = sums + (2 * p + r) * 32;
      const Chunk x = read(before.at(here, chunk));
      active[r] = make(activate<kGelu>(low(x)), activate<kGelu>(high(x)));
      gradient[r] = make(load(from) * slope<kGelu>(low(x)), load(from + 16) * slope<kGelu>(high(x)));
      write(out.at(here, chunk), gradient[r]);
    }
    paired.put_pair(first + row + 2 * p, chunk, active[0], active[1]);
    crossed.put_pair(first + row + 2 * p, chunk, gradient[0], gradient[1]);
  }
};

}  // namespace limbeck
