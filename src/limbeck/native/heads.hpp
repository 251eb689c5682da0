// Attention of one head over a run of whole texts, forward and backward: each token sees the tokens of its own text.
//
// In: queries, keys and values as rows tiles, and for each query the keys of its text. Out: mixed values, or gradients, as
// rows tiles. The run is copied into memory of its own, where no text crosses a block of 32 rows that it could fit into;
// scores are computed again in the backward pass from the logarithm of their sum, so nothing that grows with the square of
// a text's length is kept.
//
// Source: Vaswani et al. (2017), equation 1; Dao et al., "FlashAttention" (2022), section 3.1, for the recomputation.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>
#include "dropout.hpp"
#include "layouts.hpp"

namespace limbeck {

struct Span { int first, stop; };

// Texts that are computed together: which rows of the batch their blocks of queries and keys hold (-1: none), and for each
// query the keys of its text, as places in the run.
struct TextRun {
  int query_blocks, key_blocks;
  std::vector<int> queries, keys;
  std::vector<Span> spans;
};

// Memory for one head of a run.
struct HeadRoom {
  bf16 *queries, *keys, *values, *gradient;                             // rows: [tokens / 16][head tiles]
  bf16 *keys_turned, *values_turned;                                    // [tokens / 32][head tiles][2]
  bf16 *keys_pairs, *values_pairs, *queries_pairs, *gradient_pairs;     // [head tiles][tokens / 32][2]
  float *scores, *slopes;                                               // 32 queries x keys
  bf16 *weights, *weight_slopes;                                        // the same as rows tiles: [2][keys / 32]
  bf16 *weights_crossed, *slopes_crossed;                               // [keys / 16][queries / 32] rows tiles
  Span* seen_by;                                                        // blocks of queries, for each block of keys
  uint32_t* kept;                                                       // of a row, for each block of keys
};

// 2 ^ x for x <= 0, largest relative error 3e-6.
inline __m512 power_of_two(__m512 x) {
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), f = _mm512_sub_ps(x, whole);
  __m512 p = _mm512_set1_ps(1.33336e-3f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.61813e-3f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.550411e-2f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4022651e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9314718e-1f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(p, whole);
}

class HeadPass {
 public:
  HeadPass(int head_dim, int head, const TextRun& run, Dropout dropout, HeadRoom& room, float* scratch)
      : run(run), dropout(dropout), room(room), scratch(scratch), tiles(head_dim / kBlock), column(head * tiles),
        query_blocks(run.query_blocks), key_blocks(run.key_blocks),
        to_log2(1.4426950409f / std::sqrt((float)head_dim)), to_slope(1.0f / std::sqrt((float)head_dim)) {}

  // log_sums: of each query of the batch, for the backward pass; null when there is none.
  void forward(Matrix queries, Matrix keys, Matrix values, Matrix mixed, float* log_sums) {
    gather(queries, run.queries, room.queries);
    gather(keys, run.keys, room.keys);
    gather(values, run.keys, room.values);
    turn(room.keys, key_blocks, room.keys_turned);
    pair_up(room.values, key_blocks, room.values_pairs);
    for (int block = 0; block < query_blocks; ++block) {
      const Span window = window_of(block);
      const int wide = window.stop - window.first;
      multiply_keys(room.queries, room.keys_turned, block, window, room.scores);
      alignas(64) float scale[32];
      for (int r = 0; r < 32; ++r) scale[r] = soften(block * 32 + r, r, window, log_sums);
      for (int g = 0; g < tiles; ++g) {
        sum_up(room.weights, wide, room.values_pairs + ((size_t)g * key_blocks + window.first) * 2 * kTile, wide);
        put(mixed, column + g, run.queries.data() + block * 32, scale);
      }
    }
  }

  // From the gradient of the mixed values, the gradients of queries, keys and values.
  void backward(Matrix queries, Matrix keys, Matrix values, Matrix gradient, const float* log_sums, Matrix queries_back,
                Matrix keys_back, Matrix values_back) {
    gather(queries, run.queries, room.queries);
    gather(gradient, run.queries, room.gradient);
    gather(keys, run.keys, room.keys);
    gather(values, run.keys, room.values);
    turn(room.keys, key_blocks, room.keys_turned);
    turn(room.values, key_blocks, room.values_turned);
    pair_up(room.keys, key_blocks, room.keys_pairs);
    pair_up(room.queries, query_blocks, room.queries_pairs);
    pair_up(room.gradient, query_blocks, room.gradient_pairs);
    for (int k = 0; k < key_blocks; ++k) room.seen_by[k] = {0, 0};
    for (int block = 0; block < query_blocks; ++block) {
      const Span window = window_of(block);
      const int wide = window.stop - window.first;
      multiply_keys(room.queries, room.keys_turned, block, window, room.scores);
      multiply_keys(room.gradient, room.values_turned, block, window, room.slopes);
      for (int r = 0; r < 32; ++r) soften_back(block * 32 + r, r, window, log_sums);
      for (int g = 0; g < tiles; ++g) {
        sum_up(room.weight_slopes, wide, room.keys_pairs + ((size_t)g * key_blocks + window.first) * 2 * kTile, wide);
        put(queries_back, column + g, run.queries.data() + block * 32, nullptr);
      }
      for (int k = window.first; k < window.stop; ++k) {
        cross(room.weights, wide, k - window.first, room.weights_crossed, k, block);
        cross(room.weight_slopes, wide, k - window.first, room.slopes_crossed, k, block);
        if (room.seen_by[k].stop == 0) room.seen_by[k].first = block;
        room.seen_by[k].stop = block + 1;
      }
    }
    for (int k = 0; k < key_blocks; ++k) {
      const Span seen = room.seen_by[k];
      const size_t from = ((size_t)2 * k * query_blocks + seen.first) * kTile;
      for (int g = 0; g < tiles; ++g) {
        const size_t pairs = ((size_t)g * query_blocks + seen.first) * 2 * kTile;
        sum_up(room.weights_crossed + from, query_blocks, room.gradient_pairs + pairs, seen.stop - seen.first);
        put(values_back, column + g, run.keys.data() + k * 32, nullptr);
        sum_up(room.slopes_crossed + from, query_blocks, room.queries_pairs + pairs, seen.stop - seen.first);
        put(keys_back, column + g, run.keys.data() + k * 32, nullptr);
      }
    }
  }

