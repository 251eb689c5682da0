// Dropout whose mask is a function of (seed, site, row, column): computed again in the backward pass, never stored.
//
// In: a seed, what is dropped (its site), and the row and block of 32 columns. Out: 32 bits, 1 for what is kept, the same on
// every machine. A number is dropped when 16 random bits are below the threshold, so a rate is a multiple of 1 / 65,536.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011), section 3.2.2: ARS-5, five
// rounds of AES on a counter; NIST FIPS 197 for the rounds.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AES__)
#include <immintrin.h>
#elif defined(__ARM_FEATURE_AES) || defined(__ARM_FEATURE_CRYPTO)
#include <arm_neon.h>
#define LIMBECK_ARM_AES
#endif

namespace limbeck {

constexpr int kRounds = 5;

// Where numbers are dropped; no two sites share a counter.
constexpr uint32_t kEmbeddingSite = 0;
inline uint32_t feed_site(int layer) { return 1 + layer; }
inline uint32_t attention_site(int layer, int head) { return (1u << 16) + ((uint32_t)layer << 12) + head; }

// The two halves of the first round's key: numbers of splitmix64; those of later rounds follow by Weyl sequences, as in the source.
struct KeyHalves {
  uint64_t low, high;

  explicit KeyHalves(uint64_t seed) : low(next(seed)), high(next(seed)) {}
  void advance() {
    low += 0x9e3779b97f4a7c15u;
    high += 0xbb67ae8584caa73bu;
  }

 private:
  static uint64_t next(uint64_t& seed) {
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
};

#if defined(__VAES__) && defined(__AVX512BW__)

// Four counters in one register.
struct Dice {
  __m512i keys[kRounds + 1];

  explicit Dice(uint64_t seed) {
    KeyHalves halves(seed);
    for (__m512i& key : keys) {
      key = _mm512_broadcast_i32x4(_mm_set_epi64x((int64_t)halves.high, (int64_t)halves.low));
      halves.advance();
    }
  }
  // Bits of the 32 numbers of a block that are at least the threshold.
  uint32_t at_least(uint32_t threshold, uint32_t site, uint32_t row, uint32_t block) const {
    const __m512i lanes = _mm512_set_epi32(0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0);
    __m512i x = _mm512_or_si512(_mm512_set4_epi32(0, (int)site, 0, (int)row), lanes);
    x = _mm512_mask_add_epi32(x, 0x2222, x, _mm512_set1_epi32((int)(block * 4)));
    x = _mm512_xor_si512(x, keys[0]);
    for (int round = 1; round < kRounds; ++round) x = _mm512_aesenc_epi128(x, keys[round]);
    x = _mm512_aesenclast_epi128(x, keys[kRounds]);
    return _mm512_cmpge_epu16_mask(x, _mm512_set1_epi16((short)threshold));
  }
};

#else

#if defined(__AES__)

using Word = __m128i;
inline Word word_of(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return _mm_set_epi32((int)d, (int)c, (int)b, (int)a); }
inline Word both(Word x, Word y) { return _mm_xor_si128(x, y); }
inline Word round_of(Word x, Word key) { return _mm_aesenc_si128(x, key); }
inline Word last_round(Word x, Word key) { return _mm_aesenclast_si128(x, key); }
inline void put_word(uint16_t* to, Word x) { _mm_storeu_si128((__m128i*)to, x); }

#elif defined(LIMBECK_ARM_AES)

using Word = uint8x16_t;
inline Word word_of(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  const uint32_t words[4] = {a, b, c, d};
  return vreinterpretq_u8_u32(vld1q_u32(words));
}
inline Word both(Word x, Word y) { return veorq_u8(x, y); }
// Arm's round adds its key first, the source's last.
inline Word round_of(Word x, Word key) { return both(vaesmcq_u8(vaeseq_u8(x, vdupq_n_u8(0))), key); }
inline Word last_round(Word x, Word key) { return both(vaeseq_u8(x, vdupq_n_u8(0)), key); }
inline void put_word(uint16_t* to, Word x) { vst1q_u8((uint8_t*)to, x); }

#else

// Sixteen bytes; byte r + 4c is row r, column c of the state.
struct Word { uint8_t at[16]; };
inline Word word_of(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  const uint32_t words[4] = {a, b, c, d};
  Word x;
  for (int i = 0; i < 16; ++i) x.at[i] = (uint8_t)(words[i / 4] >> i % 4 * 8);
  return x;
}
inline Word both(Word x, Word y) {
  for (int i = 0; i < 16; ++i) x.at[i] ^= y.at[i];
  return x;
}
constexpr uint8_t times_two(uint8_t x) { return (uint8_t)(x << 1 ^ (x >> 7) * 0x1b); }
struct SubstitutionTable {  // multiplicative inverse in GF(2^8), then the affine map
  uint8_t at[256];
  constexpr SubstitutionTable() : at() {
    uint8_t p = 1, q = 1;
    do {
      p = (uint8_t)(p ^ times_two(p));  // times 3
      q = (uint8_t)(q ^ q << 1);        // divided by 3
      q = (uint8_t)(q ^ q << 2);
      q = (uint8_t)(q ^ q << 4);
      if (q & 0x80) q ^= 0x09;
      const auto turn = [](uint8_t x, int by) { return (uint8_t)(x << by | x >> (8 - by)); };
      at[p] = (uint8_t)(q ^ turn(q, 1) ^ turn(q, 2) ^ turn(q, 3) ^ turn(q, 4) ^ 0x63);
    } while (p != 1);
    at[0] = 0x63;
  }
};
static constexpr SubstitutionTable kSubstitution;
inline Word last_round(Word x, Word key) {
  Word y;
  for (int c = 0; c < 4; ++c)
    for (int r = 0; r < 4; ++r) y.at[r + 4 * c] = kSubstitution.at[x.at[r + 4 * ((c + r) % 4)]];
  return both(y, key);
}
inline Word round_of(Word x, Word key) {
  const Word s = last_round(x, Word{});
  Word y;
  for (int c = 0; c < 4; ++c)
    for (int r = 0; r < 4; ++r) {
      const uint8_t a = s.at[r + 4 * c], b = s.at[(r + 1) % 4 + 4 * c];
      y.at[r + 4 * c] = (uint8_t)(times_two(a) ^ times_two(b) ^ b ^ s.at[(r + 2) % 4 + 4 * c] ^ s.at[(r + 3) % 4 + 4 * c]);
    }
  return both(y, key);
}
inline void put_word(uint16_t* to, Word x) {
  for (int i = 0; i < 8; ++i) to[i] = (uint16_t)(x.at[2 * i] | x.at[2 * i + 1] << 8);
}

#endif

struct Dice {
  Word keys[kRounds + 1];

