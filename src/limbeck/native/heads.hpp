// Attention of one head over a run of whole texts, forward and backward: each token sees the tokens of its own text.
//
// In: queries, keys and values as rows, and for each query the keys of its text. Out: mixed values, or gradients, as rows.
// The run is copied into memory of its own, where no text crosses a block of 32 rows that it could fit into;
// scores are computed again in the backward pass from the logarithm of their sum, so nothing that grows with the square of
// a text's length is kept.
//
// Source: Vaswani et al. (2017), equation 1; Dao et al., "FlashAttention" (2022), section 3.1, for the recomputation.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>
#include "dropout.hpp"
#include "functions.hpp"
#include "span.hpp"

namespace limbeck {

// Texts that are computed together: which rows of the batch their blocks of queries and keys hold (-1: none), and for each
// query the keys of its text, as places in the run.
struct TextRun {
  int query_blocks, key_blocks;
  std::vector<int> queries, keys;
  std::vector<Span> spans;
};

// Memory for one head of a run.
struct HeadRoom {
  In *queries, *keys, *values, *gradient;                             // rows
  In *keys_turned, *values_turned;                                    // Turned
  In *keys_paired, *values_paired, *queries_paired, *gradient_paired; // Paired
  float *scores, *slopes;                                             // 32 queries x keys
  In *weights, *weight_slopes;                                        // the same as rows
  In *weights_crossed, *slopes_crossed;                               // Crossed, keys x queries
  Span* seen_by;                                                      // blocks of queries, for each block of keys
  uint32_t* kept;                                                     // of a row, for each block of keys
};

class HeadPass {
 public:
  HeadPass(int head_dim, int head, const TextRun& run, Dropout dropout, HeadRoom& room, float* scratch)
      : run(run), dropout(dropout), room(room), scratch(scratch), chunks(head_dim / kChunk), column(head * chunks),
        query_blocks(run.query_blocks), key_blocks(run.key_blocks),
        to_log2(1.4426950409f / std::sqrt((float)head_dim)), to_slope(1.0f / std::sqrt((float)head_dim)) {}

  // log_sums: of each query of the batch, for the backward pass; null when there is none.
  void forward(Matrix queries, Matrix keys, Matrix values, Matrix mixed, float* log_sums) {
    const Matrix q = gather(queries, run.queries, room.queries), k = gather(keys, run.keys, room.keys), v = gather(values, run.keys, room.values);
    const Turned keys_turned = turn(k, key_blocks, room.keys_turned);
    const Paired values_paired = pair_up(v, key_blocks, room.values_paired);
    for (int block = 0; block < query_blocks; ++block) {
      const Span window = window_of(block);
      multiply_keys(q, keys_turned, block, window, room.scores);
      alignas(64) float scale[32];
      for (int r = 0; r < 32; ++r) scale[r] = soften(block * 32 + r, r, window, log_sums);
      for (int g = 0; g < chunks; ++g) {
        rows_by_paired(in_window(room.weights, window), values_paired, g, window.first, window.stop - window.first, scratch);
        put_rows(mixed, column + g, run.queries.data() + block * 32, scale);
      }
    }
  }

