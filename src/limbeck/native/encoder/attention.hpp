// Attention over packed texts: each token attends the tokens of its own text, found by bounds, never by padding.
//
// In: queries (rows tiles, scaled by 128 log2(e) / sqrt(head width) through the weights), keys and values (pairs tiles),
// and for each token the first and the last key of its text. Out: mixed values as rows tiles.
#pragma once
#include "tiles.hpp"

namespace limbeck {

struct Span { int first, stop; };

// The low 7 bits of a bf16 power of two: table[i] = round(128 (2^(i / 128) - 1)).
struct PowerTable {
  alignas(64) uint8_t mantissa[128];
  PowerTable() {
    double value = 1.0;
    const double step = 1.0054299011128028;  // 2^(1/128)
    for (int i = 0; i < 128; ++i, value *= step) mantissa[i] = (uint8_t)((value - 1.0) * 128.0 + 0.5);
  }
};

// One row of scores (steps of 1/128 in log2) becomes probabilities that are not yet divided by their sum; the sum is returned.
// Row r of a score tile lies at tile * 256 + r * 16.
inline float exponentials(const float* scores, bf16* out, int blocks, Span keys, __m512i low, __m512i high) {
  const __m512i zero = _mm512_setzero_si512();
  const int first = keys.first >> 5, stop = (keys.stop + 31) >> 5;
  for (int j = 0; j < first; ++j) _mm512_store_si512(out + j * kTile, zero);
  for (int j = stop; j < blocks; ++j) _mm512_store_si512(out + j * kTile, zero);
  if (first >= stop) return 0.0f;
  const uint32_t head = ~0u << (keys.first & 31);
  const uint32_t tail = (keys.stop & 31) ? ~(~0u << (keys.stop & 31)) : ~0u;
  const uint32_t mask_first = first + 1 == stop ? head & tail : head;
  const uint32_t mask_last = tail;
  const __m512 least = _mm512_set1_ps(-3.0e38f);
  __m512 top = _mm512_mask_max_ps(least, (__mmask16)mask_first, least, _mm512_load_ps(scores + first * 512));
  __m512 top1 = _mm512_mask_max_ps(least, (__mmask16)(mask_first >> 16), least, _mm512_load_ps(scores + first * 512 + 256));
  for (int j = first + 1; j < stop - 1; ++j) {
    top = _mm512_max_ps(top, _mm512_load_ps(scores + j * 512));
    top1 = _mm512_max_ps(top1, _mm512_load_ps(scores + j * 512 + 256));
  }
  if (stop - 1 > first) {
    top = _mm512_mask_max_ps(top, (__mmask16)mask_last, top, _mm512_load_ps(scores + (stop - 1) * 512));
    top1 = _mm512_mask_max_ps(top1, (__mmask16)(mask_last >> 16), top1, _mm512_load_ps(scores + (stop - 1) * 512 + 256));
  }
  const __m512 offset = _mm512_set1_ps(16256.0f - _mm512_reduce_max_ps(_mm512_max_ps(top, top1)));
  const __m512i mantissa_bits = _mm512_set1_epi16(0x7f);
  const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
  __m512 sum = _mm512_setzero_ps();
  auto block = [&](int j, uint32_t mask) {
    __m512i t0 = _mm512_maskz_cvtps_epi32((__mmask16)mask, _mm512_add_ps(offset, _mm512_load_ps(scores + j * 512)));
    __m512i t1 = _mm512_maskz_cvtps_epi32((__mmask16)(mask >> 16), _mm512_add_ps(offset, _mm512_load_ps(scores + j * 512 + 256)));
    __m512i t = _mm512_max_epi16(_mm512_packs_epi32(t0, t1), zero);
    __m512i bits = _mm512_permutex2var_epi8(low, t, high);
    bits = _mm512_ternarylogic_epi32(mantissa_bits, bits, t, 0xca);  // mantissa_bits ? bits : t
    sum = _mm512_dpbf16_ps(sum, (__m512bh)bits, ones);
    _mm512_store_si512(out + j * kTile, bits);
  };
  block(first, mask_first);
  for (int j = first + 1; j < stop - 1; ++j) block(j, ~0u);
  if (stop - 1 > first) block(stop - 1, mask_last);
  return _mm512_reduce_add_ps(sum);
}

// Attend with the 32 queries of one block, for one head.
//   queries/keys: tiles of the head begin at column tile `column`, `per` column tiles a row of tiles.
struct Attention {
  int dim, head_dim;
  const bf16 *queries, *keys, *values;
  bf16* mixed;
  const Span* spans;   // per token; tokens of no text have an empty one
  float* scores;       // 16 x window floats
  bf16* weights;       // 2 x 16 x window
  const PowerTable* table;

