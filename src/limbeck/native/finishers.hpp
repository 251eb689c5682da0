// What becomes of the sums of a product, block by block, while the tile unit works on the next (linear.hpp).
#pragma once
#include "layouts.hpp"

namespace limbeck {

// The derivative of x * Phi(x): 1/2 plus an odd polynomial on [-4.25, 4.25] (minimax fit; largest error 1.1e-4, a sixth of
// bf16's rounding at 0.2). Outside, it is 0 or 1 to within 2e-4.
inline __m512 gelu_slope(__m512 x) {
  const __m512 limit = _mm512_set1_ps(4.25f);
  const __m512 c = _mm512_min_ps(_mm512_max_ps(x, _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
  const __m512 s = _mm512_mul_ps(c, c);
  __m512 p = _mm512_set1_ps(-3.426804397e-11f);
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(3.552490798e-09f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-1.634920979e-07f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(4.432682500e-06f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-7.936296302e-05f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(9.965490353e-04f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-9.040461736e-03f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(5.909255071e-02f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(-2.653926109e-01f));
  p = _mm512_fmadd_ps(p, s, _mm512_set1_ps(7.977564356e-01f));
  return _mm512_fmadd_ps(p, c, _mm512_set1_ps(0.5f));
}

template <bool kGelu>
inline __m512 activate(__m512 x) {
  return kGelu ? gelu(x) : _mm512_max_ps(x, _mm512_setzero_ps());
}
template <bool kGelu>
inline __m512 slope(__m512 x) {
  if (kGelu) return gelu_slope(x);
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ), _mm512_set1_ps(1.0f));
}

alignas(64) static const float kNoBias[32] = {};

// bias, and into rows tiles.
struct PutRows {
  const float* bias;  // may be null
  Matrix out;         // from the first row on
  const float* sums = nullptr;
  bf16* target = nullptr;
  __m512 bias0{}, bias1{};

  void start(int mb, int nb, const float* block) {
    sums = block;
    target = out.row(mb * kBlock) + (size_t)nb * kTile;
    const float* from = bias ? bias + nb * kBlock : kNoBias;
    bias0 = _mm512_loadu_ps(from);
    bias1 = _mm512_loadu_ps(from + 16);
  }
  void pair(int p) {
    bf16* rows = target + (p < 8 ? 0 : (size_t)out.per * kTile) + 2 * p % 16 * 32;
    for (int r = 0; r < 2; ++r) {
      const float* row = sums + (2 * p + r) * 32;
      _mm512_store_si512(rows + r * 32, to_bf16(_mm512_add_ps(_mm512_load_ps(row), bias0), _mm512_add_ps(_mm512_load_ps(row + 16), bias1)));
    }
  }
};

// The inner layer of the feed-forward net: bias, kept as bf16 for the backward pass (unless `before` is null), activation.
template <bool kGelu>
struct Inner {
  const float* bias;
  Matrix before, out;  // from the first row and the slice's first column on
  const float* sums = nullptr;
  bf16 *kept = nullptr, *target = nullptr;
  __m512 bias0{}, bias1{};

  void start(int mb, int nb, const float* block) {
    sums = block;
    target = out.row(mb * kBlock) + (size_t)nb * kTile;
    if (before.tiles) kept = before.row(mb * kBlock) + (size_t)nb * kTile;
    bias0 = _mm512_loadu_ps(bias + nb * kBlock);
    bias1 = _mm512_loadu_ps(bias + nb * kBlock + 16);
  }
  void pair(int p) {
    const size_t at = 2 * p % 16 * 32;
    for (int r = 0; r < 2; ++r) {
      const float* row = sums + (2 * p + r) * 32;
      const __m512i x = to_bf16(_mm512_add_ps(_mm512_load_ps(row), bias0), _mm512_add_ps(_mm512_load_ps(row + 16), bias1));
      if (kept) _mm512_store_si512(kept + (p < 8 ? 0 : (size_t)before.per * kTile) + at + r * 32, x);
      _mm512_store_si512(target + (p < 8 ? 0 : (size_t)out.per * kTile) + at + r * 32,
                         to_bf16(activate<kGelu>(low_floats(x)), activate<kGelu>(high_floats(x))));
    }
  }
};

// Back through the activation: the gradient before it, as rows and crossed, and the activation itself as pairs.
template <bool kGelu>
struct InnerBack {
  Matrix before, out;              // from the first row and the slice's first column on
  bf16 *crossed, *pairs;           // from the slice's first column and the first row's block of tokens on
  int token_blocks;
  const float* sums = nullptr;
  const bf16* kept = nullptr;
  bf16 *target = nullptr, *left = nullptr, *activation = nullptr;
  __m512i low[16]{}, high[16]{};

  void start(int mb, int nb, const float* block) {
    sums = block;
    kept = before.row(mb * kBlock) + (size_t)nb * kTile;
    target = out.row(mb * kBlock) + (size_t)nb * kTile;
    left = crossed + ((size_t)2 * nb * token_blocks + mb) * kTile;
    activation = pairs + ((size_t)nb * token_blocks + mb) * 2 * kTile;
  }
  void pair(int p) {
    const size_t at = 2 * p % 16 * 32;
    __m512i gradient[2], active[2];
    for (int r = 0; r < 2; ++r) {
      const float* row = sums + (2 * p + r) * 32;
      const __m512i x = _mm512_load_si512(kept + (p < 8 ? 0 : (size_t)before.per * kTile) + at + r * 32);
      const __m512 x0 = low_floats(x), x1 = high_floats(x);
      active[r] = to_bf16(activate<kGelu>(x0), activate<kGelu>(x1));
      gradient[r] = to_bf16(_mm512_mul_ps(_mm512_load_ps(row), slope<kGelu>(x0)), _mm512_mul_ps(_mm512_load_ps(row + 16), slope<kGelu>(x1)));
      _mm512_store_si512(target + (p < 8 ? 0 : (size_t)out.per * kTile) + at + r * 32, gradient[r]);
    }
    _mm512_store_si512(activation + p * 32, mix_low(active[0], active[1]));
    _mm512_store_si512(activation + kTile + p * 32, mix_high(active[0], active[1]));
    low[p] = mix_low(gradient[0], gradient[1]);
    high[p] = mix_high(gradient[0], gradient[1]);
    if (p < 15) return;
    transpose_dwords(low);
    transpose_dwords(high);
    bf16* right = left + (size_t)token_blocks * kTile;
    for (int i = 0; i < 16; ++i) _mm512_store_si512(left + i * 32, low[i]);
    for (int i = 0; i < 16; ++i) _mm512_store_si512(right + i * 32, high[i]);
  }
};

}  // namespace limbeck
