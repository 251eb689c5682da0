// Rows on the other sides of products, in float32: rows are already what every side wants, but for columns to be summed over.
#pragma once
#include <algorithm>

namespace limbeck {

// Rows as left or right operand of a product that sums over rows.
struct KeptRows {
  float* base;
  int blocks, chunks = 0;  // of 32 rows, of 32 columns

  // Views have fewer chunks than the rows are long: the stride is that of the whole.
  int stride = Matrix::stride_of(chunks);

  float* at(int chunk, int block) const { return base + (size_t)block * 32 * stride + chunk * kChunk; }
  KeptRows columns(int chunk) const { return {at(chunk, 0), blocks, chunks - chunk, stride}; }
  void take(Matrix rows, int source, int block) const {  // 32 rows, block `source` of a matrix, become block `block`
    for (int c = 0; c < chunks; ++c) take_chunk(rows, source, c, c, block);
  }
  void take_chunk(Matrix rows, int source, int from_chunk, int chunk, int block) const {
    for (int r = 0; r < 32; ++r) copy_chunk(at(chunk, block) + (size_t)r * stride, rows.at(source * 32 + r, from_chunk));
  }
};
using Paired = KeptRows;
using Crossed = KeptRows;

// Rows as right operand of a product that sums over columns: [columns][rows].
struct Turned {
  float* base;
  int chunks, stride = 0;  // rows, and a little room

  void take(Matrix rows, int blocks) {
    stride = blocks * 32 + 16;
    for (int r = 0; r < blocks * 32; r += 16)
      for (int c = 0; c < chunks * kChunk; c += 16) turn_square(rows.at(r, 0) + c, rows.stride, base + (size_t)c * stride + r, stride);
  }
};

inline size_t numbers_of_operand(int rows, int chunks) { return (size_t)(rows + 16) * (chunks * kChunk + 16); }

// What finishers write two rows at a time, a chunk of them at once.
struct KeptStore {
  KeptRows to;
  void put_pair(int row, int chunk, Chunk a, Chunk b) {
    float* at = to.at(chunk, 0) + (size_t)row * to.stride;
    write(at, a);
    write(at + to.stride, b);
  }
};
using CrossedStore = KeptStore;
using PairedStore = KeptStore;

// `rows` rows times `columns` columns (a multiple of 16) of other rows.
inline void combine_rows(int rows, Left left, const float* right, size_t right_stride, int columns, int depth, float* sums, size_t stride, bool fresh) {
  each_rows(rows, [&](int row, auto count) {
    const Left from{left.at + row * left.row_step, left.row_step, left.depth_step};
    combine<count()>(from, right, right_stride, depth, {sums + row * stride, stride, fresh}, columns);
  });
}

// 32 rows times 32 turned rows.
inline void rows_by_turned(Matrix rows, int row, Turned right, int block, float* sums, size_t stride) {
  combine_rows(32, {rows.at(row, 0), (size_t)rows.stride, 1}, right.base + block * 32, right.stride, 32, right.chunks * kChunk, sums, stride, true);
}
// 32 rows of `count` chunks times a chunk of as many blocks of rows, from `first` on: 32 x 32 sums.
inline void rows_by_paired(Matrix rows, Paired right, int chunk, int first, int count, float* sums) {
  combine_rows(32, {rows.at(0, 0), (size_t)rows.stride, 1}, right.at(chunk, first), right.stride, 32, count * 32, sums, 32, true);
}
// A chunk of columns times another, summed over the rows of blocks first .. stop.
inline void crossed_by_paired(Crossed left, int left_chunk, Paired right, int right_chunk, int first, int stop, float* sums) {
  combine_rows(32, {left.at(left_chunk, first), 1, (size_t)left.stride}, right.at(right_chunk, first), right.stride, 32, (stop - first) * 32, sums, 32, true);
}
// Fetches rows of columns a few lines of 64 bytes at a time, before they are needed.
struct RowsAhead {
  const float* row;
  size_t stride;
  int lines, rows;  // lines of a row; rows that are left
  int line = 0;

  void fetch_some(int count) {
    for (; count > 0 && rows > 0; --count) {
      fetch_far((const char*)row + (size_t)line * 64);
      if (++line < lines) continue;
      line = 0;
      row += stride;
      --rows;
    }
  }
};

// `chunks` chunks of columns times the chunks in .. stop of others, summed over all rows, into a gradient.
inline void add_outer(Crossed left, int chunks, Paired right, int in, int stop, float* gradient, int stride, bool fresh) {
  constexpr int kAtOnce = 4;  // blocks of rows: so many rows of both sides stay in the first-level cache
  constexpr int kLines = kChunk * sizeof(float) / 64;
  const int turns = (chunks * 32 + kRows - 1) / kRows;
  for (int k = 0; k < left.blocks; k += kAtOnce) {
    const int depth = std::min(left.blocks - k, kAtOnce) * 32, next = std::max(std::min(left.blocks - k - kAtOnce, kAtOnce), 0) * 32;
    RowsAhead lefts{left.at(0, k + kAtOnce), (size_t)left.stride, kLines * chunks, next};
    RowsAhead rights{right.at(in, k + kAtOnce), (size_t)right.stride, kLines * (stop - in), next};
    for (int c = in; c < stop; ++c)
      each_rows(chunks * 32, [&](int row, auto count) {
        lefts.fetch_some((next * kLines * chunks / (stop - in) + turns - 1) / turns);
        rights.fetch_some((next * kLines + turns - 1) / turns);
        combine<count()>({left.at(0, k) + row, 1, (size_t)left.stride}, right.at(c, k), right.stride, depth,
                         {gradient + (size_t)row * stride + c * kChunk, (size_t)stride, fresh && k == 0}, kChunk);
      });
  }
}
// Sums of each column over all rows.
inline void sum_columns(Crossed left, int chunks, float* sums, bool add) {
  for (int o = 0; o < chunks * kChunk; o += 16) {
    Vec total = add ? loadu(sums + o) : zero();
    for (int t = 0; t < left.blocks * 32; ++t) total = total + load(left.base + (size_t)t * left.stride + o);
    storeu(sums + o, total);
  }
}

// Rows n .. n + 32 of weights (n_out, n_in), packed for y = x wᵀ and for x = y w (PlainWeights).
inline void pack_band(const float* weights, int n, int n_out, int n_in, float* ahead, float* back) {
  for (int half = 0; half < 2; ++half)
    for (int k = 0; k < n_in; k += 16)
      turn_square(weights + (size_t)(n + 16 * half) * n_in + k, n_in, ahead + ((size_t)(n / 32 * 2 + half) * n_in + k) * 16, 16);
  for (int r = n; r < n + 32; ++r)
    for (int c = 0; c < n_in; c += 16) store(back + ((size_t)c / 16 * n_out + r) * 16, loadu(weights + (size_t)r * n_in + c));
}

}  // namespace limbeck
