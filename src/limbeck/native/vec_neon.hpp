// Sixteen floats on Arm's NEON: four registers of four.
#pragma once
#include <arm_neon.h>
#include <cstddef>
#include <cstdint>

namespace limbeck {

struct Vec { float32x4_t at[4]; };
using Mask = uint32_t;  // bit i: number i

template <class F>
inline Vec each(F f) { return {{f(0), f(1), f(2), f(3)}}; }

inline Vec load(const float* p) { return each([=](int i) { return vld1q_f32(p + 4 * i); }); }
inline Vec loadu(const float* p) { return load(p); }
inline void store(float* p, Vec v) { for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, v.at[i]); }
inline void storeu(float* p, Vec v) { store(p, v); }
inline void stream(float* p, Vec v) { store(p, v); }
inline void stream_end() {}
inline Vec set(float x) { const float32x4_t v = vdupq_n_f32(x); return {{v, v, v, v}}; }
inline Vec spread(const float* p) { const float32x4_t v = vld1q_dup_f32(p); return {{v, v, v, v}}; }
inline Vec zero() { return set(0.0f); }
inline Vec operator+(Vec x, Vec y) { return each([&](int i) { return vaddq_f32(x.at[i], y.at[i]); }); }
inline Vec operator-(Vec x, Vec y) { return each([&](int i) { return vsubq_f32(x.at[i], y.at[i]); }); }
inline Vec operator*(Vec x, Vec y) { return each([&](int i) { return vmulq_f32(x.at[i], y.at[i]); }); }
inline Vec fma(Vec x, Vec y, Vec z) { return each([&](int i) { return vfmaq_f32(z.at[i], x.at[i], y.at[i]); }); }             // xy + z
inline Vec fms(Vec x, Vec y, Vec z) { return each([&](int i) { return vfmaq_f32(vnegq_f32(z.at[i]), x.at[i], y.at[i]); }); }  // xy - z
inline Vec fnma(Vec x, Vec y, Vec z) { return each([&](int i) { return vfmsq_f32(z.at[i], x.at[i], y.at[i]); }); }            // z - xy
// As on x86 the second is taken where either is no number: a score that is none must not hide.
inline Vec max(Vec x, Vec y) { return each([&](int i) { return vbslq_f32(vcgtq_f32(x.at[i], y.at[i]), x.at[i], y.at[i]); }); }
inline Vec min(Vec x, Vec y) { return each([&](int i) { return vbslq_f32(vcltq_f32(x.at[i], y.at[i]), x.at[i], y.at[i]); }); }

inline uint32x4_t lanes(Mask mask, int i) {
  static const uint32_t kBits[4] = {1, 2, 4, 8};
  return vtstq_u32(vdupq_n_u32(mask >> (4 * i)), vld1q_u32(kBits));
}
inline Vec pick(Mask mask, Vec x, Vec otherwise) { return each([&](int i) { return vbslq_f32(lanes(mask, i), x.at[i], otherwise.at[i]); }); }
inline Vec keep(Mask mask, Vec x) { return pick(mask, x, zero()); }  // else 0
inline Mask above(Vec x, Vec y) {
  static const uint32_t kBits[4] = {1, 2, 4, 8};
  Mask mask = 0;
  for (int i = 0; i < 4; ++i) mask |= vaddvq_u32(vandq_u32(vcgtq_f32(x.at[i], y.at[i]), vld1q_u32(kBits))) << (4 * i);
  return mask;
}

inline float sum(Vec v) {
  const float32x4_t four = vaddq_f32(vaddq_f32(v.at[0], v.at[2]), vaddq_f32(v.at[1], v.at[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
inline float top(Vec v) { return vmaxvq_f32(vmaxq_f32(vmaxq_f32(v.at[0], v.at[1]), vmaxq_f32(v.at[2], v.at[3]))); }

inline Vec whole(Vec x) { return each([&](int i) { return vrndnq_f32(x.at[i]); }); }  // to the nearest
inline Vec times_power(Vec x, Vec n) {  // x 2^n of whole n <= 127; 0 where 2^n is below the normal numbers
  return each([&](int i) {
    const int32x4_t biased = vmaxq_s32(vqaddq_s32(vcvtnq_s32_f32(n.at[i]), vdupq_n_s32(127)), vdupq_n_s32(0));
    return vmulq_f32(x.at[i], vreinterpretq_f32_s32(vshlq_n_s32(biased, 23)));
  });
}

// Two neighbouring weights of 16 columns (product_float.hpp): the one of the even depth with its noise below, and the other.
inline Vec even_weights(const uint16_t* p) { return each([=](int i) { return vreinterpretq_f32_u16(vld1q_u16(p + 8 * i)); }); }
inline Vec odd_weights(Vec even) {
  return each([&](int i) { return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(even.at[i]), 16)); });
}

// 16 rows of 16 numbers become columns.
inline void turn_square(const float* from, size_t from_stride, float* to, size_t to_stride) {
  for (int row = 0; row < 16; row += 4)
    for (int column = 0; column < 16; column += 4) {
      const float* at = from + row * from_stride + column;
      const float32x4x2_t a = vtrnq_f32(vld1q_f32(at), vld1q_f32(at + from_stride));
      const float32x4x2_t b = vtrnq_f32(vld1q_f32(at + 2 * from_stride), vld1q_f32(at + 3 * from_stride));
      float* out = to + column * to_stride + row;
      for (int i = 0; i < 2; ++i) {
        vst1q_f32(out + i * to_stride, vcombine_f32(vget_low_f32(a.val[i]), vget_low_f32(b.val[i])));
        vst1q_f32(out + (2 + i) * to_stride, vcombine_f32(vget_high_f32(a.val[i]), vget_high_f32(b.val[i])));
      }
    }
}

inline void fetch_far(const void* p) { __builtin_prefetch(p, 0, 2); }
inline void fetch_near(const void* p) { __builtin_prefetch(p, 0, 3); }
inline void fetch(const void* p) { fetch_far(p); }
inline void pause() { asm volatile("yield"); }

// Numbers too small to be normal count as 0 while a thread computes here, as on other machines.
struct FlushScope {
  static constexpr uint64_t kFlush = 1 << 24;  // FPCR.FZ
  uint64_t before;
  FlushScope() {
    asm volatile("mrs %0, fpcr" : "=r"(before));
    asm volatile("msr fpcr, %0" ::"r"(before | kFlush));
  }
  ~FlushScope() { asm volatile("msr fpcr, %0" ::"r"(before)); }
};

}  // namespace limbeck
