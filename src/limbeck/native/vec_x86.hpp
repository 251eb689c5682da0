// What AVX2 and AVX-512 have alike: fetching ahead, waiting, numbers that are too small.
#pragma once
#include <immintrin.h>

namespace limbeck {

inline void fetch_far(const void* p) { _mm_prefetch((const char*)p, _MM_HINT_T1); }   // into the second-level cache
inline void fetch_near(const void* p) { _mm_prefetch((const char*)p, _MM_HINT_T0); }  // into the first
inline void pause() { _mm_pause(); }

// Numbers too small to be normal count as 0 while a thread computes here: they would cost hundreds of cycles each.
struct FlushScope {
  unsigned before = _mm_getcsr();
  FlushScope() { _mm_setcsr(before | 0x8040); }
  ~FlushScope() { _mm_setcsr(before); }
};

}  // namespace limbeck
