// Blocks of 32 x 32 sums by products of bfloat16 pairs (VDPBF16PS): eight rows of 32 columns at a time fill 16 registers.
#pragma once
#include <cstring>
#include <utility>
#include "vec_halves_avx512.hpp"
#include "product_unit.hpp"

namespace limbeck {

inline int open_units() { return 0; }
struct Units { ~Units() {} };

inline __m512bh pairs_of(const bf16* p) { return (__m512bh)_mm512_load_si512(p); }
inline __m512bh pair_everywhere(const bf16* p) {
  int pair;
  std::memcpy(&pair, p, 4);
  return (__m512bh)_mm512_set1_epi32(pair);
}

// Eight rows (64 bytes apart, a tile each step) times a panel.
template <size_t... I>
inline void multiply_rows(const bf16* a, Panel w, int steps, float* to, size_t stride, bool fresh, std::index_sequence<I...>) {
  __m512 left[] = {((void)I, _mm512_setzero_ps())...}, right[] = {((void)I, _mm512_setzero_ps())...};
  if (!fresh) ((left[I] = _mm512_loadu_ps(to + I * stride), right[I] = _mm512_loadu_ps(to + I * stride + 16)), ...);
  for (int step = 0; step < steps; ++step, a += kTile, w.tiles += w.step)
    for (int pair = 0; pair < 16; ++pair) {
      const __m512bh w0 = pairs_of(w.tiles + pair * 32), w1 = pairs_of(w.tiles + kTile + pair * 32);
      auto row = [&](size_t i) {
        const __m512bh x = pair_everywhere(a + i * 32 + 2 * pair);
        left[i] = _mm512_dpbf16_ps(left[i], x, w0);
        right[i] = _mm512_dpbf16_ps(right[i], x, w1);
      };
      (row(I), ...);
    }
  ((_mm512_storeu_ps(to + I * stride, left[I]), _mm512_storeu_ps(to + I * stride + 16, right[I])), ...);
}

// 32 x 32 sums (+)= `steps` pairs of rows tiles, from a0 and a1 on, times a panel. between(step) runs beside the products.
template <class Between>
inline void multiply_block(const bf16* a0, const bf16* a1, Panel w, int steps, Place to, Between between) {
  for (int step = 0; step < steps; ++step) between(step);
  for (int row = 0; row < 32; row += 8)
    multiply_rows((row < 16 ? a0 : a1) + row % 16 * 32, w, steps, to.sums + row * to.stride, to.stride, to.fresh, std::make_index_sequence<8>());
}

// One run of rows tiles times `tiles` (two or four) runs of pairs tiles, `next` apart: sums tile by tile, each 16 x 16.
inline void multiply_wide(const bf16* a, const bf16* w, size_t next, int steps, int tiles, float* sums) {
  for (int tile = 0; tile < tiles; ++tile)
    for (int row = 0; row < 16; ++row) {
      __m512 total = _mm512_setzero_ps();
      for (int step = 0; step < steps; ++step)
        for (int pair = 0; pair < 16; ++pair)
          total = _mm512_dpbf16_ps(total, pair_everywhere(a + step * kTile + row * 32 + 2 * pair), pairs_of(w + tile * next + step * kTile + pair * 32));
      _mm512_store_ps(sums + tile * 256 + row * 16, total);
    }
}

// Floating point operations of so many rounds of 16 independent products in registers.
inline double spend(int64_t rounds) {
  __m512 sums[16];
  for (int i = 0; i < 16; ++i) sums[i] = _mm512_set1_ps((float)i);
  const __m512bh x = (__m512bh)_mm512_set1_epi16(0x3f80);
  for (int64_t round = 0; round < rounds; ++round)
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, x, x);
  alignas(64) volatile float seen[16];
  for (int i = 0; i < 16; ++i) seen[i] = _mm512_cvtss_f32(sums[i]);
  (void)seen;
  return (double)rounds * 16 * 32 * 2;
}

}  // namespace limbeck
