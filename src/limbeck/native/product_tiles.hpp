// Products of bfloat16 rows and weights with float32 sums, on tiles of 16 rows and 64 bytes.
//
// In: rows tiles (left), pairs tiles (right). Out: float32 sums of blocks of 32 x 32. A product_unit_*.hpp, included before, computes
// a block; this file says where operands lie and what is finished meanwhile: the sums of a block are finished while the unit
// works on the next, two rows at a time, so that bias, GELU and conversion cost little beyond the product itself.
//
// Layouts (1 KB a tile, tiles follow each other without gaps):
//   rows tile    16 rows x 32 columns, row by row: the left operand of a product.
//   pairs tile   32 rows x 16 columns, rows taken two at a time: element (k, n) lies at [k / 2][n][k % 2]. The right operand.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace limbeck {

using In = bf16;                        // what operands of products are made of
constexpr bool kExact = false;          // operands are rounded to bfloat16: functions that make them may be as coarse
constexpr int kChunk = 32;              // columns that are stored and computed together
constexpr int kRowStep = 32;            // matrices have a multiple of so many rows
constexpr int kGroupRows = 1 << 30;     // rows that go through weights together: all of a chunk fit the second-level cache
constexpr int kSlice = 24;              // chunks of columns that a product takes at a time
constexpr int kMostBlocks = 16;         // blocks of 32 rows that a task takes through a layer of training; few tasks: each reads all weights
constexpr int kChunkTokens = 512;
constexpr int kChunkStep = kTile;       // numbers from one chunk of a row to the next

// Rows tiles: [rows / 16][stride].
struct Matrix {
  bf16* base;
  int stride;  // tiles from one run of 16 rows to the next

  bf16* at(int row, int chunk) const { return base + ((size_t)(row / 16) * stride + chunk) * kTile + row % 16 * kChunk; }
  Matrix from(int row) const { return {at(row, 0), stride}; }          // `row` is a multiple of 16
  Matrix columns(int chunk) const { return {at(0, chunk), stride}; }  // seen from a chunk of columns on
  static int stride_of(int chunks) { return chunks; }
  static size_t numbers(int rows, int chunks) { return (size_t)rows * chunks * kChunk; }
};

// The columns of a chunk in one row, as they are kept.
using Chunk = Halves;
inline Chunk make(Vec low, Vec high) { return to_halves(low, high); }
inline Vec low(Chunk chunk) { return low_floats(chunk); }
inline Vec high(Chunk chunk) { return high_floats(chunk); }
inline Chunk read(const bf16* at) { return load_halves(at); }
inline void write(bf16* at, Chunk chunk) { store_halves(at, chunk); }
inline void put(bf16* at, Vec low, Vec high) { write(at, make(low, high)); }
inline void copy_chunk(bf16* to, const bf16* from) { store_halves(to, load_halves(from)); }
inline void clear_chunk(bf16* at) { store_halves(at, no_halves()); }

// Keys and values lie in slots, and a text's first slot is a multiple of the power of two that holds the text, of 32 where
// it is longer. Sums over keys are added in lanes and in pairs of a block of 32 slots: so a text's keys meet in one order
// wherever it lies, as those of other texts add exact zeros, and its bits do not depend on its neighbours. Only here are
// there gaps between texts; rows of products have none.
constexpr int kMostSlots = 3;  // for each token: a text of 17 may begin 31 slots after the end of the one before

// The first slot of a text of `length` tokens, when the text before it ends at slot `after`.
inline int first_slot(int after, int length) {
  int step = 1;
  while (step < length && step < 32) step *= 2;
  return (after + step - 1) / step * step;
}

// Where keys go: transposed, as right operand of a product over columns. Sixteen slots are turned when they are full. What
// lies in a gap is never looked at.
struct KeyStore {
  Matrix to;
  Halves gathered[16]{};

  // Columns of `chunk` of two rows; slots[0] and slots[1] are theirs, slots[2] that of the row after them.
  void put_pair(const int* slots, int chunk, Vec a0, Vec a1, Vec b0, Vec b1) {
    put_row(slots[0], slots[1], chunk, to_halves(a0, a1));
    put_row(slots[1], slots[2], chunk, to_halves(b0, b1));
  }

 private:
  void put_row(int slot, int next, int chunk, Halves row) {
    gathered[slot % 16] = row;
    if (next / 16 == slot / 16) return;
    bf16* tile = to.at(slot / 16 * 16, chunk);
    turn_pairs(gathered);
    for (int i = 0; i < 16; ++i) store_halves(tile + i * kChunk, gathered[i]);
  }
};

// Where values go: as right operand of a product over slots, [slots / 32][chunk][2 pairs tiles], in the order of pair_row.
// Gaps are cleared: what is multiplied by a weight of 0 must be a number.
struct ValueStore {
  Matrix to;
  Halves gathered[32]{};

