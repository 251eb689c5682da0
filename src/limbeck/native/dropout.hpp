// Dropout whose mask is a function of (seed, site, row, column): computed again in the backward pass, never stored.
//
// In: a seed, what is dropped (its site), and the row and block of 32 columns. Out: 32 bits, 1 for what is kept.
// A number is dropped when 16 random bits are below the threshold, so a rate is a multiple of 1 / 65,536.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011), section 3.2.2: ARS-5, five
// rounds of AES on a counter.
#pragma once
#include <immintrin.h>
#include <cstdint>

namespace limbeck {

constexpr int kRounds = 5;

// Where numbers are dropped; no two sites share a counter.
constexpr uint32_t kEmbeddingSite = 0;
inline uint32_t feed_site(int layer) { return 1 + layer; }
inline uint32_t attention_site(int layer, int head) { return (1u << 16) + ((uint32_t)layer << 12) + head; }

struct Dice {
  __m512i keys[kRounds + 1];

  explicit Dice(uint64_t seed) {
    // Two numbers of splitmix64 make the key; the round keys follow by Weyl sequences, as in the source.
    uint64_t halves[2];
    for (uint64_t& half : halves) {
      uint64_t z = seed += 0x9e3779b97f4a7c15u;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      half = z ^ (z >> 31);
    }
    for (__m512i& key : keys) {
      key = _mm512_broadcast_i32x4(_mm_set_epi64x((int64_t)halves[1], (int64_t)halves[0]));
      halves[0] += 0x9e3779b97f4a7c15u;
      halves[1] += 0xbb67ae8584caa73bu;
    }
  }

  // The counters of a row's first block of columns.
  static __m512i counters(uint32_t site, uint32_t row) {
    const __m512i lanes = _mm512_set_epi32(0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0);
    return _mm512_or_si512(_mm512_set4_epi32(0, (int)site, 0, (int)row), lanes);
  }
  __m512i roll(__m512i counters, uint32_t block) const {
    __m512i x = _mm512_mask_add_epi32(counters, 0x2222, counters, _mm512_set1_epi32((int)(block * 4)));
    x = _mm512_xor_si512(x, keys[0]);
    for (int round = 1; round < kRounds; ++round) x = _mm512_aesenc_epi128(x, keys[round]);
    return _mm512_aesenclast_epi128(x, keys[kRounds]);
  }
};

// Dropout at one site. With threshold 0 nothing is drawn.
struct Dropout {
  const Dice* dice;
  uint32_t site, threshold;

  float scale() const { return 65536.0f / (float)(65536 - threshold); }
};

// Dropout of one row.
struct RowDropout {
  const Dice& dice;
  const uint32_t threshold;
  const __m512i counters, least;

  RowDropout(const Dropout& dropout, uint32_t row)
      : dice(*dropout.dice), threshold(dropout.threshold), counters(Dice::counters(dropout.site, row)),
        least(_mm512_set1_epi16((short)dropout.threshold)) {}

  __mmask32 kept(uint32_t block) const {
    return threshold ? _mm512_cmpge_epu16_mask(dice.roll(counters, block), least) : ~0u;
  }
};

}  // namespace limbeck
