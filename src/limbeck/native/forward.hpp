// The forward pass of an encoder over packed tokens, which leaves what the backward pass needs.
//
// In: a batch laid out in memory. Out: the last hidden state of every token, or of the first token of each text.
#pragma once
#include "crew.hpp"
#include "memory.hpp"
#include "step_finishers.hpp"

namespace limbeck {

// What both passes ask for.
class Pass {
 protected:
  Step& s;
  const ChunkedSizes& m;
  const float* const* tensors;
  Member& crew;
  Desk& desk;
  const Dice dice;

  Pass(Step& step, const float* const* tensors, Member& crew, Desk& desk)
      : s(step), m(step.m), tensors(tensors), crew(crew), desk(desk), dice(step.seed) {}

  const float* weight(int layer, Tensor which) const { return tensors[kEmbeddingTensors + layer * kTensors + which]; }
  Dropout drop_embeddings() const { return {&dice, kEmbeddingSite, s.thresholds[0]}; }
  Dropout drop_feed(int layer) const { return {&dice, feed_site(layer), s.thresholds[1 + 2 * layer]}; }
  Dropout drop_attention(int layer, int head) const { return {&dice, attention_site(layer, head), s.thresholds[2 + 2 * layer]}; }
  float* sums(int layer) const { return s.is_short(layer) ? s.shared.first_sums : s.shared.sums; }
  int row_blocks(int layer) const { return blocks_of(s.rows(layer)); }
  int n_tasks(int layer) const { return s.tasks(row_blocks(layer)); }
  Share blocks_of_task(int layer, int task) const { return s.task_blocks(task, n_tasks(layer), row_blocks(layer)); }
  const std::vector<TextRun>& runs(int layer) const { return s.is_short(layer) ? s.first_runs : s.runs; }
  HeadPass head_pass(int layer, int task) {
    const int head = task % m.n_heads;
    return {m.dim / m.n_heads, head, runs(layer)[task / m.n_heads], drop_attention(layer, head), desk.room, desk.scratch};
  }

  // sums of some blocks of rows += rows x weights.
  void add_product(Matrix rows, Share blocks, const In* weights, int chunks, float* to, bool fresh = false) const {
    const StepWeights all{weights, 0, m.per(), chunks};
    const int first = blocks.first * kBlock;
    for (int k = 0; k < chunks; k += kSlice)
      multiply_add(rows.from(first).columns(k), (blocks.stop - blocks.first) * kBlock, all.from_depth(k), std::min(chunks - k, kSlice),
                   to + (size_t)first * m.dim, m.dim, fresh && k == 0);
  }
  void clear_rows(Matrix matrix, int chunks, int first, int stop) const {
    for (int r = first; r < stop; ++r)
      for (int c = 0; c < chunks; ++c) clear_chunk(matrix.at(r, c));
  }
};

class Forward : Pass {
 public:
  Forward(Step& step, const float* const* tensors, Member& crew, Desk& desk, float* out) : Pass(step, tensors, crew, desk), out(out) {}

  void run() {
    const int full = blocks_of(s.tokens), full_tasks = s.tasks(full);
    crew.each(full_tasks, [&](int task) {
      const Share blocks = s.task_blocks(task, full_tasks, full);
      embed(blocks);
      project(0, blocks);
    });
    for (int l = 0; l < m.n_layers; ++l) {
      if (s.is_short(l)) crew.each(row_blocks(l), [&](int block) { pick_firsts(l, block); });
      crew.each((int)runs(l).size() * m.n_heads, [&](int task) { attend(l, task); });
      crew.each(n_tasks(l), [&](int task) {
        const Share blocks = blocks_of_task(l, task);
        feed(l, blocks);
        if (l + 1 < m.n_layers) project(l + 1, blocks);
        else give(l, blocks);
      });
    }
  }

 private:
  float* out;

  void embed(Share blocks) {
    const Norm norm{tensors[kEmbeddingScale], tensors[kEmbeddingShift]};
    const Matrix unit = s.shared.embedding_unit;
    for (int t = blocks.first * kBlock; t < blocks.stop * kBlock; ++t) {
      float* row = s.shared.sums + (size_t)t * m.dim;
      if (t < s.tokens) {
        const float* word = tensors[kWords] + (size_t)s.ids[t] * m.dim;
        const float* position = tensors[kPositions] + (size_t)s.positions[t] * m.dim;
        for (int o = 0; o < m.dim; o += 16) store(row + o, loadu(word + o) + loadu(position + o));
      } else {
        std::memset(row, 0, (size_t)m.dim * 4);
      }
      const float inverse = normalise(row, m.dim, norm, m.epsilon, s.keep ? unit.at(t, 0) : nullptr);
      if (s.keep) s.shared.embedding_inverse[t] = inverse;
      drop(row, m.dim, drop_embeddings(), t);
      put_row(row, m.dim, s.saved[0].input.at(t, 0), weight(0, kMixBias));
    }
  }

