// Sixteen floats on AVX-512: one register.
#pragma once
#include <immintrin.h>
#include <cstddef>
#include <cstdint>
#include "vec_x86.hpp"

namespace limbeck {

struct Vec { __m512 v; };
using Mask = uint32_t;  // bit i: number i

inline Vec load(const float* p) { return {_mm512_load_ps(p)}; }
inline Vec loadu(const float* p) { return {_mm512_loadu_ps(p)}; }
inline void store(float* p, Vec v) { _mm512_store_ps(p, v.v); }
inline void storeu(float* p, Vec v) { _mm512_storeu_ps(p, v.v); }
inline void stream(float* p, Vec v) { _mm512_stream_ps(p, v.v); }
inline void stream_end() { _mm_sfence(); }
inline Vec set(float x) { return {_mm512_set1_ps(x)}; }
inline Vec spread(const float* p) { return set(*p); }
inline Vec zero() { return {_mm512_setzero_ps()}; }
inline Vec operator+(Vec x, Vec y) { return {_mm512_add_ps(x.v, y.v)}; }
inline Vec operator-(Vec x, Vec y) { return {_mm512_sub_ps(x.v, y.v)}; }
inline Vec operator*(Vec x, Vec y) { return {_mm512_mul_ps(x.v, y.v)}; }
inline Vec fma(Vec x, Vec y, Vec z) { return {_mm512_fmadd_ps(x.v, y.v, z.v)}; }    // xy + z
inline Vec fms(Vec x, Vec y, Vec z) { return {_mm512_fmsub_ps(x.v, y.v, z.v)}; }    // xy - z
inline Vec fnma(Vec x, Vec y, Vec z) { return {_mm512_fnmadd_ps(x.v, y.v, z.v)}; }  // z - xy
inline Vec max(Vec x, Vec y) { return {_mm512_max_ps(x.v, y.v)}; }
inline Vec min(Vec x, Vec y) { return {_mm512_min_ps(x.v, y.v)}; }
inline Vec keep(Mask mask, Vec x) { return {_mm512_maskz_mov_ps((__mmask16)mask, x.v)}; }  // else 0
inline Vec pick(Mask mask, Vec x, Vec otherwise) { return {_mm512_mask_mov_ps(otherwise.v, (__mmask16)mask, x.v)}; }
inline Mask above(Vec x, Vec y) { return _mm512_cmp_ps_mask(x.v, y.v, _CMP_GT_OQ); }
inline float sum(Vec v) { return _mm512_reduce_add_ps(v.v); }
inline float top(Vec v) { return _mm512_reduce_max_ps(v.v); }
inline Vec whole(Vec x) { return {_mm512_roundscale_ps(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }  // to the nearest
inline Vec times_power(Vec x, Vec n) { return {_mm512_scalef_ps(x.v, n.v)}; }  // x 2^n of whole n <= 127

// Two neighbouring weights of 16 columns (product_float.hpp): the one of the even depth with its noise below, and the other.
inline Vec even_weights(const uint16_t* p) { return {_mm512_castsi512_ps(_mm512_load_si512(p))}; }
inline Vec odd_weights(Vec even) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(even.v), 16))}; }

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

// 16 rows of 16 numbers become columns.
inline void turn_square(const float* from, size_t from_stride, float* to, size_t to_stride) {
  __m512i v[16];
  for (int i = 0; i < 16; ++i) v[i] = _mm512_loadu_si512(from + i * from_stride);
  transpose_dwords(v);
  for (int i = 0; i < 16; ++i) _mm512_storeu_si512(to + i * to_stride, v[i]);
}

}  // namespace limbeck