 private:
  const TextRun& run;
  const Dropout dropout;
  HeadRoom& room;
  float* scratch;
  const int tiles, column, query_blocks, key_blocks;
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

  void gather(Matrix from, const std::vector<int>& places, bf16* rows) const {
    const Matrix to{rows, tiles};
    for (int r = 0; r < (int)places.size(); ++r)
      for (int g = 0; g < tiles; ++g)
        _mm512_store_si512(to.row(r) + g * kTile, places[r] < 0 ? _mm512_setzero_si512()
                                                                : _mm512_load_si512(from.row(places[r]) + (size_t)(column + g) * kTile));
  }
  void turn(const bf16* rows, int blocks, bf16* turned) const {
    for (int b = 0; b < blocks; ++b)
      for (int g = 0; g < tiles; ++g)
        for (int half = 0; half < 2; ++half)
          turn_tile(rows + ((size_t)(2 * b + half) * tiles + g) * kTile, turned + (((size_t)b * tiles + g) * 2 + half) * kTile);
  }
  void pair_up(bf16* rows, int blocks, bf16* pairs) const {
    for (int b = 0; b < blocks; ++b) rows_to_pairs({rows, tiles}, b, b, blocks, pairs);
  }
  void cross(const bf16* rows, int wide, int j, bf16* crossed, int key_block, int query_block) const {
    bf16* left = crossed + ((size_t)2 * key_block * query_blocks + query_block) * kTile;
    block_to_crossed(rows + (size_t)j * kTile, rows + (size_t)(wide + j) * kTile, left, left + (size_t)query_blocks * kTile);
  }

  // 32 rows times the turned rows of a window, as floats, 32 x (32 x blocks of the window).
  void multiply_keys(const bf16* rows, const bf16* turned, int block, Span window, float* out) const {
    const int wide = window.stop - window.first;
    const size_t stride = (size_t)wide * 128;
    const bf16* a = rows + (size_t)2 * block * tiles * kTile;
    fence();
    for (int j = 0; j < wide; ++j) {
      const bf16* w = turned + (size_t)(window.first + j) * tiles * 2 * kTile;
      _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
      for (int g = 0; g < tiles; ++g) LIMBECK_STEP(a + g * kTile, a + (tiles + g) * kTile, w + g * 2 * kTile);
      float* s = out + j * 32;
      float* below = s + (size_t)16 * wide * 32;
      _tile_stored(0, s, stride); _tile_stored(1, s + 16, stride);
      _tile_stored(2, below, stride); _tile_stored(3, below + 16, stride);
    }
    fence();
  }

