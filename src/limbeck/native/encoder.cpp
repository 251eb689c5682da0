// DistilBERT, whole, over packed tokens: embeddings, layers, pooling.
//
// In: packed weights and token ids. Out: pooled hidden states, float. Texts are never padded: tokens of all texts of a
// chunk lie end to end, and attention finds a text's own keys by bounds. Sums, residuals and norms are float32; the
// operands of products are bf16.
//
// Source: Sanh et al., "DistilBERT" (2019); Vaswani et al. (2017), section 3.
#include LIMBECK_ISA
#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>
#include "api.hpp"
#include "cutter.hpp"
#include "encoder_finishers.hpp"
#include "os.hpp"
#include "rows.hpp"
#include "team.hpp"

namespace limbeck {
namespace {  // the training step has a Pass and a Desk of its own

constexpr int kMostDim = 8192;

// The memory of one chunk.
struct Arena {
  int capacity;  // tokens
  char* base;
  Matrix hidden, queries, mixed, inner;
  KeyStore keys;
  ValueStore values;
  float* sums;
  Span* spans;  // slots of the keys that each row sees
  int* slots;   // of each row's own key, and of the row after the last
  int* firsts;  // first row of each text
};

// The memory of one member of a team.
struct Desk {
  float* scratch;
  AttentionRoom attention;
};

inline int rounded_up(int rows, int step) { return (rows + step - 1) / step * step; }
inline int padded(int tokens) { return rounded_up(tokens, kRowStep); }
inline int inner_rows(int capacity) { return std::min(capacity, kGroupRows); }
alignas(64) static const float no_bias[kMostDim] = {};

class Pass {
 public:
  Pass(const Model& model, Arena& arena, Desk desk, Team team) : m(model), a(arena), desk(desk), team(team) {}

  void run(const Texts& texts, const Features& features) {
    int last = 0;
    bool first_only = true;
    for (int b = 0; b < features.n_blocks; ++b) last = std::max(last, features.blocks[b].layer);
    for (int b = 0; b < features.n_blocks; ++b)
      if (features.blocks[b].layer == last && features.blocks[b].kind != kFirst) first_only = false;
    lay_out(texts);
    team.meet();
    bias = last ? m.layers[0].mix_bias : no_bias;
    embed_all(texts);
    pool_layer(0, texts, features);
    for (int l = 0; l < last; ++l) {
      const bool only_firsts = first_only && l + 1 == last;
      attend(m.layers[l], only_firsts ? texts.count : 0);
      feed(m.layers[l], l + 1 < last ? m.layers[l + 1].mix_bias : no_bias);
      pool_layer(l + 1, texts, features);
    }
  }

 private:
  const Model& m;
  Arena& a;
  Desk desk;
  Team team;
  int tokens = 0;
  const float* bias = no_bias;  // what lies in `sums` beside the hidden state

  int per() const { return m.dim / kChunk; }

  void lay_out(const Texts& texts) {
    tokens = 0;
    int slot = 0;
    for (int i = 0; i < texts.count; ++i) {
      const int length = texts.length(i);
      if (team.rank == 0) {
        a.firsts[i] = tokens;
        slot = first_slot(slot, length);
        const Span span{slot, slot + length};
        for (int t = tokens; t < tokens + length; ++t) a.spans[t] = span, a.slots[t] = slot++;
      }
      tokens += length;
    }
    if (team.rank == 0) {
      a.firsts[texts.count] = tokens;
      for (int t = tokens; t < padded(tokens); ++t) a.spans[t] = {0, 0}, a.slots[t] = slot++;
      a.slots[padded(tokens)] = rounded_up(slot, 32);  // in another block than the last
    }
  }

  void embed_all(const Texts& texts) {
    const Share share = team.share(padded(tokens));
    for (int i = 0; i < texts.count; ++i) {
      const int32_t* ids = texts.ids + texts.offsets[texts.rows[i]];
      const int from = std::max(a.firsts[i], share.first), to = std::min(a.firsts[i + 1], share.stop);
      for (int t = from; t < to; ++t) {
        const int position = t - a.firsts[i];
        embed(m.words + (size_t)ids[position] * m.dim, m.positions + (size_t)position * m.dim, m.dim, a.sums + (size_t)t * m.dim);
      }
    }
    for (int t = std::max(tokens, share.first); t < share.stop; ++t) std::memset(a.sums + (size_t)t * m.dim, 0, (size_t)m.dim * 4);
    normalise(a.sums, share.first, share.stop, m.dim, m.norm, m.epsilon, bias, a.hidden);
    team.meet();
  }

