// What a library shows of itself, and the version of all its functions and structures.
#pragma once
#include <cstdint>

#if defined(_WIN32)
#define LIMBECK_API __declspec(dllexport)
#else
#define LIMBECK_API __attribute__((visibility("default")))
#endif

namespace limbeck {

constexpr int kAbi = 3;

// What Python needs to know of a library.
struct About {
  int32_t chunk_tokens;  // of a chunk, so that it stays in the second-level cache
  int32_t width_step;    // widths of an encoder and of its heads are multiples of this
  float score_unit;      // steps of scores in an octave
  int32_t is_bf16;       // operands of products are bfloat16
};

}  // namespace limbeck