  explicit Dice(uint64_t seed) {
    KeyHalves halves(seed);
    for (Word& key : keys) {
      key = word_of((uint32_t)halves.low, (uint32_t)(halves.low >> 32), (uint32_t)halves.high, (uint32_t)(halves.high >> 32));
      halves.advance();
    }
  }
  // Bits of the 32 numbers of a block that are at least the threshold.
  uint32_t at_least(uint32_t threshold, uint32_t site, uint32_t row, uint32_t block) const {
    Word x[4];
    for (uint32_t i = 0; i < 4; ++i) x[i] = both(word_of(row, block * 4 + i, site, 0), keys[0]);
    for (int round = 1; round < kRounds; ++round)
      for (Word& word : x) word = round_of(word, keys[round]);
    uint16_t numbers[32];
    for (int i = 0; i < 4; ++i) put_word(numbers + 8 * i, last_round(x[i], keys[kRounds]));
    uint32_t bits = 0;
    for (int i = 0; i < 32; ++i) bits |= (uint32_t)(numbers[i] >= threshold) << i;
    return bits;
  }
};

#endif

// Dropout at one site. With threshold 0 nothing is drawn.
struct Dropout {
  const Dice* dice;
  uint32_t site, threshold;

  float scale() const { return 65536.0f / (float)(65536 - threshold); }
};

// Dropout of one row.
struct RowDropout {
  const Dropout& dropout;
  const uint32_t row;

  RowDropout(const Dropout& dropout, uint32_t row) : dropout(dropout), row(row) {}

  uint32_t kept(uint32_t block) const { return dropout.threshold ? dropout.dice->at_least(dropout.threshold, dropout.site, row, block) : ~0u; }
};

}  // namespace limbeck