  // Queries, keys and values of layer `l`, whose input is there.
  void project(int l, Share blocks) {
    Saved& saved = s.saved[l];
    const PackedLayer& packed = s.packed[l];
    if (!s.is_short(l)) {
      put_product(saved.input, blocks, packed.query, weight(l, kQueryBias), saved.queries);
      if (blocks.stop == blocks_of(s.tokens)) clear_rows(saved.mixed, m.per(), s.tokens, blocks.stop * kBlock);
    }
    put_product(saved.input, blocks, packed.key, weight(l, kKeyBias), saved.keys_values);
    put_product(saved.input, blocks, packed.value, weight(l, kValueBias), saved.keys_values.columns(m.per()));
  }
  void put_product(Matrix rows, Share blocks, const In* weights, const float* bias, Matrix to) {
    const int first = blocks.first * kBlock;
    PutRows finish{bias, to.from(first)};
    multiply(rows.from(first), (blocks.stop - blocks.first) * kBlock, StepWeights{weights, 0, m.per(), m.per()}, m.per(), desk.scratch, finish);
  }

  // From here on only the first token of each text is computed: all that the head sees of the last layer.
  void pick_firsts(int l, int block) {
    Saved& saved = s.saved[l];
    const int stop = (block + 1) * kBlock;
    for (int i = block * kBlock; i < std::min(stop, s.texts); ++i) {
      const int from = s.offsets[i];
      std::memcpy(s.shared.first_sums + (size_t)i * m.dim, s.shared.sums + (size_t)from * m.dim, (size_t)m.dim * 4);
      for (int c = 0; c < m.per(); ++c) copy_chunk(s.shared.first_input.at(i, c), saved.input.at(from, c));
    }
    const int real = std::max(block * kBlock, std::min(stop, s.texts));
    clear_rows(s.shared.first_input, m.per(), real, stop);
    clear_rows(saved.mixed, m.per(), real, stop);
    std::memset(s.shared.first_sums + (size_t)real * m.dim, 0, (size_t)(stop - real) * m.dim * 4);
    put_product(s.shared.first_input, {block, block + 1}, s.packed[l].query, weight(l, kQueryBias), saved.queries);
  }

  void attend(int l, int task) {
    Saved& saved = s.saved[l];
    float* log_sums = s.keep ? saved.log_sums + (size_t)(task % m.n_heads) * row_blocks(l) * kBlock : nullptr;
    head_pass(l, task).forward(saved.queries, saved.keys_values, saved.keys_values.columns(m.per()), saved.mixed, log_sums);
  }

  // Output of the attention, then the feed-forward net, each added to the hidden state and normalised.
  void feed(int l, Share blocks) {
    Saved& saved = s.saved[l];
    const PackedLayer& packed = s.packed[l];
    const int first = blocks.first * kBlock, stop = blocks.stop * kBlock;
    float* all = sums(l);
    add_product(saved.mixed, blocks, packed.mix, m.per(), all);
    const Norm norm1{weight(l, kNorm1Scale), weight(l, kNorm1Shift)}, norm2{weight(l, kNorm2Scale), weight(l, kNorm2Shift)};
    for (int r = first; r < stop; ++r) {
      float* row = all + (size_t)r * m.dim;
      const float inverse = normalise(row, m.dim, norm1, m.epsilon, s.keep ? saved.unit1.at(r, 0) : nullptr);
      if (s.keep) saved.inverse1[r] = inverse;
      put_row(row, m.dim, saved.middle.at(r, 0), nullptr);
    }
    for (int k = 0; k < m.inner(); k += kSlice) {
      if (m.gelu) through_inner<true>(l, blocks, k);
      else through_inner<false>(l, blocks, k);
    }
    const bool is_last = l + 1 == m.n_layers;
    for (int r = first; r < stop; ++r) {
      float* row = all + (size_t)r * m.dim;
      add_branch(row, desk.branch + (size_t)(r - first) * m.dim, weight(l, kDownBias), m.dim, drop_feed(l), r);
      const float inverse = normalise(row, m.dim, norm2, m.epsilon, s.keep ? saved.unit2.at(r, 0) : nullptr);
      if (s.keep) saved.inverse2[r] = inverse;
      if (!is_last) put_row(row, m.dim, s.saved[l + 1].input.at(r, 0), weight(l + 1, kMixBias));
    }
  }
  template <bool kGelu>
  void through_inner(int l, Share blocks, int k) {
    const PackedLayer& packed = s.packed[l];
    const Matrix middle = s.saved[l].middle, before = s.saved[l].before;
    const int first = blocks.first * kBlock, rows = (blocks.stop - blocks.first) * kBlock, chunks = std::min(m.inner() - k, kSlice);
    const StepWeights up{packed.up, 0, chunks, m.per()}, down{packed.down, 0, m.per(), m.inner()};
    const Matrix inner{desk.inner.base, Matrix::stride_of(chunks)};
    Inner<kGelu> finish{weight(l, kUpBias) + k * kChunk, before.base ? before.from(first).columns(k) : before, inner};
    multiply(middle.from(first), rows, up.from_column(k), m.per(), desk.scratch, finish);
    multiply_add(inner, rows, down.from_depth(k), chunks, desk.branch, m.dim, k == 0);
  }

  void give(int l, Share blocks) {
    for (int r = blocks.first * kBlock; r < std::min(blocks.stop * kBlock, s.rows(l)); ++r)
      std::memcpy(out + (size_t)r * m.dim, sums(l) + (size_t)r * m.dim, (size_t)m.dim * 4);
  }
};

}  // namespace limbeck