  // All rows attend; of `firsts` texts only their first rows do, when it is not 0.
  void attend(const Layer& layer, int firsts) {
    const int keys = tokens;
    project(layer, a.hidden, firsts ? per() : 0, 3 * per());
    if (firsts) {
      keep_firsts(firsts);
      project(layer, a.mixed, 0, per());
    }
    Attention attention(m.dim / m.n_heads, a.queries, a.keys, a.values, a.mixed, a.spans, desk.attention, keys);
    const int blocks = (tokens + kQueryRows - 1) / kQueryRows;
    const Share share = team.share(m.n_heads * blocks);
    for (int step = share.first; step < share.stop; ++step) {
      const int head = step / blocks, first = step % blocks * kQueryRows;
      const int stop = std::min(first + kQueryRows, padded(tokens)), last = std::min(stop, tokens) - 1;
      attention.attend(head, first, stop, a.spans[first].first, a.spans[last].stop);
    }
    team.meet();
  }

  // Columns from .. to of queries, keys and values, in chunks.
  void project(const Layer& layer, Matrix rows, int from, int to) {
    const Share columns = team.share(to - from);
    SplitQkv split{layer.qkv_bias, m.dim, a.queries, a.keys, a.values, a.slots};
    multiply(rows, padded(tokens), Weights{layer.qkv, from + columns.first, from + columns.stop, per()}, per(), desk.scratch, split);
    team.meet();
  }

  // From here on only the first row of each text is computed: all that [CLS] pooling of the last layer needs. Their hidden
  // rows go where attention's results will; keys stay where they are.
  void keep_firsts(int count) {
    tokens = count;
    if (team.rank == 0) {
      for (int i = 0; i < count; ++i) {
        const int from = a.firsts[i];
        if (from != i) std::memcpy(a.sums + (size_t)i * m.dim, a.sums + (size_t)from * m.dim, (size_t)m.dim * 4);
        for (int c = 0; c < per(); ++c) copy_chunk(a.mixed.at(i, c), a.hidden.at(from, c));
        a.spans[i] = a.spans[from];
      }
      for (int i = 0; i <= count; ++i) a.firsts[i] = i;
      for (int i = count; i < padded(count); ++i) a.spans[i] = {0, 0};
    }
    team.meet();
  }

  // Output of the attention, then the feed-forward net, each added to `sums` and normalised.
  void feed(const Layer& layer, const float* next_bias) {
    for (int first = 0; first < padded(tokens); first += kGroupRows)
      feed_rows(layer, next_bias, first, std::min(padded(tokens) - first, kGroupRows));
    bias = next_bias;
  }

  void feed_rows(const Layer& layer, const float* next_bias, int first, int rows) {
    const int inner_chunks = m.hidden_dim / kChunk;
    add_product(a.mixed.from(first), first, rows, per(), layer.mix, per());
    norm_rows(layer.norm1, layer.down_bias, first, rows);
    // Few rows leave room for a wide slice of the inner layer.
    const int slice = std::min(inner_chunks, kSlice * (inner_rows(a.capacity) / rows));
    const Matrix inner{a.inner.base, Matrix::stride_of(slice)};
    for (int k = 0; k < inner_chunks; k += slice) {
      const int chunks = std::min(inner_chunks - k, slice);
      const Share columns = team.share(chunks);
      const Weights up{layer.up + (size_t)k * per() * 2 * kTile, columns.first, columns.stop, per()};
      const float* up_bias = layer.up_bias + k * kChunk;
      if (m.gelu) {
        Activate<true> activate{up_bias, inner};
        multiply(a.hidden.from(first), rows, up, per(), desk.scratch, activate);
      } else {
        Activate<false> activate{up_bias, inner};
        multiply(a.hidden.from(first), rows, up, per(), desk.scratch, activate);
      }
      team.meet();
      add_product(inner, first, rows, chunks, layer.down + (size_t)k * 2 * kTile, inner_chunks);
    }
    norm_rows(layer.norm2, next_bias, first, rows);
  }

  // Rows `first` .. of sums += matrix * weights; `chunks` of the weights' `stride` blocks of depth are used.
  void add_product(Matrix matrix, int first, int rows, int chunks, const bf16* weights, int stride) {
    const Share columns = team.share(per());
    for (int k = 0; k < chunks; k += kSlice)
      multiply_add(matrix.columns(k), rows, Weights{weights + (size_t)k * 2 * kTile, columns.first, columns.stop, stride},
                   std::min(chunks - k, kSlice), a.sums + (size_t)first * m.dim, m.dim);
    team.meet();
  }

