// Sixteen floats in plain C++: what every other vec_*.hpp must do, and the reference that they are tested against.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace limbeck {

struct Vec { float at[16]; };
using Mask = uint32_t;  // bit i: number i

template <class F>
inline Vec each(F f) {
  Vec v;
  for (int i = 0; i < 16; ++i) v.at[i] = f(i);
  return v;
}

inline Vec load(const float* p) { return each([=](int i) { return p[i]; }); }
inline Vec loadu(const float* p) { return load(p); }
inline void store(float* p, Vec v) { std::memcpy(p, v.at, sizeof v.at); }
inline void storeu(float* p, Vec v) { store(p, v); }
inline void stream(float* p, Vec v) { store(p, v); }
inline void stream_end() {}
inline Vec set(float x) { return each([=](int) { return x; }); }
inline Vec spread(const float* p) { return set(*p); }
inline Vec zero() { return set(0.0f); }
inline Vec operator+(Vec x, Vec y) { return each([&](int i) { return x.at[i] + y.at[i]; }); }
inline Vec operator-(Vec x, Vec y) { return each([&](int i) { return x.at[i] - y.at[i]; }); }
inline Vec operator*(Vec x, Vec y) { return each([&](int i) { return x.at[i] * y.at[i]; }); }
inline Vec fma(Vec x, Vec y, Vec z) { return x * y + z; }   // xy + z, here rounded twice
inline Vec fms(Vec x, Vec y, Vec z) { return x * y - z; }   // xy - z
inline Vec fnma(Vec x, Vec y, Vec z) { return z - x * y; }  // z - xy
inline Vec max(Vec x, Vec y) { return each([&](int i) { return x.at[i] > y.at[i] ? x.at[i] : y.at[i]; }); }
inline Vec min(Vec x, Vec y) { return each([&](int i) { return x.at[i] < y.at[i] ? x.at[i] : y.at[i]; }); }
inline Vec keep(Mask mask, Vec x) { return each([&](int i) { return mask >> i & 1 ? x.at[i] : 0.0f; }); }  // else 0
inline Vec pick(Mask mask, Vec x, Vec otherwise) { return each([&](int i) { return mask >> i & 1 ? x.at[i] : otherwise.at[i]; }); }
inline Mask above(Vec x, Vec y) {
  Mask mask = 0;
  for (int i = 0; i < 16; ++i) mask |= (Mask)(x.at[i] > y.at[i]) << i;
  return mask;
}

inline float sum(Vec v) {
  for (int half = 8; half; half /= 2)
    for (int i = 0; i < half; ++i) v.at[i] += v.at[i + half];
  return v.at[0];
}
inline float top(Vec v) {
  for (int half = 8; half; half /= 2)
    for (int i = 0; i < half; ++i) v.at[i] = v.at[i] > v.at[i + half] ? v.at[i] : v.at[i + half];
  return v.at[0];
}

inline Vec whole(Vec x) { return each([&](int i) { return std::nearbyint(x.at[i]); }); }  // to the nearest
inline Vec times_power(Vec x, Vec n) {  // x 2^n of whole n <= 127; 0 where 2^n is below the normal numbers
  return each([&](int i) {
    const int biased = (int)(n.at[i] < -127.0f ? -127.0f : n.at[i]) + 127;
    const uint32_t bits = (uint32_t)biased << 23;
    float power;
    std::memcpy(&power, &bits, 4);
    return x.at[i] * power;
  });
}

// Two neighbouring weights of 16 columns (product_float.hpp): the one of the even depth with its noise below, and the other.
inline Vec even_weights(const uint16_t* p) {
  Vec v;
  std::memcpy(v.at, p, 64);
  return v;
}
inline Vec odd_weights(Vec even) {
  uint32_t words[16];
  std::memcpy(words, even.at, 64);
  for (uint32_t& word : words) word <<= 16;
  std::memcpy(even.at, words, 64);
  return even;
}

// 16 rows of 16 numbers become columns.
inline void turn_square(const float* from, size_t from_stride, float* to, size_t to_stride) {
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 16; ++column) to[column * to_stride + row] = from[row * from_stride + column];
}

inline void fetch_far(const void*) {}
inline void fetch_near(const void*) {}
inline void pause() {}
struct FlushScope {};

}  // namespace limbeck
