// What a step computes with: sizes, weights, one batch of texts, and the memory for it.
#pragma once
#include <algorithm>
#include <vector>
#include "api.hpp"
#include "cutter.hpp"
#include "heads.hpp"
#include "norms.hpp"
#include "os.hpp"

namespace limbeck {

constexpr int kBlock = 32;        // rows that are computed together
constexpr int kRunKeys = 256;     // tokens of the texts whose attention is one task, unless one text has more
constexpr int kFirstsRunKeys = 512;  // the same where only the first token of each text asks

// A layer's tensors, in the order of torch's Layer.named_parameters().
enum Tensor {
  kQuery, kQueryBias, kKey, kKeyBias, kValue, kValueBias, kMix, kMixBias, kNorm1Scale, kNorm1Shift,
  kUp, kUpBias, kDown, kDownBias, kNorm2Scale, kNorm2Shift, kTensors
};
// Those of the embeddings; they come before the layers'.
enum EmbeddingTensor { kWords, kPositions, kEmbeddingScale, kEmbeddingShift, kEmbeddingTensors };

// Widths in blocks of columns.
struct ChunkedSizes : Sizes {
  int per() const { return dim / kChunk; }
  int inner() const { return hidden_dim / kChunk; }
};

// The weights of one layer as products want them; `back` are for gradients of inputs.
struct PackedLayer { In *query, *key, *value, *mix, *up, *down, *query_back, *key_back, *value_back, *mix_back, *up_back, *down_back; };

// What a layer's forward pass leaves for its backward pass. Without one, all layers share it.
struct Saved {
  Matrix input, queries, keys_values, mixed, unit1, middle, before, unit2;
  float *inverse1, *inverse2, *log_sums;
};

// Memory of the whole crew, for one layer at a time. "firsts" are the first tokens of all texts.
struct Shared {
  float *sums, *first_sums;                                       // tokens x dim: hidden states, then gradients
  Matrix first_input;
  Matrix embedding_unit;
  float* embedding_inverse;
  Matrix mixed_back, queries_back, keys_values_back;              // gradients
  Crossed down_crossed, up_crossed, mix_crossed, queries_crossed, keys_values_crossed, first_crossed;
  Paired inner_paired, middle_paired, mixed_paired, input_paired, first_paired;
  float* norm_sums;                                               // [blocks][4 dim]
};

// Memory of one member.
struct Desk {
  float *branch, *scratch;
  Matrix inner, rows;
  HeadRoom room;
};

// Room that grows and is used again.
struct Room {
  char* base = nullptr;
  size_t bytes = 0;

  bool grow(size_t wanted) {
    if (wanted <= bytes) return true;
    if (base) give_pages(base);
    bytes = wanted + wanted / 8;
    base = (char*)take_pages(bytes);
    if (!base) bytes = 0;
    return base;
  }
  ~Room() { if (base) give_pages(base); }
  Room() = default;
  Room(const Room&) = delete;
};

inline int blocks_of(int rows) { return (rows + kBlock - 1) / kBlock; }

// One batch: its texts, cut into runs for attention, and what computes it.
struct Step {
  ChunkedSizes m;
  Room packed_room, room;
  std::vector<PackedLayer> packed;
  std::vector<Saved> saved;
  std::vector<Desk> desks;
  Shared shared;
  std::vector<int32_t> ids, offsets;
  std::vector<uint32_t> thresholds;
  std::vector<int> positions;  // of each token in its text
  std::vector<TextRun> runs, first_runs;
  uint64_t seed = 0;
  int tokens = 0, texts = 0, threads = 1;
  bool firsts_only = false, keep = false;

  bool is_short(int layer) const { return firsts_only && layer == m.n_layers - 1; }
  int rows(int layer) const { return is_short(layer) ? texts : tokens; }
  Share task_blocks(int task, int tasks, int blocks) const {
    return {(int)((int64_t)blocks * task / tasks), (int)((int64_t)blocks * (task + 1) / tasks)};
  }
  int tasks(int blocks) const {  // a multiple of the threads where there are blocks enough
    const int least = (blocks + kMostBlocks - 1) / kMostBlocks;
    return std::min(blocks, (least + threads - 1) / threads * threads);
  }

