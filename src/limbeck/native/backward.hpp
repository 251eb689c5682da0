// The backward pass: from the gradient of the last hidden state to those of the weights, in float32.
//
// In: what the forward pass left. Out: gradients of the weights that are trained. It ends at the lowest of them.
//
// Each layer is two phases. In the first, blocks of rows go back through the feed-forward net and both norms. In the
// second, attention goes back head by head, and the gradients of weights (out x in, summed over tokens) are computed in
// pieces of the output, so that no two threads write to one place.
#pragma once
#include "forward.hpp"

namespace limbeck {

constexpr int kOuterOuts = 4, kOuterIns = 8;  // blocks of 32 in a piece of a weight's gradient
constexpr int kColumnsAtOnce = 64;            // of the embeddings' gradients

class Backward : Pass {
 public:
  Backward(Step& step, const float* const* tensors, Member& crew, Desk& desk, const float* out_back, Gradients gradients)
      : Pass(step, tensors, crew, desk), out_back(out_back), gradients(gradients) {}

  void run() {
    const bool to_embeddings = wants_embeddings();
    int lowest = m.n_layers;
    while (lowest > 0 && (to_embeddings || wants_below(lowest))) --lowest;
    if (lowest == m.n_layers) return;
    for (int l = m.n_layers - 1; l >= lowest; --l) {
      crew.each(n_tasks(l), [&](int task) {
        const Share blocks = blocks_of_task(l, task);
        if (l + 1 == m.n_layers) take(l, blocks);
        else come_down(l + 1, blocks, true);
        feed_back(l, blocks);
      });
      n_pieces = 0;
      list_feed(l);
      if (l + 1 < m.n_layers) list_projections(l + 1);
      const int heads = (int)runs(l).size() * m.n_heads;
      crew.each(heads + count_pieces() + 1, [&](int task) {
        if (task < heads) attend_back(l, task);
        else if (task < heads + count_pieces()) outer(task - heads);
        else sum_norms(l);
      });
      if (s.is_short(l)) crew.each(row_blocks(l), [&](int block) { come_down_firsts(l, block); });
    }
    const int full = blocks_of(s.tokens), tasks = s.tasks(full);
    crew.each(tasks, [&](int task) {
      const Share blocks = s.task_blocks(task, tasks, full);
      come_down(lowest, blocks, to_embeddings);
      if (to_embeddings) embed_back(blocks);
    });
    n_pieces = 0;
    list_projections(lowest);
    const int groups = to_embeddings ? (m.dim + kColumnsAtOnce - 1) / kColumnsAtOnce : 0;
    crew.each(count_pieces() + groups + 1, [&](int task) {
      if (task < count_pieces()) outer(task);
      else if (task < count_pieces() + groups) scatter(task - count_pieces());
      else if (to_embeddings) sum_embedding_norms();
    });
  }

 private:
  // The gradient of a weight (out x in): crossed gradients of the output times paired rows of the input.
  struct Piece {
    Crossed crossed;
    Paired paired;
    float *gradient, *bias_gradient;
    int ins() const { return (paired.chunks + kOuterIns - 1) / kOuterIns; }
    int tasks() const { return (crossed.chunks + kOuterOuts - 1) / kOuterOuts * ins(); }
  };

  const float* out_back;
  const Gradients gradients;
  Piece pieces[kTensors / 2];  // of a layer's weights, each with its bias
  int n_pieces = 0;

  float* gradient(int layer, Tensor which) const { return gradients.tensors[kEmbeddingTensors + layer * kTensors + which]; }
  bool wants(int layer) const {
    for (int i = 0; i < kTensors; ++i)
      if (gradient(layer, (Tensor)i)) return true;
    return false;
  }
  bool wants_below(int layer) const {
    for (int l = 0; l < layer; ++l)
      if (wants(l)) return true;
    return false;
  }
  bool wants_embeddings() const {
    for (int i = 0; i < kEmbeddingTensors; ++i)
      if (gradients.tensors[i]) return true;
    return false;
  }

  // Operands that every layer uses, with as many blocks of rows as this one has.
  template <class Operand>
  Operand fitted(Operand operand, int layer) const {
    operand.blocks = row_blocks(layer);
    return operand;
  }

  void take(int l, Share blocks) {
    for (int r = blocks.first * kBlock; r < blocks.stop * kBlock; ++r) {
      float* row = sums(l) + (size_t)r * m.dim;
      if (r < s.rows(l)) std::memcpy(row, out_back + (size_t)r * m.dim, (size_t)m.dim * 4);
      else std::memset(row, 0, (size_t)m.dim * 4);
    }
  }