  // From the gradient of the mixed values, the gradients of queries, keys and values.
  void backward(Matrix queries, Matrix keys, Matrix values, Matrix gradient, const float* log_sums, Matrix queries_back,
                Matrix keys_back, Matrix values_back) {
    const Matrix q = gather(queries, run.queries, room.queries), back = gather(gradient, run.queries, room.gradient);
    const Matrix k = gather(keys, run.keys, room.keys), v = gather(values, run.keys, room.values);
    const Turned keys_turned = turn(k, key_blocks, room.keys_turned), values_turned = turn(v, key_blocks, room.values_turned);
    const Paired keys_paired = pair_up(k, key_blocks, room.keys_paired), queries_paired = pair_up(q, query_blocks, room.queries_paired),
                 gradient_paired = pair_up(back, query_blocks, room.gradient_paired);
    const Crossed weights_crossed{room.weights_crossed, query_blocks, key_blocks}, slopes_crossed{room.slopes_crossed, query_blocks, key_blocks};
    for (int block = 0; block < key_blocks; ++block) room.seen_by[block] = {0, 0};
    for (int block = 0; block < query_blocks; ++block) {
      const Span window = window_of(block);
      multiply_keys(q, keys_turned, block, window, room.scores);
      multiply_keys(back, values_turned, block, window, room.slopes);
      for (int r = 0; r < 32; ++r) soften_back(block * 32 + r, r, window, log_sums);
      const Matrix weights = in_window(room.weights, window), weight_slopes = in_window(room.weight_slopes, window);
      for (int g = 0; g < chunks; ++g) {
        rows_by_paired(weight_slopes, keys_paired, g, window.first, window.stop - window.first, scratch);
        put_rows(queries_back, column + g, run.queries.data() + block * 32, nullptr);
      }
      for (int seen = window.first; seen < window.stop; ++seen) {
        weights_crossed.take_chunk(weights, 0, seen - window.first, seen, block);
        slopes_crossed.take_chunk(weight_slopes, 0, seen - window.first, seen, block);
        if (room.seen_by[seen].stop == 0) room.seen_by[seen].first = block;
        room.seen_by[seen].stop = block + 1;
      }
    }
    for (int block = 0; block < key_blocks; ++block) {
      const Span seen = room.seen_by[block];
      for (int g = 0; g < chunks; ++g) {
        crossed_by_paired(weights_crossed, block, gradient_paired, g, seen.first, seen.stop, scratch);
        put_rows(values_back, column + g, run.keys.data() + block * 32, nullptr);
        crossed_by_paired(slopes_crossed, block, queries_paired, g, seen.first, seen.stop, scratch);
        put_rows(keys_back, column + g, run.keys.data() + block * 32, nullptr);
      }
    }
  }

 private:
  const TextRun& run;
  const Dropout dropout;
  HeadRoom& room;
  float* scratch;
  const int chunks, column, query_blocks, key_blocks;
  const float to_log2, to_slope;

  // Blocks of keys that a block of queries sees.
  Span window_of(int block) const {
    Span window{key_blocks, 0};
    for (int q = block * 32; q < block * 32 + 32; ++q) {
      const Span span = run.spans[q];
      if (span.first >= span.stop) continue;
      window = {std::min(window.first, span.first / 32), std::max(window.stop, (span.stop + 31) / 32)};
    }
    return window;
  }

  Matrix gather(Matrix from, const std::vector<int>& places, In* rows) const {
    const Matrix to{rows, Matrix::stride_of(chunks)};
    for (int r = 0; r < (int)places.size(); ++r)
      for (int g = 0; g < chunks; ++g) {
        if (places[r] < 0) clear_chunk(to.at(r, g));
        else copy_chunk(to.at(r, g), from.at(places[r], column + g));
      }
    return to;
  }
  Turned turn(Matrix rows, int blocks, In* room_for_it) const {
    Turned turned{room_for_it, chunks};
    turned.take(rows, blocks);
    return turned;
  }
  Paired pair_up(Matrix rows, int blocks, In* room_for_it) const {
    const Paired paired{room_for_it, blocks, chunks};
    for (int b = 0; b < blocks; ++b) paired.take(rows, b, b);
    return paired;
  }
  static Matrix in_window(In* rows, Span window) { return {rows, Matrix::stride_of(window.stop - window.first)}; }

  // 32 rows times the turned rows of a window, as floats, 32 x (32 x blocks of the window).
  void multiply_keys(Matrix rows, Turned turned, int block, Span window, float* out) const {
    const int wide = window.stop - window.first;
    for (int j = 0; j < wide; ++j) rows_by_turned(rows, block * 32, turned, window.first + j, out + j * 32, (size_t)wide * 32);
  }

  void put_rows(Matrix to, int chunk, const int* places, const float* scale) const {
    for (int r = 0; r < 32; ++r) {
      if (places[r] < 0) continue;
      const Vec by = set(scale ? scale[r] : 1.0f);
      put(to.at(places[r], chunk), load(scratch + r * 32) * by, load(scratch + r * 32 + 16) * by);
    }
  }

  static uint32_t mask_of(Span keys, int block) {  // keys of a block of 32 that are inside
    const int first = std::max(keys.first - block * 32, 0), stop = std::min(keys.stop - block * 32, 32);
    return first >= stop ? 0 : (~0u >> (32 - stop)) & (~0u << first);
  }

