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
        feed_back(l, blocks, task);
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
      if (to_embeddings) embed_back(blocks, task);
    });
    n_pieces = 0;
    list_projections(lowest);
    const int groups = to_embeddings ? (m.dim + kColumnsAtOnce - 1) / kColumnsAtOnce : 0;
    crew.each(count_pieces() + groups + 1, [&](int task) {
      if (task < count_pieces()) outer(task);
      else if (task < count_pieces() + groups) scatter(task - count_pieces());
      else if (to_embeddings) sum_embedding_norms(tasks);
    });
  }

 private:
  // The gradient of a weight (out x in): crossed gradients of the output times pairs of the input.
  struct Piece {
    const bf16 *crossed, *pairs;
    int token_blocks, out_blocks, in_blocks;
    float *gradient, *bias_gradient;
    int ins() const { return (in_blocks + kOuterIns - 1) / kOuterIns; }
    int tasks() const { return (out_blocks + kOuterOuts - 1) / kOuterOuts * ins(); }
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
    if (blocks.stop == token_blocks) clear_rows(h.keys_values_back, s.tokens, blocks.stop * kBlock);
    if (s.is_short(l)) {
      spread_firsts(blocks);
    } else {
      if (blocks.stop == token_blocks) clear_rows(h.queries_back, s.tokens, blocks.stop * kBlock);
      if (to_input) add_product(h.queries_back, blocks, packed.query_back, per, h.sums);
      for (int b = blocks.first; b < blocks.stop; ++b) rows_to_crossed(h.queries_back, b, b, token_blocks, h.queries_crossed);
    }
    if (to_input) {
      add_product(h.keys_values_back, blocks, packed.key_back, per, h.sums);
      add_product(h.keys_values_back.columns(per), blocks, packed.value_back, per, h.sums);
    }
    for (int b = blocks.first; b < blocks.stop; ++b) {
      rows_to_crossed(h.keys_values_back, b, b, token_blocks, h.keys_values_crossed);
      rows_to_pairs(s.saved[l].input, b, b, token_blocks, h.input_pairs);
    }
  }
  // The same for the queries of first tokens.
  void come_down_firsts(int l, int block) {
    Shared& h = s.shared;
    const int few = row_blocks(l);
    if (block + 1 == few) clear_rows(h.queries_back, s.texts, few * kBlock);
    add_product(h.queries_back, {block, block + 1}, s.packed[l].query_back, m.per(), h.first_sums);
    rows_to_crossed(h.queries_back, block, block, few, h.first_crossed);
    rows_to_pairs(h.first_input, block, block, few, h.first_pairs);
  }
  // The first tokens' rows to their places among all tokens.
  void spread_firsts(Share blocks) {
    const int first = blocks.first * kBlock, stop = blocks.stop * kBlock;
    std::memset(s.shared.sums + (size_t)first * m.dim, 0, (size_t)(stop - first) * m.dim * 4);
    for (int i = 0; i < s.texts; ++i)
      if (s.offsets[i] >= first && s.offsets[i] < stop)
        std::memcpy(s.shared.sums + (size_t)s.offsets[i] * m.dim, s.shared.first_sums + (size_t)i * m.dim, (size_t)m.dim * 4);
  }

  float* norm_sums(int task) const { return s.shared.norm_sums + (size_t)task * 4 * m.dim; }

  void feed_back(int l, Share blocks, int task) {
    Saved& saved = s.saved[l];
    Shared& h = s.shared;
    const int first = blocks.first * kBlock, stop = blocks.stop * kBlock, token_blocks = row_blocks(l);
    float *all = sums(l), *of_norms = norm_sums(task);
    std::memset(of_norms, 0, (size_t)4 * m.dim * 4);
    for (int r = first; r < stop; ++r) {
      float* row = all + (size_t)r * m.dim;
      normalise_back(row, m.dim, weight(l, kNorm2Scale), saved.unit2.row(r), saved.inverse2[r], of_norms, of_norms + m.dim);
      put_kept(row, m.dim, desk.rows.row(r - first), drop_feed(l), r);
    }
    for (int b = blocks.first; b < blocks.stop; ++b) rows_to_crossed(desk.rows, b - blocks.first, b, token_blocks, h.down_crossed);
    for (int k = 0; k < m.inner(); k += kSlice) {
      if (m.gelu) back_through_inner<true>(l, blocks, k);
      else back_through_inner<false>(l, blocks, k);
    }
    for (int r = first; r < stop; ++r) {
      float* row = all + (size_t)r * m.dim;
      normalise_back(row, m.dim, weight(l, kNorm1Scale), saved.unit1.row(r), saved.inverse1[r], of_norms + 2 * m.dim, of_norms + 3 * m.dim);
      put_row(row, m.dim, desk.rows.row(r - first), nullptr);
    }
    for (int b = blocks.first; b < blocks.stop; ++b) {
      rows_to_crossed(desk.rows, b - blocks.first, b, token_blocks, h.mix_crossed);
      rows_to_pairs(saved.middle, b, b, token_blocks, h.middle_pairs);
      rows_to_pairs(saved.mixed, b, b, token_blocks, h.mixed_pairs);
    }
    PutRows put{nullptr, {h.mixed_back.row(first), m.per()}};
    multiply(desk.rows.from(0, blocks.stop - blocks.first), {s.packed[l].mix_back, 0, m.per(), m.per()}, m.per(), desk.scratch, put);
  }
  template <bool kGelu>
  void back_through_inner(int l, Share blocks, int k) {
    const PackedLayer& packed = s.packed[l];
    const Matrix before = s.saved[l].before;
    const int first = blocks.first * kBlock, count = blocks.stop - blocks.first, token_blocks = row_blocks(l);
    const int k_tiles = std::min(m.inner() - k, kSlice);
    InnerBack<kGelu> finish{Matrix{before.row(first), before.per}.columns(k), {desk.inner.tiles, k_tiles},
                            s.shared.up_crossed + ((size_t)2 * k * token_blocks + blocks.first) * kTile,
                            s.shared.inner_pairs + ((size_t)k * token_blocks + blocks.first) * 2 * kTile, token_blocks};
    multiply(desk.rows.from(0, count), {packed.down_back + (size_t)k * m.per() * 2 * kTile, 0, k_tiles, m.per()}, m.per(), desk.scratch, finish);
    multiply_add({desk.inner.tiles, count, k_tiles}, {packed.up_back + (size_t)k * 2 * kTile, 0, m.per(), m.inner()}, k_tiles,
                 sums(l) + (size_t)first * m.dim, m.dim);
  }

  void attend_back(int l, int task) {
    Saved& saved = s.saved[l];
    Shared& h = s.shared;
    const float* log_sums = saved.log_sums + (size_t)(task % m.n_heads) * row_blocks(l) * kBlock;
    head_pass(l, task).backward(saved.queries, saved.keys_values, saved.keys_values.columns(m.per()), h.mixed_back, log_sums,
                                h.queries_back, h.keys_values_back, h.keys_values_back.columns(m.per()));
  }

  void list(int l, Tensor which, const bf16* crossed, const bf16* pairs, int token_blocks, int out_blocks, int in_blocks) {
    float* bias = gradient(l, (Tensor)(which + 1));
    if (gradient(l, which) || bias) pieces[n_pieces++] = {crossed, pairs, token_blocks, out_blocks, in_blocks, gradient(l, which), bias};
  }
  void list_feed(int l) {
    const Shared& h = s.shared;
    const int blocks = row_blocks(l), per = m.per(), inner = m.inner();
    list(l, kDown, h.down_crossed, h.inner_pairs, blocks, per, inner);
    list(l, kUp, h.up_crossed, h.middle_pairs, blocks, inner, per);
    list(l, kMix, h.mix_crossed, h.mixed_pairs, blocks, per, per);
  }
  void list_projections(int l) {
    const Shared& h = s.shared;
    const int blocks = blocks_of(s.tokens), per = m.per();
    if (s.is_short(l)) list(l, kQuery, h.first_crossed, h.first_pairs, row_blocks(l), per, per);
    else list(l, kQuery, h.queries_crossed, h.input_pairs, blocks, per, per);
    list(l, kKey, h.keys_values_crossed, h.input_pairs, blocks, per, per);
    list(l, kValue, h.keys_values_crossed + (size_t)2 * per * blocks * kTile, h.input_pairs, blocks, per, per);
  }
  int count_pieces() const {
    int count = 0;
    for (int i = 0; i < n_pieces; ++i) count += pieces[i].tasks();
    return count;
  }
  void outer(int task) const {
    const Piece* piece = pieces;
    while (task >= piece->tasks()) task -= (piece++)->tasks();
    const int out = task / piece->ins() * kOuterOuts, in = task % piece->ins() * kOuterIns, all = piece->token_blocks;
    const int outs = std::min(piece->out_blocks - out, kOuterOuts), stop = std::min(in + kOuterIns, piece->in_blocks);
    const bf16* crossed = piece->crossed + (size_t)2 * out * all * kTile;
    if (in == 0 && piece->bias_gradient) sum_tokens(crossed, all, outs, piece->bias_gradient + out * kBlock);
    if (!piece->gradient) return;
    for (int k = 0; k < all; k += kSlice)
      multiply_add({crossed + (size_t)k * kTile, outs, all}, {piece->pairs + (size_t)k * 2 * kTile, in, stop, all}, std::min(all - k, kSlice),
                   piece->gradient + (size_t)out * kBlock * piece->in_blocks * kBlock, piece->in_blocks * kBlock, !gradients.add && k == 0);
  }
  void sum_tokens(const bf16* crossed, int token_blocks, int blocks, float* bias) const {
    const __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3f80);
    constexpr int kAtOnce = 8;
    for (int o = 0; o < blocks * kBlock; o += kAtOnce) {
      const bf16* rows = crossed + (size_t)(o / 16) * token_blocks * kTile + o % 16 * 32;
      __m512 sums[kAtOnce];
      for (__m512& sum : sums) sum = _mm512_setzero_ps();
      for (int t = 0; t < token_blocks; ++t)
        for (int i = 0; i < kAtOnce; ++i)
          sums[i] = _mm512_dpbf16_ps(sums[i], (__m512bh)_mm512_load_si512(rows + (size_t)t * kTile + i * 32), ones);
      for (int i = 0; i < kAtOnce; ++i) bias[o + i] = (gradients.add ? bias[o + i] : 0.0f) + _mm512_reduce_add_ps(sums[i]);
    }
  }

  void sum_norms(int l) const {
    float* const to[4] = {gradient(l, kNorm2Scale), gradient(l, kNorm2Shift), gradient(l, kNorm1Scale), gradient(l, kNorm1Shift)};
    for (int i = 0; i < 4; ++i) sum_tasks(i, n_tasks(l), to[i]);
  }
  void sum_tasks(int which, int tasks, float* to) const {
    if (!to) return;
    for (int o = 0; o < m.dim; ++o) {
      float sum = gradients.add ? to[o] : 0.0f;
      for (int task = 0; task < tasks; ++task) sum += norm_sums(task)[(size_t)which * m.dim + o];
      to[o] = sum;
    }
  }
  void sum_embedding_norms(int tasks) const {
    sum_tasks(0, tasks, gradients.tensors[kEmbeddingScale]);
    sum_tasks(1, tasks, gradients.tensors[kEmbeddingShift]);
  }

  void embed_back(Share blocks, int task) {
    float* of_norms = norm_sums(task);
    std::memset(of_norms, 0, (size_t)4 * m.dim * 4);
    for (int t = blocks.first * kBlock; t < std::min(blocks.stop * kBlock, s.tokens); ++t) {
      float* row = s.shared.sums + (size_t)t * m.dim;
      drop(row, m.dim, drop_embeddings(), t);
      normalise_back(row, m.dim, tensors[kEmbeddingScale], s.shared.embedding_unit.row(t), s.shared.embedding_inverse[t], of_norms, of_norms + m.dim);
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
        const __m512 x = _mm512_load_ps(row + o);
        if (word) _mm512_storeu_ps(word + o, _mm512_add_ps(_mm512_loadu_ps(word + o), x));
        if (position) _mm512_storeu_ps(position + o, _mm512_add_ps(_mm512_loadu_ps(position + o), x));
      }
    }
  }
};

}  // namespace limbeck