  // From the gradients of queries, keys and values of layer `l` to that of its input, which is added to `sums`.
  void come_down(int l, Share blocks, bool to_input) {
    const PackedLayer& packed = s.packed[l];
    Shared& h = s.shared;
    const int token_blocks = blocks_of(s.tokens), per = m.per();
    if (blocks.stop == token_blocks) clear_rows(h.keys_values_back, 2 * per, s.tokens, blocks.stop * kBlock);
    if (s.is_short(l)) {
      spread_firsts(blocks);
    } else {
      if (blocks.stop == token_blocks) clear_rows(h.queries_back, per, s.tokens, blocks.stop * kBlock);
      if (to_input) add_product(h.queries_back, blocks, packed.query_back, per, h.sums);
      for (int b = blocks.first; b < blocks.stop; ++b) h.queries_crossed.take(h.queries_back, b, b);
    }
    if (to_input) {
      add_product(h.keys_values_back, blocks, packed.key_back, per, h.sums);
      add_product(h.keys_values_back.columns(per), blocks, packed.value_back, per, h.sums);
    }
    for (int b = blocks.first; b < blocks.stop; ++b) {
      h.keys_values_crossed.take(h.keys_values_back, b, b);
      h.input_paired.take(s.saved[l].input, b, b);
    }
  }
  // The same for the queries of first tokens.
  void come_down_firsts(int l, int block) {
    Shared& h = s.shared;
    const int few = row_blocks(l);
    if (block + 1 == few) clear_rows(h.queries_back, m.per(), s.texts, few * kBlock);
    add_product(h.queries_back, {block, block + 1}, s.packed[l].query_back, m.per(), h.first_sums);
    h.first_crossed.take(h.queries_back, block, block);
    h.first_paired.take(h.first_input, block, block);
  }
  // The first tokens' rows to their places among all tokens.
  void spread_firsts(Share blocks) {
    const int first = blocks.first * kBlock, stop = blocks.stop * kBlock;
    std::memset(s.shared.sums + (size_t)first * m.dim, 0, (size_t)(stop - first) * m.dim * 4);
    for (int i = 0; i < s.texts; ++i)
      if (s.offsets[i] >= first && s.offsets[i] < stop)
        std::memcpy(s.shared.sums + (size_t)s.offsets[i] * m.dim, s.shared.first_sums + (size_t)i * m.dim, (size_t)m.dim * 4);
  }

  // A block's part of the norms' gradients: added up by blocks, not by tasks, the bits are those of any number of threads.
  float* norm_sums(int block) const { return s.shared.norm_sums + (size_t)block * 4 * m.dim; }

  void feed_back(int l, Share blocks) {
    Saved& saved = s.saved[l];
    Shared& h = s.shared;
    const int first = blocks.first * kBlock, stop = blocks.stop * kBlock;
    float* all = sums(l);
    for (int b = blocks.first; b < blocks.stop; ++b) std::memset(norm_sums(b), 0, (size_t)4 * m.dim * 4);
    for (int r = first; r < stop; ++r) {
      float* row = all + (size_t)r * m.dim;
      float* of_norms = norm_sums(r / kBlock);
      normalise_back(row, m.dim, weight(l, kNorm2Scale), saved.unit2.at(r, 0), saved.inverse2[r], of_norms, of_norms + m.dim);
      put_kept(row, m.dim, desk.rows.at(r - first, 0), drop_feed(l), r);
    }
    for (int b = blocks.first; b < blocks.stop; ++b) fitted(h.down_crossed, l).take(desk.rows, b - blocks.first, b);
    for (int k = 0; k < m.inner(); k += kSlice) {
      if (m.gelu) back_through_inner<true>(l, blocks, k);
      else back_through_inner<false>(l, blocks, k);
    }
    for (int r = first; r < stop; ++r) {
      float* row = all + (size_t)r * m.dim;
      float* of_norms = norm_sums(r / kBlock);
      normalise_back(row, m.dim, weight(l, kNorm1Scale), saved.unit1.at(r, 0), saved.inverse1[r], of_norms + 2 * m.dim, of_norms + 3 * m.dim);
      put_row(row, m.dim, desk.rows.at(r - first, 0), nullptr);
    }
    for (int b = blocks.first; b < blocks.stop; ++b) {
      fitted(h.mix_crossed, l).take(desk.rows, b - blocks.first, b);
      fitted(h.middle_paired, l).take(saved.middle, b, b);
      fitted(h.mixed_paired, l).take(saved.mixed, b, b);
    }
    PutRows finish{nullptr, h.mixed_back.from(first)};
    multiply(desk.rows, stop - first, StepWeights{s.packed[l].mix_back, 0, m.per(), m.per()}, m.per(), desk.scratch, finish);
  }
  template <bool kGelu>
  void back_through_inner(int l, Share blocks, int k) {
    const PackedLayer& packed = s.packed[l];
    const int first = blocks.first * kBlock, rows = (blocks.stop - blocks.first) * kBlock, chunks = std::min(m.inner() - k, kSlice);
    const StepWeights down_back{packed.down_back, 0, chunks, m.per()}, up_back{packed.up_back, 0, m.per(), m.inner()};
    const Matrix inner{desk.inner.base, Matrix::stride_of(chunks)};
    InnerBack<kGelu> finish{s.saved[l].before.from(first).columns(k), inner, {fitted(s.shared.up_crossed, l).columns(k)}, {fitted(s.shared.inner_paired, l).columns(k)}, first};
    multiply(desk.rows, rows, down_back.from_column(k), m.per(), desk.scratch, finish);
    multiply_add(inner, rows, up_back.from_depth(k), chunks, sums(l) + (size_t)first * m.dim, m.dim);
  }

