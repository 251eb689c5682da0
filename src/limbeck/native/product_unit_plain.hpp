// What the tile unit of AMX does, in plain C++: slow, and what tests of the layouts of tiles run on any machine.
#pragma once
#include "vec_halves_portable.hpp"
#include "product_unit.hpp"

namespace limbeck {

inline int open_units() { return 0; }
struct Units { ~Units() {} };

// 16 x 16 sums += a rows tile times a pairs tile.
inline void multiply_tile(const bf16* a, const bf16* w, float* sums, size_t stride) {
  for (int r = 0; r < 16; ++r)
    for (int pair = 0; pair < 16; ++pair) {
      const float even = float_of(a[r * 32 + 2 * pair]), odd = float_of(a[r * 32 + 2 * pair + 1]);
      for (int n = 0; n < 16; ++n) sums[r * stride + n] += even * float_of(w[pair * 32 + 2 * n]) + odd * float_of(w[pair * 32 + 2 * n + 1]);
    }
}
inline void clear_tile(float* sums, size_t stride) {
  for (int r = 0; r < 16; ++r) std::memset(sums + r * stride, 0, 64);
}

// 32 x 32 sums (+)= `steps` pairs of rows tiles, from a0 and a1 on, times a panel. between(step) runs beside the products.
template <class Between>
inline void multiply_block(const bf16* a0, const bf16* a1, Panel w, int steps, Place to, Between between) {
  for (int tile = 0; tile < 4 && to.fresh; ++tile) clear_tile(to.sums + tile / 2 * 16 * to.stride + tile % 2 * 16, to.stride);
  for (int step = 0; step < steps; ++step, a0 += kTile, a1 += kTile, w.tiles += w.step) {
    between(step);
    for (int tile = 0; tile < 4; ++tile)
      multiply_tile(tile < 2 ? a0 : a1, w.tiles + tile % 2 * kTile, to.sums + tile / 2 * 16 * to.stride + tile % 2 * 16, to.stride);
  }
}

// One run of rows tiles times `tiles` (two or four) runs of pairs tiles, `next` apart: sums tile by tile, each 16 x 16.
inline void multiply_wide(const bf16* a, const bf16* w, size_t next, int steps, int tiles, float* sums) {
  for (int tile = 0; tile < tiles; ++tile) {
    clear_tile(sums + tile * 256, 16);
    for (int step = 0; step < steps; ++step) multiply_tile(a + step * kTile, w + tile * next + step * kTile, sums + tile * 256, 16);
  }
}

// Floating point operations of so many rounds of products of tiles that stay where they are.
inline double spend(int64_t rounds) {
  bf16 a[kTile] = {}, w[kTile] = {};
  float sums[256] = {};
  for (int64_t i = 0; i < rounds; ++i) multiply_tile(a, w, sums, 16);
  volatile float seen = sums[0];
  (void)seen;
  return (double)rounds * 16 * 16 * 32 * 2;
}

}  // namespace limbeck
