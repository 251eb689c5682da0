// The functions of a library and what they are called with: for encoder.cpp and step.cpp, which have them, and for
// tests/native/check.cpp, which calls them. kernels.py says the same to Python; whoever changes one of them changes kAbi.
#pragma once
#include <cstddef>
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

struct Norm { const float *scale, *shift; };

// One layer of an encoder.
struct Layer {
  const uint16_t *qkv, *mix, *up, *down;  // packed weights, bfloat16
  const float *qkv_bias, *mix_bias, *up_bias, *down_bias;
  Norm norm1, norm2;
};

struct Model {
  int32_t dim, n_heads, hidden_dim, n_layers, gelu;
  float epsilon;
  const float *words, *positions;
  Norm norm;
  const Layer* layers;
};

// Some texts: text i has ids[offsets[rows[i]]] .. ids[offsets[rows[i] + 1]] and its result goes to row rows[i] of `out`.
struct Texts {
  const int32_t* ids;
  const int64_t *offsets, *rows;
  int32_t count;
  int length(int i) const { return (int)(offsets[rows[i] + 1] - offsets[rows[i]]); }
};

// How the hidden states of a text become one row.
enum Kind : int32_t { kFirst = 0, kMean = 1, kMax = 2 };

struct Block { int32_t layer; Kind kind; };

struct Features {
  const Block* blocks;
  int32_t n_blocks;
  float* out;
};

// The sizes of an encoder that is trained.
struct Sizes {
  int32_t dim, n_heads, hidden_dim, n_layers, gelu;
  float epsilon;
};

// Text i has ids[offsets[i]] .. ids[offsets[i + 1]].
struct Batch {
  const int32_t *ids, *offsets;
  const float* const* tensors;       // all weights
  const uint32_t* thresholds;        // of dropout: embeddings, then (feed-forward net, attention) of each layer
  uint64_t seed;
  int32_t texts, firsts_only, keep;  // keep: a backward pass follows
};

struct Gradients {
  float* const* tensors;  // null where a weight is not trained
  int32_t add;            // to what is there (1), or write (0); embeddings are always added to
};

}  // namespace limbeck

// What each does is said where it is written.
extern "C" {
LIMBECK_API int limbeck_abi();
LIMBECK_API int limbeck_open();
LIMBECK_API void limbeck_about(limbeck::About* out);
LIMBECK_API double limbeck_peak(int64_t rounds);

LIMBECK_API int64_t limbeck_packed_bytes(int32_t n_out, int32_t n_in);
LIMBECK_API void limbeck_pack(const float* weights, int32_t n_out, int32_t n_in, void* packed);
LIMBECK_API void* limbeck_workplace(const limbeck::Model* m, int32_t max_tokens, int32_t threads);
LIMBECK_API void limbeck_leave(void* workplace);
LIMBECK_API int limbeck_encode(const limbeck::Model* m, void* workplace, int32_t threads, const limbeck::Texts* texts,
                               const limbeck::Features* features);

LIMBECK_API void* limbeck_step_new(const limbeck::Sizes* sizes);
LIMBECK_API void limbeck_step_free(void* step);
LIMBECK_API size_t limbeck_step_bytes(const void* step);
LIMBECK_API int limbeck_step_pack(void* step, const float* const* tensors, int32_t threads);
LIMBECK_API int limbeck_step_forward(void* step, const limbeck::Batch* batch, int32_t threads, float* out);
LIMBECK_API int limbeck_step_backward(void* step, const float* const* tensors, const float* out_back,
                                      const limbeck::Gradients* gradients);
}
