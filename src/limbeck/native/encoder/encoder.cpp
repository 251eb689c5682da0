// DistilBERT, whole, over packed tokens: embeddings, layers, pooling.
//
// In: packed weights and token ids. Out: pooled hidden states, float. Texts are never padded: tokens of all texts of a
// chunk lie end to end, and attention finds a text's own keys by bounds. Sums, residuals and norms are float32; the
// operands of products are bf16.
//
// Source: Sanh et al., "DistilBERT" (2019); Vaswani et al. (2017), section 3.
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <new>
#include <vector>
#include "attention.hpp"
#include "linear.hpp"
#include "rows.hpp"
#include "team.hpp"

namespace limbeck {

constexpr int kAbi = 2;
constexpr int kSlice = 24;  // k tiles (768 columns) that a product takes at a time
constexpr int kMostDim = 8192;

struct Layer {
  const bf16 *qkv, *mix, *up, *down;  // packed weights
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

struct Block { int32_t layer; Kind kind; };

// Some texts: text i has ids[offsets[rows[i]]] .. ids[offsets[rows[i] + 1]] and its result goes to row rows[i] of `out`.
struct Texts {
  const int32_t* ids;
  const int64_t *offsets, *rows;
  int32_t count;
  int length(int i) const { return (int)(offsets[rows[i] + 1] - offsets[rows[i]]); }
};

struct Features {
  const Block* blocks;
  int32_t n_blocks;
  float* out;
};

// The memory of one chunk.
struct Arena {
  int capacity;  // tokens, a multiple of 32
  char* base;
  bf16 *hidden, *queries, *keys, *values, *mixed, *inner;
  float* sums;
  Span* spans;
  int* firsts;  // first row of each text
};

// The memory of one member of a team.
struct Desk {
  float *scores, *scratch;
  bf16* weights;
};

inline int padded(int tokens) { return (tokens + kBlock - 1) / kBlock * kBlock; }
alignas(64) static const float no_bias[kMostDim] = {};
static const PowerTable power_table;

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
      attend(m.layers[l], only_firsts);
      if (only_firsts) keep_firsts(texts.count);
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
  bf16* mixed = nullptr;

  int row_blocks() const { return padded(tokens) / kBlock; }
  int per() const { return m.dim / kBlock; }

