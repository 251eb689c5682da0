// Sixteen floats on AVX2: two registers of eight.
#pragma once
#include <immintrin.h>
#include <cstdint>
#include "vec_x86.hpp"

namespace limbeck {

struct Vec { __m256 a, b; };
using Mask = uint32_t;  // bit i: number i

inline Vec load(const float* p) { return {_mm256_load_ps(p), _mm256_load_ps(p + 8)}; }
inline Vec loadu(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, Vec v) { _mm256_store_ps(p, v.a); _mm256_store_ps(p + 8, v.b); }
inline void storeu(float* p, Vec v) { _mm256_storeu_ps(p, v.a); _mm256_storeu_ps(p + 8, v.b); }
inline void stream(float* p, Vec v) { _mm256_stream_ps(p, v.a); _mm256_stream_ps(p + 8, v.b); }
inline void stream_end() { _mm_sfence(); }
inline Vec set(float x) { const __m256 v = _mm256_set1_ps(x); return {v, v}; }
inline Vec spread(const float* p) { const __m256 v = _mm256_broadcast_ss(p); return {v, v}; }
inline Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline Vec operator+(Vec x, Vec y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
inline Vec operator-(Vec x, Vec y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
inline Vec operator*(Vec x, Vec y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
inline Vec fma(Vec x, Vec y, Vec z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }    // xy + z
inline Vec fms(Vec x, Vec y, Vec z) { return {_mm256_fmsub_ps(x.a, y.a, z.a), _mm256_fmsub_ps(x.b, y.b, z.b)}; }    // xy - z
inline Vec fnma(Vec x, Vec y, Vec z) { return {_mm256_fnmadd_ps(x.a, y.a, z.a), _mm256_fnmadd_ps(x.b, y.b, z.b)}; }  // z - xy
inline Vec max(Vec x, Vec y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
inline Vec min(Vec x, Vec y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }

inline __m256 lanes(Mask mask) {
  const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)mask), bits), bits));
}
inline Vec keep(Mask mask, Vec x) { return {_mm256_and_ps(lanes(mask), x.a), _mm256_and_ps(lanes(mask >> 8), x.b)}; }  // else 0
inline Vec pick(Mask mask, Vec x, Vec otherwise) {
  return {_mm256_blendv_ps(otherwise.a, x.a, lanes(mask)), _mm256_blendv_ps(otherwise.b, x.b, lanes(mask >> 8))};
}
inline Mask above(Vec x, Vec y) {
  return (Mask)_mm256_movemask_ps(_mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ)) |
         (Mask)_mm256_movemask_ps(_mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ)) << 8;
}

inline float sum(Vec v) {
  const __m256 eight = _mm256_add_ps(v.a, v.b);
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps(x, x, 1)));
}
inline float top(Vec v) {
  const __m256 eight = _mm256_max_ps(v.a, v.b);
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_shuffle_ps(x, x, 1)));
}

inline Vec whole(Vec x) {  // to the nearest
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(x.a, kNearest), _mm256_round_ps(x.b, kNearest)};
}
inline __m256 power(__m256 x) {
  const __m256i biased = _mm256_max_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127)), _mm256_setzero_si256());
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
inline Vec times_power(Vec x, Vec n) {  // x 2^n of whole n <= 127; 0 where 2^n is below the normal numbers
  return x * Vec{power(n.a), power(n.b)};
}

// Two neighbouring weights of 16 columns (product_float.hpp): the one of the even depth with its noise below, and the other.
inline Vec even_weights(const uint16_t* p) {
  __m256i a = _mm256_load_si256((const __m256i*)p), b = _mm256_load_si256((const __m256i*)p + 1);
  asm("" : "+x"(a), "+x"(b));  // stay in registers: read from memory by each product, they would need all loads there are
  return {_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)};
}
inline Vec odd_weights(Vec even) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(even.a), 16)),
          _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(even.b), 16))};
}

inline void transpose8(__m256 v[8]) {
  __m256 t[8];
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(v[2 * i], v[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(v[2 * i], v[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    v[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
    v[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
    v[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
    v[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
    t[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
  }
  for (int i = 0; i < 8; ++i) v[i] = t[i];
}

// 16 rows of 16 numbers become columns.
inline void turn_square(const float* from, size_t from_stride, float* to, size_t to_stride) {
  for (int row = 0; row < 16; row += 8)
    for (int column = 0; column < 16; column += 8) {
      __m256 v[8];
      for (int i = 0; i < 8; ++i) v[i] = _mm256_loadu_ps(from + (row + i) * from_stride + column);
      transpose8(v);
      for (int i = 0; i < 8; ++i) _mm256_storeu_ps(to + (column + i) * to_stride + row, v[i]);
    }
}

}  // namespace limbeck