  // Exponentials of a row of scores into `weights`, what is dropped as 0; returns the factor that is still missing.
  float soften(int query, int r, Span window, float* log_sums) const {
    const int wide = window.stop - window.first;
    const Span keys = run.spans[query];
    const float* scores = room.scores + (size_t)r * wide * 32;
    const Matrix weights = in_window(room.weights, window);
    for (int j = 0; j < wide; ++j) clear_chunk(weights.at(r, j));
    if (keys.first >= keys.stop) return 0.0f;
    const int first = keys.first / 32, stop = (keys.stop + 31) / 32;
    Vec most = set(-3.0e38f);
    for (int k = first; k < stop; ++k) {
      const uint32_t mask = mask_of(keys, k);
      const float* s = scores + (k - window.first) * 32;
      most = pick(mask & 0xffff, max(most, load(s)), most);
      most = pick(mask >> 16, max(most, load(s + 16)), most);
    }
    const RowDropout dice(dropout, run.queries[query]);
    const float highest = top(most) * to_log2;
    const Vec by = set(to_log2), least = set(highest);
    Vec total = zero();
    for (int k = first; k < stop; ++k) {
      const uint32_t mask = mask_of(keys, k), kept = mask & dice.kept(k);
      const float* s = scores + (k - window.first) * 32;
      const Vec p0 = power_of_two(fms(load(s), by, least)), p1 = power_of_two(fms(load(s + 16), by, least));
      total = pick(mask & 0xffff, total + p0, total);
      total = pick(mask >> 16, total + p1, total);
      put(weights.at(r, k - window.first), keep(kept & 0xffff, p0), keep(kept >> 16, p1));
    }
    const float sum_of_all = sum(total);
    if (log_sums) log_sums[run.queries[query]] = highest + std::log2(sum_of_all);
    return dropout.scale() / sum_of_all;
  }

  // The weights of a row again, and the gradients of its scores from those of its weights.
  void soften_back(int query, int r, Span window, const float* log_sums) const {
    const int wide = window.stop - window.first;
    const Span keys = run.spans[query];
    float* scores = room.scores + (size_t)r * wide * 32;
    const float* slopes = room.slopes + (size_t)r * wide * 32;
    const Matrix weights = in_window(room.weights, window), weight_slopes = in_window(room.weight_slopes, window);
    for (int j = 0; j < wide; ++j) {
      clear_chunk(weights.at(r, j));
      clear_chunk(weight_slopes.at(r, j));
    }
    if (keys.first >= keys.stop) return;
    const int first = keys.first / 32, stop = (keys.stop + 31) / 32;
    const Vec by = set(to_log2), log_sum = set(log_sums[run.queries[query]]);
    const RowDropout dice(dropout, run.queries[query]);
    const Vec keep_scale = set(dropout.scale());
    Vec along = zero();
    for (int k = first; k < stop; ++k) {
      const uint32_t mask = mask_of(keys, k), kept = mask & dice.kept(k);
      room.kept[k] = kept;
      const int j = (k - window.first) * 32;
      Vec p[2], dropped[2];
      for (int half = 0; half < 2; ++half) {
        const Mask inside = mask >> 16 * half & 0xffff, here = kept >> 16 * half & 0xffff;
        p[half] = keep(inside, power_of_two(fms(load(scores + j + 16 * half), by, log_sum)));
        dropped[half] = keep(here, p[half] * keep_scale);
        along = fma(dropped[half], load(slopes + j + 16 * half), along);
        store(scores + j + 16 * half, p[half]);
      }
      put(weights.at(r, k - window.first), dropped[0], dropped[1]);
    }
    const Vec mean = set(sum(along)), scale = set(to_slope);
    for (int k = first; k < stop; ++k) {
      const uint32_t kept = room.kept[k];
      const int j = (k - window.first) * 32;
      Vec d[2];
      for (int half = 0; half < 2; ++half) {
        const Vec slope = keep(kept >> 16 * half & 0xffff, load(slopes + j + 16 * half) * keep_scale);
        d[half] = load(scores + j + 16 * half) * (slope - mean) * scale;
      }
      put(weight_slopes.at(r, k - window.first), d[0], d[1]);
    }
  }
};

}  // namespace limbeck