  void attend_back(int l, int task) {
    Saved& saved = s.saved[l];
    Shared& h = s.shared;
    const float* log_sums = saved.log_sums + (size_t)(task % m.n_heads) * row_blocks(l) * kBlock;
    head_pass(l, task).backward(saved.queries, saved.keys_values, saved.keys_values.columns(m.per()), h.mixed_back, log_sums,
                                h.queries_back, h.keys_values_back, h.keys_values_back.columns(m.per()));
  }

  void list(int l, Tensor which, Crossed crossed, Paired paired) {
    float* bias = gradient(l, (Tensor)(which + 1));
    if (gradient(l, which) || bias) pieces[n_pieces++] = {crossed, paired, gradient(l, which), bias};
  }
  void list_feed(int l) {
    const Shared& h = s.shared;
    list(l, kDown, fitted(h.down_crossed, l), fitted(h.inner_paired, l));
    list(l, kUp, fitted(h.up_crossed, l), fitted(h.middle_paired, l));
    list(l, kMix, fitted(h.mix_crossed, l), fitted(h.mixed_paired, l));
  }
  void list_projections(int l) {
    const Shared& h = s.shared;
    Crossed keys = h.keys_values_crossed;
    keys.chunks = m.per();
    if (s.is_short(l)) list(l, kQuery, h.first_crossed, h.first_paired);
    else list(l, kQuery, h.queries_crossed, h.input_paired);
    list(l, kKey, keys, h.input_paired);
    list(l, kValue, h.keys_values_crossed.columns(m.per()), h.input_paired);
  }
  int count_pieces() const {
    int count = 0;
    for (int i = 0; i < n_pieces; ++i) count += pieces[i].tasks();
    return count;
  }
  void outer(int task) const {
    const Piece* piece = pieces;
    while (task >= piece->tasks()) task -= (piece++)->tasks();
    const int out = task / piece->ins() * kOuterOuts, in = task % piece->ins() * kOuterIns;
    const int outs = std::min(piece->crossed.chunks - out, kOuterOuts), stop = std::min(in + kOuterIns, piece->paired.chunks);
    const Crossed crossed = piece->crossed.columns(out);
    if (in == 0 && piece->bias_gradient) sum_columns(crossed, outs, piece->bias_gradient + out * kChunk, gradients.add);
    const int stride = piece->paired.chunks * kChunk;
    if (piece->gradient) add_outer(crossed, outs, piece->paired, in, stop, piece->gradient + (size_t)out * kChunk * stride, stride, !gradients.add);
  }

  void sum_norms(int l) const {
    float* const to[4] = {gradient(l, kNorm2Scale), gradient(l, kNorm2Shift), gradient(l, kNorm1Scale), gradient(l, kNorm1Shift)};
    for (int i = 0; i < 4; ++i) sum_blocks(i, row_blocks(l), to[i]);
  }
  void sum_blocks(int which, int blocks, float* to) const {
    if (!to) return;
    for (int o = 0; o < m.dim; o += 16) {
      Vec sum = gradients.add ? loadu(to + o) : zero();
      for (int block = 0; block < blocks; ++block) sum = sum + load(norm_sums(block) + (size_t)which * m.dim + o);
      storeu(to + o, sum);
    }
  }
  void sum_embedding_norms() const {
    sum_blocks(0, blocks_of(s.tokens), gradients.tensors[kEmbeddingScale]);
    sum_blocks(1, blocks_of(s.tokens), gradients.tensors[kEmbeddingShift]);
  }

  void embed_back(Share blocks) {
    for (int b = blocks.first; b < blocks.stop; ++b) std::memset(norm_sums(b), 0, (size_t)4 * m.dim * 4);
    for (int t = blocks.first * kBlock; t < std::min(blocks.stop * kBlock, s.tokens); ++t) {
      float* row = s.shared.sums + (size_t)t * m.dim;
      drop(row, m.dim, drop_embeddings(), t);
      float* of_norms = norm_sums(t / kBlock);
      normalise_back(row, m.dim, tensors[kEmbeddingScale], s.shared.embedding_unit.at(t, 0), s.shared.embedding_inverse[t], of_norms, of_norms + m.dim);
    }
  }
  // Add the rows' gradients to those of their words and positions, some columns of all of them.
  void scatter(int group) const {
    const int first = group * kColumnsAtOnce, stop = std::min(first + kColumnsAtOnce, m.dim);
    float *words = gradients.tensors[kWords], *positions = gradients.tensors[kPositions];
    for (int t = 0; t < s.tokens; ++t) {
      const float* row = s.shared.sums + (size_t)t * m.dim;
      float* word = words ? words + (size_t)s.ids[t] * m.dim : nullptr;
      float* position = positions ? positions + (size_t)s.positions[t] * m.dim : nullptr;
      for (int o = first; o < stop; o += 16) {
        const Vec x = load(row + o);
        if (word) storeu(word + o, loadu(word + o) + x);
        if (position) storeu(position + o, loadu(position + o) + x);
      }
    }
  }
};

}  // namespace limbeck