  void attend(int query_block, int head, int key_first, int key_stop) const {  // key bounds are multiples of 32
    const int per = dim / kBlock, head_tiles = head_dim / kBlock, column = head * head_tiles;
    const int blocks = (key_stop - key_first) / kBlock, key_tile = key_first / 16;
    const __m512i low = _mm512_load_si512(table->mantissa), high = _mm512_load_si512(table->mantissa + 64);
    alignas(64) float scale[32];
    for (int half = 0; half < 2; ++half) {
      const bf16* q = queries + ((size_t)(2 * query_block + half) * per + column) * kTile;
      fence();
      for (int j = 0; j < blocks; j += 2) {
        const bool both = j + 1 < blocks;
        _tile_zero(0); _tile_zero(1);
        if (both) { _tile_zero(2); _tile_zero(3); }
        for (int g = 0; g < head_tiles; ++g) {
          const bf16* k = keys + ((size_t)(key_tile + 2 * j) * per + column + g) * kTile;
          const size_t next = (size_t)per * kTile;
          _tile_loadd(4, q + g * kTile, 64);
          _tile_loadd(5, k, 64);
          _tile_dpbf16ps(0, 4, 5);
          _tile_loadd(6, k + next, 64);
          _tile_dpbf16ps(1, 4, 6);
          if (both) {
            _tile_loadd(5, k + 2 * next, 64);
            _tile_dpbf16ps(2, 4, 5);
            _tile_loadd(6, k + 3 * next, 64);
            _tile_dpbf16ps(3, 4, 6);
          }
        }
        float* s = scores + j * 512;
        _tile_stored(0, s, 64); _tile_stored(1, s + 256, 64);
        if (both) { _tile_stored(2, s + 512, 64); _tile_stored(3, s + 768, 64); }
      }
      fence();
      bf16* p = weights + (size_t)half * blocks * kTile;
      for (int r = 0; r < 16; ++r) {
        Span span = spans[query_block * kBlock + half * 16 + r];
        Span keys_here = {span.first - key_first, span.stop - key_first};
        if (span.first >= span.stop) keys_here = {0, 0};
        float sum = exponentials(scores + r * 16, p + r * 32, blocks, keys_here, low, high);
        scale[half * 16 + r] = sum > 0.0f ? 1.0f / sum : 0.0f;
      }
    }
    fence();
    for (int g = 0; g < head_tiles; ++g) {
      _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
      for (int j = 0; j < blocks; ++j) {
        const bf16* v = values + ((size_t)(key_first / kBlock + j) * per + column + g) * 2 * kTile;
        LIMBECK_STEP(weights + j * kTile, weights + (size_t)(blocks + j) * kTile, v);
      }
      alignas(64) float sums[1024];
      _tile_stored(0, sums, 128); _tile_stored(1, sums + 16, 128);
      _tile_stored(2, sums + 512, 128); _tile_stored(3, sums + 528, 128);
      fence();
      for (int r = 0; r < 32; ++r) {
        bf16* at = mixed + ((size_t)(2 * query_block + r / 16) * per + column + g) * kTile + (r % 16) * 32;
        __m512 by = _mm512_set1_ps(scale[r]);
        _mm512_store_si512(at, to_bf16(_mm512_mul_ps(_mm512_load_ps(sums + r * 32), by),
                                       _mm512_mul_ps(_mm512_load_ps(sums + r * 32 + 16), by)));
      }
    }
  }
};

}  // namespace limbeck
