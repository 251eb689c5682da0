// Blocks of 32 x 32 sums by Arm's products of bfloat16 pairs (BFDOT): four rows of 16 columns at a time fill 16 registers.
//
// Python asks the CPU for them (BF16). All that is no product is plain C++.
#pragma once
#include <arm_neon.h>
#include "vec_halves_portable.hpp"
#include "product_unit.hpp"

namespace limbeck {

inline int open_units() { return 0; }
struct Units { ~Units() {} };

inline bfloat16x8_t four_pairs(const bf16* p) { return vreinterpretq_bf16_u16(vld1q_u16(p)); }

// Four rows of a rows tile times the pairs tiles at w, `step` numbers apart: 16 columns of sums.
inline void multiply_rows(const bf16* a, const bf16* w, size_t step, int steps, float* to, size_t stride, bool fresh) {
  float32x4_t sums[4][4];
  for (int r = 0; r < 4; ++r)
    for (int c = 0; c < 4; ++c) sums[r][c] = fresh ? vdupq_n_f32(0.0f) : vld1q_f32(to + r * stride + 4 * c);
  for (int i = 0; i < steps; ++i, a += kTile, w += step)
    for (int pairs = 0; pairs < 16; pairs += 4) {
      bfloat16x8_t rows[4];
      for (int r = 0; r < 4; ++r) rows[r] = four_pairs(a + r * 32 + 2 * pairs);
      for (int c = 0; c < 4; ++c) {
        const bf16* at = w + pairs * 32 + 8 * c;
        const bfloat16x8_t w0 = four_pairs(at), w1 = four_pairs(at + 32), w2 = four_pairs(at + 64), w3 = four_pairs(at + 96);
        for (int r = 0; r < 4; ++r) {
          sums[r][c] = vbfdotq_laneq_f32(sums[r][c], w0, rows[r], 0);
          sums[r][c] = vbfdotq_laneq_f32(sums[r][c], w1, rows[r], 1);
          sums[r][c] = vbfdotq_laneq_f32(sums[r][c], w2, rows[r], 2);
          sums[r][c] = vbfdotq_laneq_f32(sums[r][c], w3, rows[r], 3);
        }
      }
    }
  for (int r = 0; r < 4; ++r)
    for (int c = 0; c < 4; ++c) vst1q_f32(to + r * stride + 4 * c, sums[r][c]);
}

// 32 x 32 sums (+)= `steps` pairs of rows tiles, from a0 and a1 on, times a panel. between(step) runs beside the products.
template <class Between>
inline void multiply_block(const bf16* a0, const bf16* a1, Panel w, int steps, Place to, Between between) {
  for (int step = 0; step < steps; ++step) between(step);
  for (int half = 0; half < 2; ++half)
    for (int row = 0; row < 32; row += 4)
      multiply_rows((row < 16 ? a0 : a1) + row % 16 * 32, w.tiles + half * kTile, w.step, steps, to.sums + row * to.stride + half * 16, to.stride, to.fresh);
}

// One run of rows tiles times `tiles` (two or four) runs of pairs tiles, `next` apart: sums tile by tile, each 16 x 16.
inline void multiply_wide(const bf16* a, const bf16* w, size_t next, int steps, int tiles, float* sums) {
  for (int tile = 0; tile < tiles; ++tile)
    for (int row = 0; row < 16; row += 4) multiply_rows(a + row * 32, w + tile * next, kTile, steps, sums + tile * 256 + row * 16, 16, true);
}

// Floating point operations of so many rounds of 16 independent products in registers.
inline double spend(int64_t rounds) {
  const bf16 numbers[8] = {};
  const bfloat16x8_t x = four_pairs(numbers);
  float32x4_t sums[16];
  for (int i = 0; i < 16; ++i) sums[i] = vdupq_n_f32((float)i);
  for (int64_t round = 0; round < rounds; ++round)
    for (float32x4_t& sum : sums) sum = vbfdotq_f32(sum, x, x);
  volatile float seen[16];
  for (int i = 0; i < 16; ++i) seen[i] = vgetq_lane_f32(sums[i], 0);
  (void)seen;
  return (double)rounds * 16 * 8 * 2;
}

}  // namespace limbeck
