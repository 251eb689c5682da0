// Thirty-two bfloat16 numbers in one AVX-512 register: 32 columns of a row, or 16 columns of two rows in pairs.
#pragma once
#include "vec_avx512.hpp"

namespace limbeck {

using bf16 = uint16_t;
struct Halves { __m512i v; };

inline Halves to_halves(Vec low, Vec high) { return {(__m512i)_mm512_cvtne2ps_pbh(high.v, low.v)}; }  // nearest, to even
inline Vec low_floats(Halves row) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(row.v)), 16))};
}
inline Vec high_floats(Halves row) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(row.v, 1)), 16))};
}
inline Halves no_halves() { return {_mm512_setzero_si512()}; }
inline Halves load_halves(const bf16* p) { return {_mm512_load_si512(p)}; }
inline void store_halves(bf16* p, Halves row) { _mm512_store_si512(p, row.v); }
inline void stream_halves(bf16* p, Halves row) { _mm512_stream_si512((__m512i*)p, row.v); }

// Two rows of 32 columns, number by number: columns 0-15, and columns 16-31.
inline Halves mix_low(Halves a, Halves b) {
  const __m512i order = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38, 6, 37,
                                         5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  return {_mm512_permutex2var_epi16(a.v, order, b.v)};
}
inline Halves mix_high(Halves a, Halves b) {
  const __m512i order = _mm512_set_epi16(63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25, 56, 24, 55, 23, 54, 22,
                                         53, 21, 52, 20, 51, 19, 50, 18, 49, 17, 48, 16);
  return {_mm512_permutex2var_epi16(a.v, order, b.v)};
}

inline void turn_pairs(Halves rows[16]) {  // 16 rows of 16 pairs become columns
  __m512i v[16];
  for (int i = 0; i < 16; ++i) v[i] = rows[i].v;
  transpose_dwords(v);
  for (int i = 0; i < 16; ++i) rows[i].v = v[i];
}

// acc + the sums of the pairs of a row: what adds up columns of two rows.
inline Vec add_pairs(Vec acc, Halves row) {
  return {_mm512_dpbf16_ps(acc.v, (__m512bh)row.v, (__m512bh)_mm512_set1_epi16(0x3f80))};
}

// Order of the 32 keys of a block inside a row of probabilities, as _mm512_packs_epi32 leaves them:
// lane l holds keys 4l..4l+3 and then 16+4l..16+4l+3. Values lie in the same order, pair by pair.
inline int pair_row(int pair) {  // pair = key / 2, 0..15
  return pair < 8 ? (pair / 2) * 4 + pair % 2 : ((pair - 8) / 2) * 4 + 2 + pair % 2;
}

// The 7 low bits of a bfloat16 power of two, for each 128th of an octave.
struct Powers {
  __m512i low, high;
  explicit Powers(const uint8_t* mantissa) : low(_mm512_load_si512(mantissa)), high(_mm512_load_si512(mantissa + 64)) {}
};

// Scores of 32 keys, in 128ths of an octave, become powers of two in the order of pair_row; those outside of `mask` become
// 0. `total` takes them up.
inline Halves powers(const float* keys, const float* keys_after, Vec offset, Mask mask, const Powers& table, Vec& total) {
  const __m512i t0 = _mm512_maskz_cvtps_epi32((__mmask16)mask, _mm512_add_ps(offset.v, _mm512_load_ps(keys)));
  const __m512i t1 = _mm512_maskz_cvtps_epi32((__mmask16)(mask >> 16), _mm512_add_ps(offset.v, _mm512_load_ps(keys_after)));
  const __m512i t = _mm512_max_epi16(_mm512_packs_epi32(t0, t1), _mm512_setzero_si512());
  __m512i bits = _mm512_permutex2var_epi8(table.low, t, table.high);
  bits = _mm512_ternarylogic_epi32(_mm512_set1_epi16(0x7f), bits, t, 0xca);  // where 0x7f has a bit the table's, else t's
  total = add_pairs(total, {bits});
  return {bits};
}

}  // namespace limbeck
