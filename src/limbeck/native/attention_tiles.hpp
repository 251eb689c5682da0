// Attention over packed texts, on tiles: each token attends the tokens of its own text, found by bounds, never by padding.
//
// In: queries (rows tiles, scaled by 128 log2(e) / sqrt(head width) through the weights), keys and values as KeyStore and
// ValueStore leave them, and for each token the slots of its text's keys. Out: mixed values as rows tiles.
#pragma once
#include "span.hpp"

namespace limbeck {

constexpr float kScoreUnit = 128.0f;  // scores come in steps of 1 / kScoreUnit in log2, ready for the table of powers
constexpr int kQueryRows = 32;        // rows that attend together

// The low 7 bits of a bf16 power of two: mantissa[i] = round(128 (2^(i / 128) - 1)).
struct PowerTable {
  alignas(64) uint8_t mantissa[128];
  constexpr PowerTable() : mantissa() {
    double value = 1.0;
    const double step = 1.0054299011128028;  // 2^(1/128)
    for (int i = 0; i < 128; ++i, value *= step) mantissa[i] = (uint8_t)((value - 1.0) * 128.0 + 0.5);
  }
};
alignas(64) static constexpr PowerTable kPowerTable;

// One row of scores becomes probabilities that are not yet divided by their sum; the sum is returned.
// Row r of a score tile lies at tile * 256 + r * 16.
inline float exponentials(const float* scores, bf16* out, int blocks, Span keys, const Powers& table) {
  const int first = keys.first >> 5, stop = (keys.stop + 31) >> 5;
  for (int j = 0; j < first; ++j) store_halves(out + j * kTile, no_halves());
  for (int j = stop; j < blocks; ++j) store_halves(out + j * kTile, no_halves());
  if (first >= stop) return 0.0f;
  const uint32_t head = ~0u << (keys.first & 31);
  const uint32_t tail = (keys.stop & 31) ? ~(~0u << (keys.stop & 31)) : ~0u;
  const uint32_t mask_first = first + 1 == stop ? head & tail : head;
  const uint32_t mask_last = tail;
  const Vec least = set(-3.0e38f);
  Vec top0 = pick(mask_first, max(least, load(scores + first * 512)), least);
  Vec top1 = pick(mask_first >> 16, max(least, load(scores + first * 512 + 256)), least);
  for (int j = first + 1; j < stop - 1; ++j) {
    top0 = max(top0, load(scores + j * 512));
    top1 = max(top1, load(scores + j * 512 + 256));
  }
  if (stop - 1 > first) {
    top0 = pick(mask_last, max(top0, load(scores + (stop - 1) * 512)), top0);
    top1 = pick(mask_last >> 16, max(top1, load(scores + (stop - 1) * 512 + 256)), top1);
  }
  const Vec offset = set(16256.0f - top(max(top0, top1)));
  Vec total = zero();
  auto block = [&](int j, uint32_t mask) {
    store_halves(out + j * kTile, powers(scores + j * 512, scores + j * 512 + 256, offset, mask, table, total));
  };
  block(first, mask_first);
  for (int j = first + 1; j < stop - 1; ++j) block(j, ~0u);
  if (stop - 1 > first) block(stop - 1, mask_last);
  return sum(total);
}

// Memory of one member of a team.
struct AttentionRoom {
  float* scores;   // 16 x window
  bf16* weights;   // 2 x 16 x window

  template <class Cutter>
  void cut(Cutter& cutter, int, int slots) {
    scores = cutter.template take<float>(16 * (size_t)(slots + 32));
    weights = cutter.template take<bf16>(32 * (size_t)(slots + 32));
  }
};

struct Attention {
  int head_dim;
  Matrix queries;
  KeyStore& keys;
  ValueStore& values;
  Matrix mixed;
  const Span* spans;   // per token; tokens of no text have an empty one
  AttentionRoom room;

  Attention(int head_dim, Matrix queries, KeyStore& keys, ValueStore& values, Matrix mixed, const Span* spans, AttentionRoom room, int)
      : head_dim(head_dim), queries(queries), keys(keys), values(values), mixed(mixed), spans(spans), room(room) {}

  // Rows first .. first + 32 attend the blocks of 32 slots that hold key_from .. key_to, with one head.
  void attend(int head, int first, int, int key_from, int key_to) const {
    const int head_chunks = head_dim / kChunk, column = head * head_chunks;
    const int key_first = key_from / 32 * 32, blocks = (key_to + 31) / 32 - key_first / 32;
    const size_t next = (size_t)keys.to.stride * kTile;
    const Powers table(kPowerTable.mantissa);
    alignas(64) float scale[32];
    for (int half = 0; half < 2; ++half) {
      const bf16* q = queries.at(first + 16 * half, column);
      const Span seen = blocks_seen(first + 16 * half);
      for (int j = seen.first; j < seen.stop; j += 2)
        multiply_wide(q, keys.to.at(32 * j, column), next, head_chunks, j + 1 < seen.stop ? 4 : 2, room.scores + (j - key_first / 32) * 512);
      bf16* p = room.weights + (size_t)half * blocks * kTile;
      for (int r = 0; r < 16; ++r) {
        const Span span = spans[first + half * 16 + r];
        Span keys_here = {span.first - key_first, span.stop - key_first};
        if (span.first >= span.stop) keys_here = {0, 0};
        const float total = exponentials(room.scores + r * 16, p + r * 32, blocks, keys_here, table);
        scale[half * 16 + r] = total > 0.0f ? 1.0f / total : 0.0f;
      }
    }
    for (int g = 0; g < head_chunks; ++g) {
      alignas(64) float sums[1024];
      multiply_block(room.weights, room.weights + (size_t)blocks * kTile, {values.tiles(key_first / 32, column + g), (size_t)values.to.stride * 2 * kTile},
                     blocks, {sums, 32, true}, [](int) {});
      for (int r = 0; r < 32; ++r) {
        const Vec by = set(scale[r]);
        put(mixed.at(first + r, column + g), load(sums + r * 32) * by, load(sums + r * 32 + 16) * by);
      }
    }
  }

 private:
  // Blocks of 32 slots that sixteen rows see.
  Span blocks_seen(int first) const {
    Span seen{0, 0};
    for (const Span* span = spans + first; span < spans + first + 16; ++span) {
      if (span->first >= span->stop) continue;
      if (!seen.stop) seen.first = span->first;
      seen.stop = span->stop;  // texts follow each other
    }
    return {seen.first / 32, (seen.stop + 31) / 32};
  }
};

}  // namespace limbeck