  void put_pair(const int* slots, int chunk, Vec a0, Vec a1, Vec b0, Vec b1) {
    put_row(slots[0], slots[1], chunk, to_halves(a0, a1));
    put_row(slots[1], slots[2], chunk, to_halves(b0, b1));
  }
  bf16* tiles(int block, int chunk) const { return to.base + ((size_t)block * to.stride + chunk) * 2 * kTile; }

 private:
  void put_row(int slot, int next, int chunk, Halves row) {
    gathered[slot % 32] = row;
    const int block = slot / 32, stop = next / 32 == block ? next : block * 32 + 32;
    for (int gap = slot + 1; gap < stop; ++gap) gathered[gap % 32] = no_halves();
    if (next / 32 == block) return;
    bf16* at = tiles(block, chunk);
    for (int pair = 0; pair < 16; ++pair) {
      const Halves a = gathered[2 * pair], b = gathered[2 * pair + 1];
      store_halves(at + pair_row(pair) * kChunk, mix_low(a, b));
      store_halves(at + kTile + pair_row(pair) * kChunk, mix_high(a, b));
    }
  }
};

// Blocks first .. stop of 32 columns; `stride` blocks of depth lie between one and the next.
struct Weights {
  const bf16* packed;
  int first, stop, stride;

  Weights from_depth(int block) const { return {packed + (size_t)block * 2 * kTile, first, stop, stride}; }
  Weights from_column(int block) const { return {packed + (size_t)block * stride * 2 * kTile, first, stop, stride}; }
};
using StepWeights = Weights;

inline size_t packed_bytes(int n_out, int n_in) { return (size_t)n_out * n_in * sizeof(bf16); }

// Weights of (n_out, n_in), packed as [n_out / 32][n_in / 32][2 pairs tiles].
inline void pack_weights(const float* w, int n_out, int n_in, void* packed) {
  for (int nb = 0; nb < n_out / 32; ++nb)
    for (int kt = 0; kt < n_in / 32; ++kt)
      for (int half = 0; half < 2; ++half) {
        bf16* tile = (bf16*)packed + ((size_t)(nb * (n_in / 32) + kt) * 2 + half) * kTile;
        for (int k = 0; k < 32; ++k)
          for (int n = 0; n < 16; ++n) {
            float value = w[(size_t)(nb * 32 + half * 16 + n) * n_in + kt * 32 + k];
            uint32_t bits;
            std::memcpy(&bits, &value, 4);
            bits += 0x7fff + ((bits >> 16) & 1);  // round to nearest even
            tile[(k / 2) * 32 + n * 2 + k % 2] = (bf16)(bits >> 16);
          }
      }
}

// While the first rows meet a panel of weights, the next panel is fetched: few rows leave no other time for it.
inline void fetch_ahead(const bf16* w) {
  for (int line = 0; line < 32; ++line) fetch_far((const char*)w + line * 64);
}

// finisher.start(first row, block of columns, sums) then finisher.pair(p) for p in 0..15 (rows 2p and 2p + 1 of the block).
template <class Finisher>
inline void multiply(Matrix a, int rows, Weights w, int blocks, float* scratch, Finisher& finisher) {
  const int pairs_per_step = (16 + blocks - 1) / blocks;
  int pair = 16, which = 0;
  for (int nb = w.first; nb < w.stop; ++nb) {
    const bf16* panel = w.packed + (size_t)nb * w.stride * 2 * kTile;
    for (int row = 0; row < rows; row += 32) {
      float* sums = scratch + which * 1024;
      which ^= 1;
      multiply_block(a.at(row, 0), a.at(row + 16, 0), {panel, 2 * kTile}, blocks, {sums, 32, true}, [&](int kt) {
        if (row == 0) fetch_ahead(panel + (size_t)(w.stride + kt) * 2 * kTile);
        for (int i = 0; i < pairs_per_step && pair < 16; ++i) finisher.pair(pair++);
      });
      finisher.start(row, nb, sums);
      pair = 0;
    }
  }
  for (; pair < 16; ++pair) finisher.pair(pair);
}

// sums (float rows, `stride` apart) += a * w; `fresh` sums begin at 0 whatever was there.
inline void multiply_add(Matrix a, int rows, Weights w, int blocks, float* sums, int stride, bool fresh = false) {
  for (int nb = w.first; nb < w.stop; ++nb) {
    const bf16* panel = w.packed + (size_t)nb * w.stride * 2 * kTile;
    for (int row = 0; row < rows; row += 32)
      multiply_block(a.at(row, 0), a.at(row + 16, 0), {panel, 2 * kTile}, blocks,
                     {sums + (size_t)row * stride + nb * 32, (size_t)stride, fresh}, [&](int kt) {
                       if (row == 0) fetch_ahead(panel + (size_t)(w.stride + kt) * 2 * kTile);
                     });
  }
}

}  // namespace limbeck