  // scratch = 32 rows (two runs of tiles, `stride` tiles apart) times pairs.
  void sum_up(const bf16* rows, int stride, const bf16* pairs, int count) const {
    fence();
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    for (int j = 0; j < count; ++j) LIMBECK_STEP(rows + (size_t)j * kTile, rows + (size_t)(stride + j) * kTile, pairs + (size_t)j * 2 * kTile);
    _tile_stored(0, scratch, 128); _tile_stored(1, scratch + 16, 128);
    _tile_stored(2, scratch + 512, 128); _tile_stored(3, scratch + 528, 128);
    fence();
  }
  void put(Matrix to, int tile, const int* places, const float* scale) const {
    for (int r = 0; r < 32; ++r) {
      if (places[r] < 0) continue;
      const __m512 by = _mm512_set1_ps(scale ? scale[r] : 1.0f);
      _mm512_store_si512(to.row(places[r]) + (size_t)tile * kTile, to_bf16(_mm512_mul_ps(_mm512_load_ps(scratch + r * 32), by),
                                                                           _mm512_mul_ps(_mm512_load_ps(scratch + r * 32 + 16), by)));
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
    bf16* out = room.weights + (size_t)(r < 16 ? 0 : wide) * kTile + r % 16 * 32;
    for (int j = 0; j < wide; ++j) _mm512_store_si512(out + (size_t)j * kTile, _mm512_setzero_si512());
    if (keys.first >= keys.stop) return 0.0f;
    const int first = keys.first / 32, stop = (keys.stop + 31) / 32;
    __m512 top = _mm512_set1_ps(-3.0e38f);
    for (int k = first; k < stop; ++k) {
      const uint32_t mask = mask_of(keys, k);
      const float* s = scores + (k - window.first) * 32;
      top = _mm512_mask_max_ps(top, (__mmask16)mask, top, _mm512_load_ps(s));
      top = _mm512_mask_max_ps(top, (__mmask16)(mask >> 16), top, _mm512_load_ps(s + 16));
    }
    const RowDropout dice(dropout, run.queries[query]);
    const float highest = _mm512_reduce_max_ps(top) * to_log2;
    const __m512 by = _mm512_set1_ps(to_log2), least = _mm512_set1_ps(highest);
    __m512 sum = _mm512_setzero_ps();
    for (int k = first; k < stop; ++k) {
      const uint32_t mask = mask_of(keys, k), kept = mask & dice.kept(k);
      const float* s = scores + (k - window.first) * 32;
      const __m512 p0 = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(s), by, least));
      const __m512 p1 = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(s + 16), by, least));
      sum = _mm512_mask_add_ps(sum, (__mmask16)mask, sum, p0);
      sum = _mm512_mask_add_ps(sum, (__mmask16)(mask >> 16), sum, p1);
      _mm512_store_si512(out + (size_t)(k - window.first) * kTile, to_bf16(_mm512_maskz_mov_ps((__mmask16)kept, p0),
                                                                           _mm512_maskz_mov_ps((__mmask16)(kept >> 16), p1)));
    }
    const float total = _mm512_reduce_add_ps(sum);
    if (log_sums) log_sums[run.queries[query]] = highest + std::log2(total);
    return dropout.scale() / total;
  }

  // The weights of a row again, and the gradients of its scores from those of its weights.
  void soften_back(int query, int r, Span window, const float* log_sums) const {
    const int wide = window.stop - window.first;
    const Span keys = run.spans[query];
    float* scores = room.scores + (size_t)r * wide * 32;
    const float* slopes = room.slopes + (size_t)r * wide * 32;
    const size_t at = (size_t)(r < 16 ? 0 : wide) * kTile + r % 16 * 32;
    bf16 *weights = room.weights + at, *weight_slopes = room.weight_slopes + at;
    for (int j = 0; j < wide; ++j) {
      _mm512_store_si512(weights + (size_t)j * kTile, _mm512_setzero_si512());
      _mm512_store_si512(weight_slopes + (size_t)j * kTile, _mm512_setzero_si512());
    }
    if (keys.first >= keys.stop) return;
    const int first = keys.first / 32, stop = (keys.stop + 31) / 32;
    const __m512 by = _mm512_set1_ps(to_log2), log_sum = _mm512_set1_ps(log_sums[run.queries[query]]);
    const RowDropout dice(dropout, run.queries[query]);
    const __m512 keep_scale = _mm512_set1_ps(dropout.scale());
    __m512 along = _mm512_setzero_ps();
    for (int k = first; k < stop; ++k) {
      const uint32_t mask = mask_of(keys, k), kept = mask & dice.kept(k);
      room.kept[k] = kept;
      const int j = (k - window.first) * 32;
      __m512 p[2], dropped[2];
      for (int half = 0; half < 2; ++half) {
        const __mmask16 inside = (__mmask16)(mask >> 16 * half), here = (__mmask16)(kept >> 16 * half);
        p[half] = _mm512_maskz_mov_ps(inside, power_of_two(_mm512_fmsub_ps(_mm512_load_ps(scores + j + 16 * half), by, log_sum)));
        dropped[half] = _mm512_maskz_mul_ps(here, p[half], keep_scale);
        along = _mm512_fmadd_ps(dropped[half], _mm512_load_ps(slopes + j + 16 * half), along);
        _mm512_store_ps(scores + j + 16 * half, p[half]);
      }
      _mm512_store_si512(weights + (size_t)(k - window.first) * kTile, to_bf16(dropped[0], dropped[1]));
    }
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(along)), scale = _mm512_set1_ps(to_slope);
    for (int k = first; k < stop; ++k) {
      const uint32_t kept = room.kept[k];
      const int j = (k - window.first) * 32;
      __m512 d[2];
      for (int half = 0; half < 2; ++half) {
        const __m512 slope = _mm512_maskz_mul_ps((__mmask16)(kept >> 16 * half), _mm512_load_ps(slopes + j + 16 * half), keep_scale);
        d[half] = _mm512_mul_ps(_mm512_mul_ps(_mm512_load_ps(scores + j + 16 * half), _mm512_sub_ps(slope, mean)), scale);
      }
      _mm512_store_si512(weight_slopes + (size_t)(k - window.first) * kTile, to_bf16(d[0], d[1]));
    }
  }
};

}  // namespace limbeck
