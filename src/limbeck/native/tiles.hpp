// Tiles: the 16-row, 64-byte registers of AMX, and how numbers lie in memory for them.
//
// In: arrays. Out: arrays. This file does not know what a transformer is.
//
// Layouts (bf16, 1 KB a tile, tiles follow each other without gaps):
//   rows tile    16 rows x 32 columns, row by row: the left operand of a product.
//   pairs tile   32 rows x 16 columns, rows taken two at a time: element (k, n) lies at [k / 2][n][k % 2]. The right operand.
#pragma once
#include <immintrin.h>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace limbeck {

using bf16 = uint16_t;
constexpr int kTileRows = 16;
constexpr int kBlock = 32;            // rows or columns of a block: two tiles
constexpr int kTile = 16 * 32;        // bf16 numbers in a tile
constexpr int kTileBytesPerRow = 64;

// The compiler does not see which memory a tile instruction reads, so stores must be complete before it.
inline void fence() { asm volatile("" ::: "memory"); }

inline void configure_tiles() {
  alignas(64) uint8_t config[64] = {};
  config[0] = 1;  // palette 1
  for (int tile = 0; tile < 8; ++tile) {
    config[16 + 2 * tile] = kTileBytesPerRow;
    config[48 + tile] = kTileRows;
  }
  asm volatile("" : : "r"(config) : "memory");  // the intrinsic tells the compiler of its first 8 bytes only
  _tile_loadconfig(config);
}

inline void pause() { _mm_pause(); }

inline void release_tiles() { _tile_release(); }

// Sums 0..3 (two by two tiles) += rows tiles A0, A1 times the two pairs tiles at W.
#define LIMBECK_STEP(A0, A1, W)                  \
  do {                                           \
    _tile_loadd(6, (W), 64);                     \
    _tile_loadd(4, (A0), 64);                    \
    _tile_dpbf16ps(0, 4, 6);                     \
    _tile_loadd(7, (W) + kTile, 64);             \
    _tile_dpbf16ps(1, 4, 7);                     \
    _tile_loadd(5, (A1), 64);                    \
    _tile_dpbf16ps(2, 5, 6);                     \
    _tile_dpbf16ps(3, 5, 7);                     \
  } while (0)

// Two vectors of 16 floats as 32 bf16 (round to nearest even), `low` first.
inline __m512i to_bf16(__m512 low, __m512 high) {
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

// Turn 16 vectors of 16 dwords into their transpose.
inline void transpose_dwords(__m512i v[16]) {
  __m512i t[16];
  for (int i = 0; i < 8; ++i) {
    t[2 * i] = _mm512_unpacklo_epi32(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(v[2 * i], v[2 * i + 1]);
  }
  for (int i = 0; i < 4; ++i) {
    v[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    v[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    v[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    v[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    v[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
    v[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
  }
}

// Order of the 32 keys of a block inside a row of probabilities, as _mm512_packs_epi32 leaves them:
// lane l holds keys 4l..4l+3 and then 16+4l..16+4l+3. Values lie in the same order, pair by pair.
inline int pair_row(int pair) {  // pair = key / 2, 0..15
  return pair < 8 ? (pair / 2) * 4 + pair % 2 : ((pair - 8) / 2) * 4 + 2 + pair % 2;
}

}  // namespace limbeck
