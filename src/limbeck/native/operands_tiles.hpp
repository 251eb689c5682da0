// Rows on the other sides of products, on tiles: what backward passes and attention multiply beside rows and weights.
#pragma once
#include <algorithm>

namespace limbeck {

inline Halves row_of_block(const bf16* top, const bf16* bottom, int row) { return load_halves(row < 16 ? top + row * 32 : bottom + (row - 16) * 32); }

// Past the caches, for what is not read soon.
template <bool kPast>
inline void store(bf16* at, Halves row) {
  if (kPast) stream_halves(at, row);
  else store_halves(at, row);
}

// 32 x 32 numbers, two rows tiles, as two pairs tiles.
template <bool kPast = false>
inline void block_to_pairs(const bf16* top, const bf16* bottom, bf16* pairs) {
  for (int p = 0; p < 16; ++p) {
    const Halves a = row_of_block(top, bottom, 2 * p), b = row_of_block(top, bottom, 2 * p + 1);
    store<kPast>(pairs + p * 32, mix_low(a, b));
    store<kPast>(pairs + kTile + p * 32, mix_high(a, b));
  }
}

// 32 x 32 numbers, two rows tiles, as the two rows tiles of their transpose.
inline void block_to_crossed(const bf16* top, const bf16* bottom, bf16* left, bf16* right) {
  Halves rows[16];
  for (int p = 0; p < 16; ++p) rows[p] = mix_low(row_of_block(top, bottom, 2 * p), row_of_block(top, bottom, 2 * p + 1));
  turn_pairs(rows);
  for (int p = 0; p < 16; ++p) store_halves(left + p * 32, rows[p]);
  for (int p = 0; p < 16; ++p) rows[p] = mix_high(row_of_block(top, bottom, 2 * p), row_of_block(top, bottom, 2 * p + 1));
  turn_pairs(rows);
  for (int p = 0; p < 16; ++p) store_halves(right + p * 32, rows[p]);
}

// A rows tile as the right operand of a product over its columns.
template <bool kPast = false>
inline void turn_tile(const bf16* rows_tile, bf16* turned) {
  Halves rows[16];
  for (int r = 0; r < 16; ++r) rows[r] = load_halves(rows_tile + r * 32);
  turn_pairs(rows);
  for (int r = 0; r < 16; ++r) store<kPast>(turned + r * 32, rows[r]);
}

// Rows as right operand of a product that sums over rows: [chunks][row blocks][2 pairs tiles].
struct Paired {
  bf16* tiles;
  int blocks, chunks;

  bf16* at(int chunk, int block) const { return tiles + ((size_t)chunk * blocks + block) * 2 * kTile; }
  Paired columns(int chunk) const { return {at(chunk, 0), blocks, chunks - chunk}; }
  void take(Matrix rows, int source, int block) const {  // 32 rows, block `source` of a matrix, become block `block`
    for (int c = 0; c < chunks; ++c) block_to_pairs(rows.at(source * 32, c), rows.at(source * 32 + 16, c), at(c, block));
  }
};

// Rows as left operand of a product that sums over rows: [columns / 16][row blocks] rows tiles of the transpose.
struct Crossed {
  bf16* tiles;
  int blocks, chunks;

  bf16* at(int chunk, int block) const { return tiles + ((size_t)2 * chunk * blocks + block) * kTile; }
  Crossed columns(int chunk) const { return {at(chunk, 0), blocks, chunks - chunk}; }
  void take(Matrix rows, int source, int block) const {
    for (int c = 0; c < chunks; ++c) take_chunk(rows, source, c, c, block);
  }
  void take_chunk(Matrix rows, int source, int from_chunk, int chunk, int block) const {
    bf16* left = at(chunk, block);
    block_to_crossed(rows.at(source * 32, from_chunk), rows.at(source * 32 + 16, from_chunk), left, left + (size_t)blocks * kTile);
  }
};

// Rows as right operand of a product that sums over columns: [row blocks][chunks][2 pairs tiles].
struct Turned {
  bf16* tiles;
  int chunks;

  const bf16* at(int block) const { return tiles + (size_t)block * chunks * 2 * kTile; }
  void take(Matrix rows, int blocks) const {
    for (int b = 0; b < blocks; ++b)
      for (int c = 0; c < chunks; ++c)
        for (int half = 0; half < 2; ++half) turn_tile(rows.at(32 * b + 16 * half, c), tiles + (((size_t)b * chunks + c) * 2 + half) * kTile);
  }
};

inline size_t numbers_of_operand(int rows, int chunks) { return (size_t)rows * chunks * kChunk; }

// What finishers write two rows at a time, a chunk of them at once.
struct CrossedStore {
  Crossed to;
  Halves low[16]{}, high[16]{};

