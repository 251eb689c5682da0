// One step of training DistilBERT over packed tokens: forward, and backward to the gradients of all weights.
//
// Products are of bfloat16 or of float32 numbers, with float32 sums; residuals, norms, weights and gradients are float32. The functions below are all
// that Python sees.
//
// Source: Sanh et al., "DistilBERT" (2019); Vaswani et al. (2017), section 3.
#include LIMBECK_ISA
#include <new>
#include "api.hpp"
#include "backward.hpp"

namespace limbeck {

// Let `threads` members work, the calling thread among them; an `Answer`.
template <class Work>
static int with_crew(int threads, Work work) {
  Board board;
  return with_team(threads, [&](int rank) {
    [[maybe_unused]] const Units units;
    Member member{{rank, threads, &board.meeting}, &board};
    work(member, rank);
  });
}

static void pack_layer_band(const Step& s, const float* const* tensors, int layer, int band) {
  const PackedLayer& p = s.packed[layer];
  const int per = s.m.per(), inner = s.m.inner(), dim = s.m.dim, hidden = s.m.hidden_dim;
  const float* const* w = tensors + kEmbeddingTensors + layer * kTensors;
  const struct { Tensor which; int bands, n_out, n_in; In *ahead, *back; } all[] = {
      {kQuery, per, dim, dim, p.query, p.query_back}, {kKey, per, dim, dim, p.key, p.key_back},
      {kValue, per, dim, dim, p.value, p.value_back}, {kMix, per, dim, dim, p.mix, p.mix_back},
      {kUp, inner, hidden, dim, p.up, p.up_back},     {kDown, per, dim, hidden, p.down, p.down_back}};
  for (const auto& one : all) {
    if (band < one.bands) return pack_band(w[one.which], band * kBlock, one.n_out, one.n_in, one.ahead, one.back);
    band -= one.bands;
  }
}

}  // namespace limbeck

using namespace limbeck;

extern "C" {

// Null when there is not enough memory.
LIMBECK_API void* limbeck_step_new(const Sizes* sizes) {
  Step* step = new (std::nothrow) Step{};
  if (!step) return nullptr;
  step->m = {*sizes};
  try {
    if (step->make_packed()) return step;
  } catch (...) {
  }
  delete step;
  return nullptr;
}

LIMBECK_API void limbeck_step_free(void* step) { delete (Step*)step; }

// Bytes that a step holds now.
LIMBECK_API size_t limbeck_step_bytes(const void* step) { return ((const Step*)step)->packed_room.bytes + ((const Step*)step)->room.bytes; }

// Take over the weights as they are now; an `Answer`.
LIMBECK_API int limbeck_step_pack(void* step, const float* const* tensors, int32_t threads) {
  Step& s = *(Step*)step;
  const int bands = 5 * s.m.per() + s.m.inner();
  return with_crew(threads, [&](Member& crew, int) {
    crew.each(s.m.n_layers * bands, [&](int task) { pack_layer_band(s, tensors, task / bands, task % bands); });
  });
}

// Hidden states of the last layer into `out`: (texts, dim) or (tokens, dim); an `Answer`.
LIMBECK_API int limbeck_step_forward(void* step, const Batch* batch, int32_t threads, float* out) {
  Step& s = *(Step*)step;
  try {
    if (!s.lay_out(*batch, threads)) return kNoMemory;
  } catch (...) {
    return kNoMemory;
  }
  return with_crew(threads, [&](Member& crew, int rank) { Forward(s, batch->tensors, crew, s.desks[rank], out).run(); });
}

// Back through the batch that was forward last, kept, with as many threads; an `Answer`.
LIMBECK_API int limbeck_step_backward(void* step, const float* const* tensors, const float* out_back, const Gradients* gradients) {
  Step& s = *(Step*)step;
  return with_crew(s.threads, [&](Member& crew, int rank) { Backward(s, tensors, crew, s.desks[rank], out_back, *gradients).run(); });
}
}
