// Products of packed rows and packed weights.
//
// In: a (rows tiles), w (pairs tiles). Out: whatever the finisher makes of 32 x 32 blocks of float sums.
//
// The sums of a block are finished while the tile unit works on the next: the finisher's vector code is woven into
// the loop over k, two rows at a time, so that bias, GELU and conversion cost little beyond the product itself.
#pragma once
#include "tiles.hpp"

namespace limbeck {

// Weights of (n_out, n_in), packed as [n_out / 32][n_in / 32][2 pairs tiles].
inline void pack_weights(const float* w, int n_out, int n_in, bf16* packed) {
  for (int nb = 0; nb < n_out / kBlock; ++nb)
    for (int kt = 0; kt < n_in / kBlock; ++kt)
      for (int half = 0; half < 2; ++half) {
        bf16* tile = packed + ((size_t)(nb * (n_in / kBlock) + kt) * 2 + half) * kTile;
        for (int k = 0; k < 32; ++k)
          for (int n = 0; n < 16; ++n) {
            float value = w[(size_t)(nb * kBlock + half * 16 + n) * n_in + kt * kBlock + k];
            uint32_t bits;
            std::memcpy(&bits, &value, 4);
            bits += 0x7fff + ((bits >> 16) & 1);  // round to nearest even
            tile[(k / 2) * 32 + n * 2 + k % 2] = (bf16)(bits >> 16);
          }
      }
}

struct Rows {       // left operand
  const bf16* tiles;
  int blocks;       // of 32 rows
  int k_stride;     // tiles from one run of 16 rows to the next
};

struct Columns {    // right operand
  const bf16* tiles;
  int first, stop;  // blocks of 32 columns
  int k_stride;     // tile pairs from one block to the next
};

// While the first rows meet a panel of weights, the next panel is fetched: few rows leave no other time for it.
inline void fetch_ahead(const bf16* w) {
  for (int line = 0; line < 32; ++line) _mm_prefetch((const char*)w + line * 64, _MM_HINT_T1);
}

// finisher.start(row_block, column_block, sums) then finisher.pair(p) for p in 0..15 (rows 2p and 2p + 1 of the block).
template <class Finisher>
inline void multiply(Rows a, Columns w, int k_tiles, float* scratch, Finisher& finisher) {
  fence();
  const int pairs_per_step = (16 + k_tiles - 1) / k_tiles;
  int pair = 16, which = 0;
  for (int nb = w.first; nb < w.stop; ++nb) {
    const bf16* panel = w.tiles + (size_t)nb * w.k_stride * 2 * kTile;
    for (int mb = 0; mb < a.blocks; ++mb) {
      const bf16* a0 = a.tiles + (size_t)(2 * mb) * a.k_stride * kTile;
      const bf16* a1 = a0 + (size_t)a.k_stride * kTile;
      _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
      for (int kt = 0; kt < k_tiles; ++kt) {
        if (mb == 0) fetch_ahead(panel + (size_t)(w.k_stride + kt) * 2 * kTile);
        LIMBECK_STEP(a0 + kt * kTile, a1 + kt * kTile, panel + kt * 2 * kTile);
        for (int i = 0; i < pairs_per_step && pair < 16; ++i) finisher.pair(pair++);
      }
      float* sums = scratch + which * 1024;
      which ^= 1;
      _tile_stored(0, sums, 128); _tile_stored(1, sums + 16, 128);
      _tile_stored(2, sums + 512, 128); _tile_stored(3, sums + 528, 128);
      finisher.start(mb, nb, sums);
      pair = 0;
    }
  }
  for (; pair < 16; ++pair) finisher.pair(pair);
  fence();
}

// sums (float, row-major, n columns a row) += a * w; `fresh` sums begin at 0 whatever was there.
inline void multiply_add(Rows a, Columns w, int k_tiles, float* sums, int n, bool fresh = false) {
  fence();
  const size_t stride = (size_t)n * 4;
  for (int nb = w.first; nb < w.stop; ++nb) {
    const bf16* panel = w.tiles + (size_t)nb * w.k_stride * 2 * kTile;
    for (int mb = 0; mb < a.blocks; ++mb) {
      const bf16* a0 = a.tiles + (size_t)(2 * mb) * a.k_stride * kTile;
      const bf16* a1 = a0 + (size_t)a.k_stride * kTile;
      float* top = sums + (size_t)mb * kBlock * n + nb * kBlock;
      float* bottom = top + (size_t)16 * n;
      if (fresh) {
        _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
      } else {
        _tile_loadd(0, top, stride); _tile_loadd(1, top + 16, stride);
        _tile_loadd(2, bottom, stride); _tile_loadd(3, bottom + 16, stride);
      }
      for (int kt = 0; kt < k_tiles; ++kt) {
        if (mb == 0) fetch_ahead(panel + (size_t)(w.k_stride + kt) * 2 * kTile);
        LIMBECK_STEP(a0 + kt * kTile, a1 + kt * kTile, panel + kt * 2 * kTile);
      }
      _tile_stored(0, top, stride); _tile_stored(1, top + 16, stride);
      _tile_stored(2, bottom, stride); _tile_stored(3, bottom + 16, stride);
    }
  }
  fence();
}

// x * Phi(x), Phi as an odd polynomial on [-4.25, 4.25] (minimax fit; largest error of the product 8.4e-5, a bf16 step
// at 0.02). Outside, Phi is 0 or 1 to within 1.1e-5.
inline __m512 gelu(__m512 x) {
  const __m512 limit = _mm512_set1_ps(4.25f);
  __m512 c = _mm512_min_ps(_mm512_max_ps(x, _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
  __m512 s = _mm512_mul_ps(c, c);
  __m512 p = _mm512_set1_ps(-8.460542292e-10f);
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(7.570928605e-08f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-2.938831740e-06f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(6.552758888e-05f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-9.404525853e-04f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(9.257852175e-03f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-6.545358296e-02f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(3.984201152e-01f));
  p = _mm512_fmadd_ps(p, c, _mm512_set1_ps(0.5f));
  return _mm512_mul_ps(x, p);
}

// bias, activation, and back to rows tiles.
template <bool kGelu>
struct Activate {
  const float* bias;
  bf16* out;       // rows tiles
  int k_stride;
  const float* sums = nullptr;
  bf16* target = nullptr;
  __m512 bias0{}, bias1{};

  void start(int mb, int nb, const float* block) {
    sums = block;
    target = out + ((size_t)(2 * mb) * k_stride + nb) * kTile;
    bias0 = _mm512_loadu_ps(bias + nb * kBlock);
    bias1 = _mm512_loadu_ps(bias + nb * kBlock + 16);
  }
  __m512 act(__m512 x) const { return kGelu ? gelu(x) : _mm512_max_ps(x, _mm512_setzero_ps()); }
  void pair(int p) {
    bf16* rows = target + (p < 8 ? 0 : (size_t)k_stride * kTile) + (2 * p % 16) * 32;
    for (int r = 0; r < 2; ++r) {
      const float* row = sums + (2 * p + r) * 32;
      __m512 x0 = act(_mm512_add_ps(_mm512_load_ps(row), bias0));
      __m512 x1 = act(_mm512_add_ps(_mm512_load_ps(row + 16), bias1));
      _mm512_store_si512(rows + r * 32, to_bf16(x0, x1));
    }
  }
};

// Queries as rows tiles, keys as transposed pairs tiles, values as pairs tiles.
struct SplitQkv {
  const float* bias;
  int dim;         // of the model; columns 0..dim are queries, dim..2 dim keys, 2 dim..3 dim values
  bf16 *queries, *keys, *values;
  const float* sums = nullptr;
  bf16* target = nullptr;
  int kind = 0;
  size_t lower = 0;
  __m512 bias0{}, bias1{};
  __m512i gathered[16]{};

  void start(int mb, int nb, const float* block) {
    sums = block;
    const int per = dim / kBlock;
    kind = nb / per;
    const int column = nb % per;
    bf16* base = kind == 0 ? queries : kind == 1 ? keys : values;
    if (kind == 2) {
      target = base + ((size_t)mb * per + column) * 2 * kTile;   // [row block][column block][2 tiles of 16 columns]
      lower = 0;
    } else {
      target = base + ((size_t)(2 * mb) * per + column) * kTile;  // [16 rows][column block]
      lower = (size_t)per * kTile;
    }
    bias0 = _mm512_loadu_ps(bias + nb * kBlock);
    bias1 = _mm512_loadu_ps(bias + nb * kBlock + 16);
  }
  void pair(int p) {
    const float* row = sums + 2 * p * 32;
    __m512 a0 = _mm512_add_ps(_mm512_load_ps(row), bias0), a1 = _mm512_add_ps(_mm512_load_ps(row + 16), bias1);
    __m512 b0 = _mm512_add_ps(_mm512_load_ps(row + 32), bias0), b1 = _mm512_add_ps(_mm512_load_ps(row + 48), bias1);
    if (kind == 2) {
      const __m512i mix = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
      bf16* at = target + pair_row(p) * 32;
      _mm512_store_si512(at, _mm512_permutexvar_epi16(mix, to_bf16(a0, b0)));
      _mm512_store_si512(at + kTile, _mm512_permutexvar_epi16(mix, to_bf16(a1, b1)));
      return;
    }
    if (kind == 0) {
      bf16* at = target + (p < 8 ? 0 : lower) + (2 * p % 16) * 32;
      _mm512_store_si512(at, to_bf16(a0, a1));
      _mm512_store_si512(at + 32, to_bf16(b0, b1));
      return;
    }
    gathered[2 * p % 16] = to_bf16(a0, a1);
    gathered[2 * p % 16 + 1] = to_bf16(b0, b1);
    if (p % 8 == 7) {
      bf16* at = target + (p < 8 ? 0 : lower);
      transpose_dwords(gathered);
      for (int i = 0; i < 16; ++i) _mm512_store_si512(at + i * 32, gathered[i]);
    }
  }
};

}  // namespace limbeck