  void put_pair(int row, int chunk, Chunk a, Chunk b) {
    const int p = row % 32 / 2;
    low[p] = mix_low(a, b);
    high[p] = mix_high(a, b);
    if (p < 15) return;
    turn_pairs(low);
    turn_pairs(high);
    bf16 *left = to.at(chunk, row / 32), *right = left + (size_t)to.blocks * kTile;
    for (int i = 0; i < 16; ++i) store_halves(left + i * 32, low[i]);
    for (int i = 0; i < 16; ++i) store_halves(right + i * 32, high[i]);
  }
};
struct PairedStore {
  Paired to;
  void put_pair(int row, int chunk, Chunk a, Chunk b) {
    bf16* at = to.at(chunk, row / 32) + row % 32 / 2 * 32;
    store_halves(at, mix_low(a, b));
    store_halves(at + kTile, mix_high(a, b));
  }
};

// 32 rows times 32 turned rows.
inline void rows_by_turned(Matrix rows, int row, Turned right, int block, float* sums, size_t stride) {
  multiply_block(rows.at(row, 0), rows.at(row + 16, 0), {right.at(block), 2 * kTile}, right.chunks, {sums, stride, true}, [](int) {});
}
// 32 rows of `count` chunks times a chunk of as many blocks of rows, from `first` on: 32 x 32 sums.
inline void rows_by_paired(Matrix rows, Paired right, int chunk, int first, int count, float* sums) {
  multiply_block(rows.at(0, 0), rows.at(16, 0), {right.at(chunk, first), 2 * kTile}, count, {sums, 32, true}, [](int) {});
}
// A chunk of columns times another, summed over the rows of blocks first .. stop.
inline void crossed_by_paired(Crossed left, int left_chunk, Paired right, int right_chunk, int first, int stop, float* sums) {
  const bf16* a = left.at(left_chunk, first);
  multiply_block(a, a + (size_t)left.blocks * kTile, {right.at(right_chunk, first), 2 * kTile}, stop - first, {sums, 32, true}, [](int) {});
}
// `chunks` chunks of columns times the chunks in .. stop of others, summed over all rows, into a gradient.
inline void add_outer(Crossed left, int chunks, Paired right, int in, int stop, float* gradient, int stride, bool fresh) {
  for (int k = 0; k < left.blocks; k += kSlice) {
    const Weights others{right.tiles, in, stop, right.blocks};
    multiply_add(Matrix{left.tiles, left.blocks}.columns(k), chunks * 32, others.from_depth(k), std::min(left.blocks - k, kSlice), gradient, stride, fresh && k == 0);
  }
}
// Sums of each column over all rows.
inline void sum_columns(Crossed left, int chunks, float* sums, bool add) {
  constexpr int kAtOnce = 8;
  for (int o = 0; o < chunks * 32; o += kAtOnce) {
    const bf16* rows = left.tiles + (size_t)(o / 16) * left.blocks * kTile + o % 16 * 32;
    Vec totals[kAtOnce];
    for (Vec& total : totals) total = zero();
    for (int t = 0; t < left.blocks; ++t)
      for (int i = 0; i < kAtOnce; ++i) totals[i] = add_pairs(totals[i], load_halves(rows + (size_t)t * kTile + i * 32));
    for (int i = 0; i < kAtOnce; ++i) sums[o + i] = (add ? sums[o + i] : 0.0f) + sum(totals[i]);
  }
}

// Rows n .. n + 32 of weights (n_out, n_in), packed for y = x wᵀ ([n_out / 32][n_in / 32][2]) and for x = y w
// ([n_in / 32][n_out / 32][2]).
inline void pack_band(const float* weights, int n, int n_out, int n_in, bf16* ahead, bf16* back) {
  alignas(64) bf16 block[2 * kTile];
  const int wide = n_in / 32, tall = n_out / 32;
  for (int kt = 0; kt < wide; ++kt) {
    for (int r = 0; r < 32; ++r) {
      const float* from = weights + (size_t)(n + r) * n_in + kt * 32;
      store_halves(block + r * 32, to_halves(loadu(from), loadu(from + 16)));
    }
    bf16* at = ahead + ((size_t)(n / 32) * wide + kt) * 2 * kTile;
    turn_tile<true>(block, at);
    turn_tile<true>(block + kTile, at + kTile);
    block_to_pairs<true>(block, block + kTile, back + ((size_t)kt * tall + n / 32) * 2 * kTile);
  }
  stream_end();
}

}  // namespace limbeck