  void norm_rows(Norm norm, const float* next_bias, int first, int rows) {
    const Share share = team.share(rows);
    normalise(a.sums, first + share.first, first + share.stop, m.dim, norm, m.epsilon, next_bias, a.hidden);
    team.meet();
  }

  void pool_layer(int layer, const Texts& texts, const Features& features) {
    const int64_t stride = (int64_t)features.n_blocks * m.dim;
    const Share share = team.share(texts.count);
    bool pooled = false;
    for (int b = 0; b < features.n_blocks; ++b) {
      if (features.blocks[b].layer != layer) continue;
      pooled = true;
      for (int i = share.first; i < share.stop; ++i)
        pool(a.sums + (size_t)a.firsts[i] * m.dim, a.firsts[i + 1] - a.firsts[i], bias, m.dim, features.blocks[b].kind,
             features.out + texts.rows[i] * stride + (int64_t)b * m.dim);
    }
    if (pooled) team.meet();
  }
};

struct Workplace {
  Arena arena;
  std::vector<Desk> desks;
};

static size_t cut(Workplace& w, const Model& m, char* base) {
  Cutter cutter{base};
  Arena& a = w.arena;
  const int rows = rounded_up(a.capacity, 32) + 32, chunks = m.dim / kChunk;
  const int slots = kMostSlots * a.capacity + 64;  // those of rows of no text, and some that are read beyond the last
  for (Matrix* matrix : {&a.hidden, &a.queries, &a.mixed}) *matrix = cutter.matrix(rows, chunks);
  for (Matrix* matrix : {&a.keys.to, &a.values.to}) *matrix = cutter.matrix(slots, chunks);
  a.inner = cutter.matrix(inner_rows(a.capacity), kSlice + 1);  // room for the gaps between wide rows
  a.sums = cutter.take<float>((size_t)rows * m.dim);
  a.spans = cutter.take<Span>(rows);
  a.slots = cutter.take<int>(rows + 1);
  a.firsts = cutter.take<int>(rows);
  for (Desk& desk : w.desks) {
    desk.attention.cut(cutter, m.dim / m.n_heads, kMostSlots * a.capacity);
    desk.scratch = cutter.take<float>(2048);
  }
  return cutter.at - base;
}

}  // namespace
}  // namespace limbeck

using namespace limbeck;

extern "C" {

LIMBECK_API int limbeck_abi() { return kAbi; }

// 0 when this process may use what the library computes with.
LIMBECK_API int limbeck_open() { return open_units(); }

LIMBECK_API void limbeck_about(About* out) { *out = {kChunkTokens, kChunk, kScoreUnit, !kExact}; }

LIMBECK_API int64_t limbeck_packed_bytes(int32_t n_out, int32_t n_in) { return (int64_t)packed_bytes(n_out, n_in); }

LIMBECK_API void limbeck_pack(const float* weights, int32_t n_out, int32_t n_in, void* packed) { pack_weights(weights, n_out, n_in, packed); }

// Floating point operations of so many rounds of products that touch no memory: who times them knows the peak of a thread.
LIMBECK_API double limbeck_peak(int64_t rounds) {
  [[maybe_unused]] const Units units;
  return spend(rounds);
}

// Memory for chunks of up to `max_tokens` tokens and teams of up to `threads`; null when there is not enough.
LIMBECK_API void* limbeck_workplace(const Model* m, int32_t max_tokens, int32_t threads) {
  Workplace* w = new (std::nothrow) Workplace{};
  if (!w) return nullptr;
  w->arena.capacity = rounded_up(max_tokens, 32);
  try {
    w->desks.resize((size_t)threads);
  } catch (...) {
    delete w;
    return nullptr;
  }
  const size_t bytes = cut(*w, *m, nullptr);
  char* base = (char*)take_pages(bytes);
  if (!base) {
    delete w;
    return nullptr;
  }
  std::memset(base, 0, bytes);
  cut(*w, *m, base);
  w->arena.base = base;
  return w;
}

LIMBECK_API void limbeck_leave(void* workplace) {
  Workplace* w = (Workplace*)workplace;
  give_pages(w->arena.base);
  delete w;
}

// Encode one chunk with a team of `threads`, the calling thread among them; an `Answer`.
LIMBECK_API int limbeck_encode(const Model* m, void* workplace, int32_t threads, const Texts* texts, const Features* features) {
  Workplace& w = *(Workplace*)workplace;
  Meeting meeting;
  return with_team(threads, [&](int rank) {
    [[maybe_unused]] const Units units;
    Pass(*m, w.arena, w.desks[rank], {rank, threads, &meeting}).run(*texts, *features);
  });
}
}
