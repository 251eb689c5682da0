// The tile unit of AMX: blocks of 32 x 32 sums in four of its eight registers.
#pragma once
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include "vec_halves_avx512.hpp"
#include "product_unit.hpp"

namespace limbeck {

// The compiler does not see which memory a tile instruction reads, so stores must be complete before it.
inline void fence() { asm volatile("" ::: "memory"); }

// Ask Linux for the tile registers; 0 when this process has them. Other systems are not asked, so they give none.
inline int open_units() {
#if defined(__linux__)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return (int)syscall(SYS_arch_prctl, kRequestPermission, kTileData);
#else
  return 1;
#endif
}

// A thread that computes has the unit configured.
struct Units {
  Units() {
    alignas(64) uint8_t config[64] = {};
    config[0] = 1;  // palette 1
    for (int tile = 0; tile < 8; ++tile) {
      config[16 + 2 * tile] = 64;  // bytes of a row
      config[48 + tile] = 16;      // rows
    }
    asm volatile("" : : "r"(config) : "memory");  // the intrinsic tells the compiler of its first 8 bytes only
    _tile_loadconfig(config);
  }
  ~Units() { _tile_release(); }
};

// 32 x 32 sums (+)= `steps` pairs of rows tiles, from a0 and a1 on, times a panel. between(step) runs beside the products.
template <class Between>
inline void multiply_block(const bf16* a0, const bf16* a1, Panel w, int steps, Place to, Between between) {
  const size_t stride = to.stride * sizeof(float);
  float* below = to.sums + 16 * to.stride;
  fence();
  if (to.fresh) {
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
  } else {
    _tile_loadd(0, to.sums, stride); _tile_loadd(1, to.sums + 16, stride);
    _tile_loadd(2, below, stride); _tile_loadd(3, below + 16, stride);
  }
  for (int step = 0; step < steps; ++step, a0 += kTile, a1 += kTile, w.tiles += w.step) {
    _tile_loadd(6, w.tiles, 64);
    _tile_loadd(4, a0, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, w.tiles + kTile, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a1, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
    between(step);  // while the unit works
  }
  _tile_stored(0, to.sums, stride); _tile_stored(1, to.sums + 16, stride);
  _tile_stored(2, below, stride); _tile_stored(3, below + 16, stride);
  fence();
}

// One run of rows tiles times `tiles` (two or four) runs of pairs tiles, `next` apart: sums tile by tile, each 16 x 16.
inline void multiply_wide(const bf16* a, const bf16* w, size_t next, int steps, int tiles, float* sums) {
  fence();
  _tile_zero(0); _tile_zero(1);
  if (tiles > 2) { _tile_zero(2); _tile_zero(3); }
  for (int step = 0; step < steps; ++step, a += kTile, w += kTile) {
    _tile_loadd(4, a, 64);
    _tile_loadd(5, w, 64);
    _tile_dpbf16ps(0, 4, 5);
    _tile_loadd(6, w + next, 64);
    _tile_dpbf16ps(1, 4, 6);
    if (tiles > 2) {
      _tile_loadd(5, w + 2 * next, 64);
      _tile_dpbf16ps(2, 4, 5);
      _tile_loadd(6, w + 3 * next, 64);
      _tile_dpbf16ps(3, 4, 6);
    }
  }
  _tile_stored(0, sums, 64); _tile_stored(1, sums + 256, 64);
  if (tiles > 2) { _tile_stored(2, sums + 512, 64); _tile_stored(3, sums + 768, 64); }
  fence();
}

// Floating point operations of so many rounds of products of tiles that stay where they are.
inline double spend(int64_t rounds) {
  _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3); _tile_zero(4); _tile_zero(5); _tile_zero(6); _tile_zero(7);
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  return (double)rounds * 4 * 16 * 16 * 32 * 2;
}

}  // namespace limbeck