  // Take over a batch; false when there is no memory.
  bool lay_out(const Batch& batch, int n_threads) {
    threads = n_threads;
    texts = batch.texts;
    tokens = batch.offsets[texts];
    firsts_only = batch.firsts_only;
    keep = batch.keep;
    seed = batch.seed;
    ids.assign(batch.ids, batch.ids + tokens);
    offsets.assign(batch.offsets, batch.offsets + texts + 1);
    thresholds.assign(batch.thresholds, batch.thresholds + 1 + 2 * m.n_layers);
    positions.resize(tokens);
    for (int i = 0; i < texts; ++i)
      for (int t = offsets[i]; t < offsets[i + 1]; ++t) positions[t] = t - offsets[i];
    cut_runs(kRunKeys, false, runs);
    cut_runs(kFirstsRunKeys, true, first_runs);
    saved.resize(m.n_layers);
    desks.resize(threads);
    if (!room.grow(cut(nullptr))) return false;
    cut(room.base);
    return true;
  }

  bool make_packed() {
    packed.resize(m.n_layers);
    if (!packed_room.grow(cut_packed(nullptr))) return false;
    cut_packed(packed_room.base);
    return true;
  }

 private:
  void cut_runs(int most, bool firsts, std::vector<TextRun>& found) const {
    found.clear();
    for (int i = 0; i < texts;) {
      int stop = i + 1;
      while (stop < texts && offsets[stop + 1] - offsets[i] <= most) ++stop;
      found.push_back(place_texts(i, stop, firsts));
      i = stop;
    }
  }
  // A text goes on in the block where the last one ended if it fits in there, else it begins a new one.
  TextRun place_texts(int first, int stop, bool firsts) const {
    TextRun run;
    for (int i = first; i < stop; ++i) {
      const int length = offsets[i + 1] - offsets[i], used = (int)run.keys.size() % kBlock;
      if (used && used + length > kBlock) run.keys.resize(blocks_of((int)run.keys.size()) * kBlock, -1);
      const int from = (int)run.keys.size();
      for (int t = 0; t < length; ++t) run.keys.push_back(offsets[i] + t);
      if (firsts) {
        run.queries.push_back(i);
        run.spans.push_back({from, from + length});
      } else {
        run.spans.resize(from, {0, 0});
        run.spans.resize(from + length, {from, from + length});
      }
    }
    run.key_blocks = blocks_of((int)run.keys.size());
    run.keys.resize((size_t)run.key_blocks * kBlock, -1);
    if (!firsts) run.queries = run.keys;
    run.query_blocks = blocks_of((int)run.queries.size());
    run.queries.resize((size_t)run.query_blocks * kBlock, -1);
    run.spans.resize(run.queries.size(), {0, 0});
    return run;
  }

  size_t cut_packed(char* base) {
    Cutter cutter{base};
    const size_t square = (size_t)m.dim * m.dim, wide = (size_t)m.dim * m.hidden_dim;
    for (PackedLayer& p : packed) {
      for (In** at : {&p.query, &p.key, &p.value, &p.mix, &p.query_back, &p.key_back, &p.value_back, &p.mix_back}) *at = cutter.take<In>(square);
      for (In** at : {&p.up, &p.down, &p.up_back, &p.down_back}) *at = cutter.take<In>(wide);
    }
    return cutter.at - base;
  }

  size_t cut(char* base) {
    Cutter c{base};
    const int per = m.per(), inner = m.inner();
    const size_t all = (size_t)blocks_of(tokens) * kBlock, few = (size_t)blocks_of(texts) * kBlock;
    for (int l = 0; l < m.n_layers; ++l) {
      Saved& s = saved[l];
      if (!keep && l > 0 && !is_short(l)) {
        s = saved[0];
        continue;
      }
      const size_t n = is_short(l) ? few : all;
      s.input = c.matrix(all, per);
      s.queries = c.matrix(n, per);
      s.keys_values = c.matrix(all, 2 * per);
      s.mixed = c.matrix(n, per);
      s.middle = c.matrix(n, per);
      s.unit1 = s.unit2 = s.before = Matrix{nullptr, 0};
      s.inverse1 = s.inverse2 = s.log_sums = nullptr;
      if (!keep) continue;
      s.unit1 = c.matrix(n, per);
      s.unit2 = c.matrix(n, per);
      s.before = c.matrix(n, inner);
      s.inverse1 = c.take<float>(n);
      s.inverse2 = c.take<float>(n);
      s.log_sums = c.take<float>(n * m.n_heads);
    }
    shared.sums = c.take<float>(all * m.dim);
    shared.first_sums = c.take<float>(few * m.dim);
    shared.first_input = c.matrix(few, per);
    cut_desks(c);
    if (keep) cut_backward(c, all, few);
    return c.at - base;
  }