  void lay_out(const Texts& texts) {
    tokens = 0;
    mixed = a.mixed;
    for (int i = 0; i < texts.count; ++i) {
      const int length = texts.length(i);
      if (team.rank == 0) {
        a.firsts[i] = tokens;
        for (int t = 0; t < length; ++t) a.spans[tokens + t] = {tokens, tokens + length};
      }
      tokens += length;
    }
    if (team.rank == 0) {
      a.firsts[texts.count] = tokens;
      for (int t = tokens; t < padded(tokens); ++t) a.spans[t] = {0, 0};
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

  void attend(const Layer& layer, bool only_firsts) {
    const Share columns = team.share(3 * per());
    SplitQkv split{layer.qkv_bias, m.dim, a.queries, a.keys, a.values};
    multiply({a.hidden, row_blocks(), per()}, {layer.qkv, columns.first, columns.stop, per()}, per(), desk.scratch, split);
    team.meet();
    const Attention attention{m.dim, m.dim / m.n_heads, a.queries, a.keys, a.values, a.mixed,
                              a.spans, desk.scores, desk.weights, &power_table};
    const Share share = team.share(m.n_heads * row_blocks());
    for (int step = share.first; step < share.stop; ++step) {
      const int head = step / row_blocks(), block = step % row_blocks();
      const int first_row = block * kBlock, last_row = std::min(first_row + kBlock, tokens) - 1;
      // A block holds a text's first row when the text of its first row starts there, or another text follows.
      if (only_firsts && a.spans[first_row].first < first_row && a.spans[last_row].first == a.spans[first_row].first) continue;
      attention.attend(block, head, a.spans[first_row].first / kBlock * kBlock, padded(a.spans[last_row].stop));
    }
    team.meet();
  }

  // From here on only the first row of each text is computed: all that [CLS] pooling of the last layer needs.
  void keep_firsts(int count) {
    if (team.rank == 0) {
      const size_t run = (size_t)per() * kTile;
      for (int i = 0; i < count; ++i) {
        const int from = a.firsts[i];
        if (from != i) std::memcpy(a.sums + (size_t)i * m.dim, a.sums + (size_t)from * m.dim, (size_t)m.dim * 4);
        for (int c = 0; c < per(); ++c)
          std::memcpy(a.queries + i / 16 * run + (size_t)c * kTile + i % 16 * 32,
                      a.mixed + from / 16 * run + (size_t)c * kTile + from % 16 * 32, 64);
      }
      for (int i = 0; i <= count; ++i) a.firsts[i] = i;
    }
    tokens = count;
    mixed = a.queries;
    team.meet();
  }

  // Output of the attention, then the feed-forward net, each added to `sums` and normalised.
  void feed(const Layer& layer, const float* next_bias) {
    const int inner_tiles = m.hidden_dim / kBlock, blocks = row_blocks();
    add_product(mixed, per(), layer.mix, per());
    norm_all(layer.norm1, layer.down_bias);
    // Few rows leave room for a wide slice of the inner layer.
    const int slice = std::min(inner_tiles, kSlice * (a.capacity / padded(tokens)));
    for (int k = 0; k < inner_tiles; k += slice) {
      const int k_tiles = std::min(inner_tiles - k, slice);
      const Share columns = team.share(k_tiles);
      const Columns up{layer.up + (size_t)k * per() * 2 * kTile, columns.first, columns.stop, per()};
      const float* up_bias = layer.up_bias + k * kBlock;
      if (m.gelu) {
        Activate<true> activate{up_bias, a.inner, k_tiles};
        multiply({a.hidden, blocks, per()}, up, per(), desk.scratch, activate);
      } else {
        Activate<false> activate{up_bias, a.inner, k_tiles};
        multiply({a.hidden, blocks, per()}, up, per(), desk.scratch, activate);
      }
      team.meet();
      add_product(a.inner, k_tiles, layer.down + (size_t)k * 2 * kTile, inner_tiles);
    }
    norm_all(layer.norm2, next_bias);
    bias = next_bias;
  }

  // sums += rows * weights; k_tiles of the weights' k_stride are used.
  void add_product(const bf16* rows, int k_tiles, const bf16* weights, int k_stride) {
    const Share columns = team.share(per());
    for (int k = 0; k < k_tiles; k += kSlice)
      multiply_add({rows + (size_t)k * kTile, row_blocks(), k_tiles},
                   {weights + (size_t)k * 2 * kTile, columns.first, columns.stop, k_stride}, std::min(k_tiles - k, kSlice),
                   a.sums, m.dim);
    team.meet();
  }

  void norm_all(Norm norm, const float* next_bias) {
    const Share share = team.share(padded(tokens));
    normalise(a.sums, share.first, share.stop, m.dim, norm, m.epsilon, next_bias, a.hidden);
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

// Cuts one block of memory into arrays.
struct Cutter {
  char* at;
  template <class T>
  T* take(size_t count) {
    char* here = at;
    at += (count * sizeof(T) + 4095) / 4096 * 4096 + 192;  // arrays start in different cache sets
    return (T*)here;
  }
};

struct Workplace {
  Arena arena;
  std::vector<Desk> desks;
};

static size_t cut(Workplace& w, const Model& m, char* base) {
  Cutter cutter{base};
  Arena& a = w.arena;
  const size_t tokens = a.capacity, numbers = tokens * m.dim, window = tokens + kBlock;
  for (bf16** rows : {&a.hidden, &a.queries, &a.keys, &a.values, &a.mixed}) *rows = cutter.take<bf16>(numbers);
  a.inner = cutter.take<bf16>(tokens * kSlice * kBlock);
  a.sums = cutter.take<float>(numbers);
  a.spans = cutter.take<Span>(tokens);
  a.firsts = cutter.take<int>(tokens + 1);
  for (Desk& desk : w.desks) {
    desk.scores = cutter.take<float>(16 * window);
    desk.weights = cutter.take<bf16>(32 * window);
    desk.scratch = cutter.take<float>(2048);
  }
  return cutter.at - base;
}

}  // namespace limbeck

using namespace limbeck;

extern "C" {

int limbeck_abi() { return kAbi; }

// Ask the kernel for the tile registers; 0 when this process has them.
int limbeck_open() {
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return (int)syscall(SYS_arch_prctl, kRequestPermission, kTileData);
}

void limbeck_pack(const float* weights, int32_t n_out, int32_t n_in, uint16_t* packed) {
  pack_weights(weights, n_out, n_in, packed);
}

// Memory for chunks of up to `max_tokens` tokens and teams of up to `threads`; null when there is not enough.
void* limbeck_workplace(const Model* m, int32_t max_tokens, int32_t threads) {
  constexpr size_t kHuge = 1 << 21;
  Workplace* w = new (std::nothrow) Workplace{};
  if (!w) return nullptr;
  w->arena.capacity = padded(max_tokens);
  try {
    w->desks.resize((size_t)threads);
  } catch (...) {
    delete w;
    return nullptr;
  }
  const size_t bytes = (cut(*w, *m, nullptr) + kHuge - 1) / kHuge * kHuge;
  char* base = (char*)std::aligned_alloc(kHuge, bytes);
  if (!base) {
    delete w;
    return nullptr;
  }
  madvise(base, bytes, MADV_HUGEPAGE);
  std::memset(base, 0, bytes);
  cut(*w, *m, base);
  w->arena.base = base;
  return w;
}

void limbeck_leave(void* workplace) {
  Workplace* w = (Workplace*)workplace;
  std::free(w->arena.base);
  delete w;
}

// Encode one chunk with a team of `threads`, the calling thread among them; an `Answer`.
int limbeck_encode(const Model* m, void* workplace, int32_t threads, const Texts* texts, const Features* features) {
  Workplace& w = *(Workplace*)workplace;
  Meeting meeting;
  return with_team(threads, [&](int rank) {
    configure_tiles();
    Pass(*m, w.arena, w.desks[rank], {rank, threads, &meeting}).run(*texts, *features);
    release_tiles();
  });
}
}
