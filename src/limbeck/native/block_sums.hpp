// A block of sums as a product hands it to a finisher: rows of 32 numbers, where they belong, and the bias of their columns.
#pragma once

namespace limbeck {

struct BlockSums {
  const float* sums = nullptr;
  int row = 0, chunk = 0;  // of the result
  Vec bias0{}, bias1{};

  // `bias` is that of these 32 columns.
  void start(int first_row, int nb, const float* block, const float* bias) {
    sums = block;
    row = first_row;
    chunk = nb;
    bias0 = loadu(bias);
    bias1 = loadu(bias + 16);
  }
  // Row r with its bias: the first sixteen numbers, and the others.
  Vec low(int r) const { return load(sums + r * 32) + bias0; }
  Vec high(int r) const { return load(sums + r * 32 + 16) + bias1; }
};

}  // namespace limbeck