  void cut_backward(Cutter& c, size_t all, size_t few) {
    Shared& s = shared;
    const int per = m.per(), inner = m.inner();
    s.embedding_unit = c.matrix(all, per);
    s.embedding_inverse = c.take<float>(all);
    s.mixed_back = c.matrix(all, per);
    s.queries_back = c.matrix(all, per);
    s.keys_values_back = c.matrix(all, 2 * per);
    // Rows of the last layer may be few, so these have as many blocks as a layer gives them.
    for (auto* operand : {&s.down_crossed, &s.mix_crossed}) *operand = {c.take<In>(numbers_of_operand((int)all, per)), 0, per};
    for (auto* operand : {&s.middle_paired, &s.mixed_paired}) *operand = {c.take<In>(numbers_of_operand((int)all, per)), 0, per};
    s.up_crossed = {c.take<In>(numbers_of_operand((int)all, inner)), 0, inner};
    s.inner_paired = {c.take<In>(numbers_of_operand((int)all, inner)), 0, inner};
    s.queries_crossed = {c.take<In>(numbers_of_operand((int)all, per)), blocks_of(tokens), per};
    s.input_paired = {c.take<In>(numbers_of_operand((int)all, per)), blocks_of(tokens), per};
    s.keys_values_crossed = {c.take<In>(numbers_of_operand((int)all, 2 * per)), blocks_of(tokens), 2 * per};
    s.first_crossed = {c.take<In>(numbers_of_operand((int)few, per)), blocks_of(texts), per};
    s.first_paired = {c.take<In>(numbers_of_operand((int)few, per)), blocks_of(texts), per};
    s.norm_sums = c.take<float>((size_t)blocks_of(tokens) * 4 * m.dim);
  }

  void cut_desks(Cutter& c) {
    size_t keys = kBlock;
    for (const auto* list : {&runs, &first_runs})
      for (const TextRun& run : *list) keys = std::max(keys, run.keys.size());
    const int most = kMostBlocks * kBlock, chunks = m.dim / m.n_heads / kChunk;
    const size_t head = numbers_of_operand((int)keys, chunks), turned = numbers_of_operand(m.dim / m.n_heads, (int)keys / kBlock);
    for (Desk& desk : desks) {
      desk.branch = c.take<float>((size_t)most * m.dim);
      desk.scratch = c.take<float>(2048);
      desk.inner = c.matrix(most, kSlice);
      desk.rows = c.matrix(most, m.per());
      HeadRoom& r = desk.room;
      for (In** at : {&r.queries, &r.keys, &r.values, &r.gradient, &r.keys_paired, &r.values_paired, &r.queries_paired, &r.gradient_paired}) *at = c.take<In>(head);
      for (In** at : {&r.keys_turned, &r.values_turned}) *at = c.take<In>(turned);
      for (float** at : {&r.scores, &r.slopes}) *at = c.take<float>(keys * kBlock);
      for (In** at : {&r.weights, &r.weight_slopes}) *at = c.take<In>(numbers_of_operand(kBlock, (int)keys / kBlock));
      for (In** at : {&r.weights_crossed, &r.slopes_crossed}) *at = keep ? c.take<In>(numbers_of_operand((int)keys, (int)keys / kBlock)) : nullptr;
      r.seen_by = c.take<Span>(keys / kBlock);
      r.kept = c.take<uint32_t>(keys / kBlock);
    }
  }
};

}  // namespace limbeck
