// From one layout of tiles to another (tiles.hpp says what rows and pairs tiles are).
//
// A matrix of tokens x columns lies as
//   rows      [tokens / 16][columns / 32] rows tiles: left operand where columns are summed over;
//   pairs     [columns / 32][tokens / 32][2] pairs tiles: right operand where tokens are summed over;
//   crossed   [columns / 16][tokens / 32] rows tiles of the transpose: left operand where tokens are summed over.
#pragma once
#include "linear.hpp"

namespace limbeck {

inline __m512 low_floats(__m512i row) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(row)), 16));
}
inline __m512 high_floats(__m512i row) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(row, 1)), 16));
}

// Two rows of 32 columns, number by number: columns 0-15, and columns 16-31.
inline __m512i mix_low(__m512i a, __m512i b) {
  const __m512i order = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                         5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  return _mm512_permutex2var_epi16(a, order, b);
}
inline __m512i mix_high(__m512i a, __m512i b) {
  const __m512i order = _mm512_set_epi16(63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25, 56, 24, 55, 23, 54, 22,
                                         53, 21, 52, 20, 51, 19, 50, 18, 49, 17, 48, 16);
  return _mm512_permutex2var_epi16(a, order, b);
}

// A matrix as rows tiles.
struct Matrix {
  bf16* tiles;
  int per;  // column tiles

  bf16* row(int row) const { return tiles + (size_t)(row / 16) * per * kTile + row % 16 * 32; }  // columns 32 c at + c * kTile
  Rows from(int row, int blocks) const { return {tiles + (size_t)(row / 16) * per * kTile, blocks, per}; }
  Matrix columns(int first) const { return {tiles + (size_t)first * kTile, per}; }  // seen from column tile `first` on
};

inline __m512i row_of_block(const bf16* top, const bf16* bottom, int row) {
  return _mm512_load_si512(row < 16 ? top + row * 32 : bottom + (row - 16) * 32);
}

// Past the caches, for what is not read soon.
template <bool kPast>
inline void store(bf16* at, __m512i row) {
  if (kPast) _mm512_stream_si512((__m512i*)at, row);
  else _mm512_store_si512(at, row);
}

// 32 x 32 numbers, two rows tiles, as two pairs tiles.
template <bool kPast = false>
inline void block_to_pairs(const bf16* top, const bf16* bottom, bf16* pairs) {
  for (int p = 0; p < 16; ++p) {
    const __m512i a = row_of_block(top, bottom, 2 * p), b = row_of_block(top, bottom, 2 * p + 1);
    store<kPast>(pairs + p * 32, mix_low(a, b));
    store<kPast>(pairs + kTile + p * 32, mix_high(a, b));
  }
}

// 32 x 32 numbers, two rows tiles, as the two rows tiles of their transpose.
inline void block_to_crossed(const bf16* top, const bf16* bottom, bf16* left, bf16* right) {
  __m512i rows[16];
  for (int p = 0; p < 16; ++p) rows[p] = mix_low(row_of_block(top, bottom, 2 * p), row_of_block(top, bottom, 2 * p + 1));
  transpose_dwords(rows);
  for (int p = 0; p < 16; ++p) _mm512_store_si512(left + p * 32, rows[p]);
  for (int p = 0; p < 16; ++p) rows[p] = mix_high(row_of_block(top, bottom, 2 * p), row_of_block(top, bottom, 2 * p + 1));
  transpose_dwords(rows);
  for (int p = 0; p < 16; ++p) _mm512_store_si512(right + p * 32, rows[p]);
}

// A rows tile as the right operand of a product over its columns.
template <bool kPast = false>
inline void turn_tile(const bf16* rows_tile, bf16* turned) {
  __m512i rows[16];
  for (int r = 0; r < 16; ++r) rows[r] = _mm512_load_si512(rows_tile + r * 32);
  transpose_dwords(rows);
  for (int r = 0; r < 16; ++r) store<kPast>(turned + r * 32, rows[r]);
}

// Block `source` of 32 rows of a matrix, as block `token_block` of `token_blocks` of its pairs form.
inline void rows_to_pairs(Matrix m, int source, int token_block, int token_blocks, bf16* pairs) {
  const bf16* top = m.row(source * kBlock);
  const bf16* bottom = m.row(source * kBlock + 16);
  for (int c = 0; c < m.per; ++c)
    block_to_pairs(top + (size_t)c * kTile, bottom + (size_t)c * kTile, pairs + ((size_t)c * token_blocks + token_block) * 2 * kTile);
}

inline void rows_to_crossed(Matrix m, int source, int token_block, int token_blocks, bf16* crossed) {
  const bf16* top = m.row(source * kBlock);
  const bf16* bottom = m.row(source * kBlock + 16);
  for (int c = 0; c < m.per; ++c) {
    bf16* left = crossed + ((size_t)2 * c * token_blocks + token_block) * kTile;
    block_to_crossed(top + (size_t)c * kTile, bottom + (size_t)c * kTile, left, left + (size_t)token_blocks * kTile);
  }
}

// Rows n .. n + 32 of weights (n_out, n_in), packed for y = x wᵀ ([n_out / 32][n_in / 32][2]) and for x = y w
// ([n_in / 32][n_out / 32][2]).
inline void pack_band(const float* weights, int n, int n_out, int n_in, bf16* ahead, bf16* back) {
  alignas(64) bf16 block[2 * kTile];
  const int wide = n_in / kBlock, high = n_out / kBlock;
  for (int kt = 0; kt < wide; ++kt) {
    for (int r = 0; r < kBlock; ++r) {
      const float* from = weights + (size_t)(n + r) * n_in + kt * kBlock;
      _mm512_store_si512(block + r * 32, to_bf16(_mm512_loadu_ps(from), _mm512_loadu_ps(from + 16)));
    }
    bf16* at = ahead + ((size_t)(n / kBlock) * wide + kt) * 2 * kTile;
    turn_tile<true>(block, at);
    turn_tile<true>(block + kTile, at + kTile);
    block_to_pairs<true>(block, block + kTile, back + ((size_t)kt * high + n / kBlock) * 2 * kTile);
  }
  _mm_sfence();
}

}  // namespace limbeck
