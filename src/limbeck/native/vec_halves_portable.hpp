// Thirty-two bfloat16 numbers in plain C++: what vec_halves_*.hpp must do, and the reference that they are tested against.
#pragma once
#include "vec_portable.hpp"

namespace limbeck {

using bf16 = uint16_t;
struct Halves { bf16 at[32]; };

inline float float_of(bf16 x) {
  const uint32_t bits = (uint32_t)x << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
inline bf16 half_of(float x) {  // nearest, to even
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return (bf16)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline Halves to_halves(Vec low, Vec high) {
  Halves row;
  for (int i = 0; i < 16; ++i) {
    row.at[i] = half_of(low.at[i]);
    row.at[16 + i] = half_of(high.at[i]);
  }
  return row;
}
inline Vec low_floats(Halves row) { return each([&](int i) { return float_of(row.at[i]); }); }
inline Vec high_floats(Halves row) { return each([&](int i) { return float_of(row.at[16 + i]); }); }
inline Halves no_halves() { return {}; }
inline Halves load_halves(const bf16* p) {
  Halves row;
  std::memcpy(row.at, p, 64);
  return row;
}
inline void store_halves(bf16* p, Halves row) { std::memcpy(p, row.at, 64); }
inline void stream_halves(bf16* p, Halves row) { store_halves(p, row); }

// Two rows of 32 columns, number by number: columns 0-15, and columns 16-31.
inline Halves mix_low(Halves a, Halves b) {
  Halves row;
  for (int i = 0; i < 16; ++i) row.at[2 * i] = a.at[i], row.at[2 * i + 1] = b.at[i];
  return row;
}
inline Halves mix_high(Halves a, Halves b) {
  Halves row;
  for (int i = 0; i < 16; ++i) row.at[2 * i] = a.at[16 + i], row.at[2 * i + 1] = b.at[16 + i];
  return row;
}

inline void turn_pairs(Halves rows[16]) {  // 16 rows of 16 pairs become columns
  Halves turned[16];
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) std::memcpy(turned[j].at + 2 * i, rows[i].at + 2 * j, 4);
  std::memcpy((void*)rows, turned, sizeof turned);
}

// acc + the sums of the pairs of a row: what adds up columns of two rows.
inline Vec add_pairs(Vec acc, Halves row) { return each([&](int i) { return acc.at[i] + float_of(row.at[2 * i]) + float_of(row.at[2 * i + 1]); }); }

// Order of the 32 keys of a block inside a row of probabilities, as AVX-512 packs them: lane l holds keys 4l..4l+3 and then
// 16+4l..16+4l+3. Values lie in the same order, pair by pair.
inline int pair_row(int pair) {  // pair = key / 2, 0..15
  return pair < 8 ? (pair / 2) * 4 + pair % 2 : ((pair - 8) / 2) * 4 + 2 + pair % 2;
}

// The 7 low bits of a bfloat16 power of two, for each 128th of an octave.
struct Powers {
  const uint8_t* mantissa;
  explicit Powers(const uint8_t* mantissa) : mantissa(mantissa) {}
};

// Scores of 32 keys, in 128ths of an octave, become powers of two in the order of pair_row; those outside of `mask` become
// 0. `total` takes them up.
inline Halves powers(const float* keys, const float* keys_after, Vec offset, Mask mask, const Powers& table, Vec& total) {
  Halves row;
  for (int i = 0; i < 32; ++i) {
    const int key = i / 8 * 4 + i % 4 + (i % 8 < 4 ? 0 : 16);
    const float score = key < 16 ? keys[key] : keys_after[key - 16], steps = score + offset.at[0];
    const int t = !(mask >> key & 1) || !(steps > 0.0f) ? 0 : (int)std::nearbyint(steps > 32767.0f ? 32767.0f : steps);
    row.at[i] = (bf16)((t & ~0x7f) | table.mantissa[t & 0x7f]);
  }
  total = add_pairs(total, row);
  return row;
}

}  // namespace limbeck
