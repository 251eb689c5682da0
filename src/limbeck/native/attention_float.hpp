// Attention over packed texts, in float32: each token attends the tokens of its own text, found by bounds, never by padding.
//
// In: queries (scaled by log2(e) / sqrt(head width) through the weights), keys and values as rows, and for each token the
// first and the last key of its text. Out: mixed values as rows.
#pragma once
#include "functions.hpp"
#include "span.hpp"

namespace limbeck {

constexpr float kScoreUnit = 1.0f;   // scores come in steps of 1 / kScoreUnit in log2
constexpr int kQueryRows = 24;       // rows that attend together

// One row of scores (in log2) becomes probabilities that are not yet divided by their sum; the sum is returned. Keys of
// other texts get 0. Pieces of 16 are counted from the text's first key: the sum does not depend on where a text lies.
KEEP_APART float soften(float* scores, int width, Span keys) {
  float* own = scores + keys.first;
  const int count = keys.stop - keys.first, whole_pieces = count / 16 * 16;
  const Mask tail = (1u << count % 16) - 1;
  Vec most = set(-3.0e38f);
  for (int j = 0; j < whole_pieces; j += 16) most = max(most, loadu(own + j));
  if (tail) most = max(most, pick(tail, loadu(own + whole_pieces), set(-3.0e38f)));
  const Vec highest = set(top(most));
  for (int j = 0; j < whole_pieces; j += 16) storeu(own + j, power_of_two(loadu(own + j) - highest));
  // Keys of other texts may have scores above all of these; what is no number stays none (the second operand of min).
  if (tail) storeu(own + whole_pieces, keep(tail, power_of_two(min(zero(), loadu(own + whole_pieces) - highest))));
  // In a loop of its own: the one above needs all registers there are.
  Vec total = zero();
  for (int j = 0; j < count; j += 16) total = total + loadu(own + j);
  for (int j = 0; j < keys.first; ++j) scores[j] = 0.0f;
  for (int j = keys.first + (count + 15) / 16 * 16; j < width; ++j) scores[j] = 0.0f;
  return sum(total);
}

// Memory of one member of a team.
struct AttentionRoom {
  float* turned;  // keys of one head: [head width][tokens]
  float* scores;  // kQueryRows x tokens

  template <class Cutter>
  void cut(Cutter& cutter, int head_dim, int tokens) {
    turned = cutter.template take<float>((size_t)head_dim * turned_stride(tokens));
    scores = cutter.template take<float>((size_t)kQueryRows * turned_stride(tokens));
  }
  static int turned_stride(int tokens) { return (tokens + 15) / 16 * 16 + 32; }  // no whole number of kilobytes
  static int scores_stride(int width) { return width + 16; }                       // a text's last piece ends beyond its keys
};

struct Attention {
  int head_dim;
  Matrix queries, keys, values, mixed;
  const Span* spans;  // per token; tokens of no text have an empty one
  AttentionRoom room;
  int tokens;
  int head = -1;      // whose keys are turned

  Attention(int head_dim, Matrix queries, KeyStore keys, ValueStore values, Matrix mixed, const Span* spans, AttentionRoom room, int tokens)
      : head_dim(head_dim), queries(queries), keys(keys.to), values(values.to), mixed(mixed), spans(spans), room(room), tokens(tokens) {}

  // Rows first .. stop attend the keys key_first .. key_stop with one head; calls with the same head follow each other.
  void attend(int of_head, int first, int stop, int key_first, int key_stop) {
    if (of_head != head) turn_keys(head = of_head);
    const int stride = AttentionRoom::turned_stride(tokens);
    const int width = (key_stop - key_first + 15) / 16 * 16, wide = AttentionRoom::scores_stride(width), column = head * head_dim;
    each_rows(stop - first, [&](int row, auto count) {
      const Left left{queries.at(first + row, 0) + column, (size_t)queries.stride, 1};
      combine<count()>(left, room.turned + key_first, stride, head_dim, {room.scores + (size_t)row * wide, (size_t)wide, true}, width);
    });
    float scale[kQueryRows];
    for (int r = 0; r < stop - first; ++r) {
      const Span span = spans[first + r];
      float* row = room.scores + (size_t)r * wide;
      if (span.first < span.stop) {
        scale[r] = 1.0f / soften(row, width, {span.first - key_first, span.stop - key_first});
      } else {
        std::memset(row, 0, (size_t)width * sizeof(float));
        scale[r] = 0.0f;
      }
    }
    each_rows(stop - first, [&](int row, auto count) {
      const Left left{room.scores + (size_t)row * wide, (size_t)wide, 1};
      float* to = mixed.at(first + row, 0) + column;
      combine<count()>(left, values.at(key_first, 0) + column, values.stride, key_stop - key_first, {to, (size_t)mixed.stride, true}, head_dim);
      for (int r = 0; r < count(); ++r, to += mixed.stride)
        for (int c = 0; c < head_dim; c += 16) store(to + c, load(to + c) * set(scale[row + r]));
    });
  }

 private:
  void turn_keys(int of_head) {
    const int stride = AttentionRoom::turned_stride(tokens);
    for (int t = 0; t < tokens; t += 16)
      for (int c = 0; c < head_dim; c += 16)
        turn_square(keys.at(t, 0) + of_head * head_dim + c, keys.stride, room.turned + (size_t)c * stride + t, stride);
  }
};

}  // namespace limbeck
