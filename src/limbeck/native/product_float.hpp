// Products of float32 rows: with weights stored as bfloat16, and with other float32 rows.
//
// In: a matrix of rows (left), a panel of 32 columns (right). Out: float32 sums. One small kernel holds up to kRows rows of
// sums in registers and walks through the depth; everything else here says where its operands lie.
//
// Weights (n_out, n_in) are packed as [n_out / 32][n_in / 32][2 halves][16 pairs of depth][16 columns][2]. The two weights of
// a pair share four bytes. The second is the lower half, one shift away. The first is all four bytes read as a float: what
// lies below its bfloat16 is known to the packer, which picks the upper half so that the whole is nearest to the weight.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

// The hot loops need every register: inlined, they would share them with their callers.
#define KEEP_APART __attribute__((noinline)) inline

namespace limbeck {

using bf16 = uint16_t;
using In = float;                       // what operands of products are made of
constexpr bool kExact = true;           // operands keep float32: so must functions that make them
constexpr int kChunk = 32;              // columns that are stored and computed together
constexpr int kRowStep = 2;             // matrices have a multiple of so many rows
constexpr int kSlice = 12;              // chunks of columns that a product takes at a time
constexpr int kMostBlocks = 4;          // blocks of 32 rows that a task takes through a layer of training; their rows stay in the second-level cache
constexpr int kGroupRows = 96;          // rows that go through weights together, so that they stay in the second-level cache
constexpr int kTile = 16 * 32;          // numbers of half a block of packed weights
constexpr int kChunkStep = kChunk;      // numbers from one chunk of a row to the next

// Rows of floats. A stride of whole kilobytes would put all rows into the same few sets of the cache.
struct Matrix {
  float* base;
  int stride;

  float* at(int row, int chunk) const { return base + (size_t)row * stride + chunk * kChunk; }
  Matrix from(int row) const { return {at(row, 0), stride}; }
  Matrix columns(int chunk) const { return {at(0, chunk), stride}; }  // seen from a chunk of columns on
  static int stride_of(int chunks) { return chunks * kChunk + (chunks % 8 == 0 ? 16 : 0); }
  static size_t numbers(int rows, int chunks) { return (size_t)rows * stride_of(chunks); }
};

// The columns of a chunk in one row, as they are kept.
struct Chunk { Vec low, high; };
inline Chunk make(Vec low, Vec high) { return {low, high}; }
inline Vec low(Chunk chunk) { return chunk.low; }
inline Vec high(Chunk chunk) { return chunk.high; }
inline Chunk read(const float* at) { return {load(at), load(at + 16)}; }
inline void write(float* at, Chunk chunk) {
  store(at, chunk.low);
  store(at + 16, chunk.high);
}
inline void put(float* at, Vec low, Vec high) { write(at, {low, high}); }
inline void copy_chunk(float* to, const float* from) { std::memcpy(to, from, kChunk * sizeof(float)); }
inline void clear_chunk(float* at) { put(at, zero(), zero()); }

// Where keys and values of attention go: rows like all others, in slots without gaps. Attention counts from a text's own
// first key (attention_float.hpp).
constexpr int kMostSlots = 1;  // for each token
inline int first_slot(int after, int) { return after; }
struct RowStore {
  Matrix to;
  void put_pair(const int* slots, int chunk, Vec a0, Vec a1, Vec b0, Vec b1) {  // columns of `chunk` of two rows, and their slots
    put(to.at(slots[0], chunk), a0, a1);
    put(to.at(slots[1], chunk), b0, b1);
  }
};
using KeyStore = RowStore;
using ValueStore = RowStore;

inline uint32_t float_bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
inline uint32_t nearest_bf16(float x) {  // to even
  const uint32_t bits = float_bits(x);
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
inline uint32_t weight_pair(float first, float second) {
  const uint32_t low = nearest_bf16(second), bits = float_bits(first), size = bits & 0x7fffffff;
  const uint32_t high = size + 0x8000 < low ? 0 : (size + 0x8000 - low) >> 16;
  return (bits & 0x80000000) | high << 16 | low;
}

inline size_t packed_bytes(int n_out, int n_in) { return (size_t)n_out * n_in * sizeof(bf16); }

inline void pack_weights(const float* w, int n_out, int n_in, void* packed) {
  uint32_t* at = (uint32_t*)packed;
  for (int column = 0; column < n_out; column += kChunk)
    for (int depth = 0; depth < n_in; depth += 32)
      for (int half = 0; half < 32; half += 16)
        for (int pair = 0; pair < 32; pair += 2)
          for (int n = 0; n < 16; ++n) {
            const float* from = w + (size_t)(column + half + n) * n_in + depth + pair;
            *at++ = weight_pair(from[0], from[1]);
          }
}

// Up to kRows rows times 16 columns: sums of row i lie at sums + i * 16-column stride.
struct RowPointers {
  const float* of[4];
  RowPointers(const float* a, size_t stride) : of{a, a + 3 * stride, a + 6 * stride, a + 9 * stride} {}
  void advance(size_t by) { for (const float*& at : of) at += by; }
};
static_assert(kRows <= 12);

template <size_t... I>
struct Sums {
  Vec row[sizeof...(I)];

  void begin(const float* from, size_t stride, bool fresh) {
    if (fresh) ((row[I] = zero()), ...);
    else ((row[I] = loadu(from + I * stride)), ...);
  }
  // A pointer for three rows and one stride reach all of them without a register for each.
  void add(const RowPointers& a, size_t stride, Vec w) { ((row[I] = fma(spread(a.of[I / 3] + I % 3 * stride), w, row[I])), ...); }
  void end(float* to, size_t stride) const { (storeu(to + I * stride, row[I]), ...); }
};
template <class Sequence>
struct SumsOf;
template <size_t... I>
struct SumsOf<std::index_sequence<I...>> { using type = Sums<I...>; };
template <int kCount>
using RowSums = typename SumsOf<std::make_index_sequence<kCount>>::type;

// While rows meet a panel of weights, each block of them fetches its share of the next panel, a few lines of 64 bytes for
// every 32 depths: memory is asked evenly, however many rows there are.
struct Ahead {
  const char* at;
  int lines;

  void fetch_some() {
    for (int i = 0; i < lines; ++i, at += 64) fetch_far(at);
  }
};
// From what is computed to what is fetched into the first-level cache, in 32 depths.
constexpr int kNear = 2;

struct Place { float* sums; size_t stride; bool fresh; };

// kCount rows times half a block of packed weights, over `blocks` of 32 depths.
template <int kCount>
KEEP_APART void weigh(const float* a, size_t a_stride, const bf16* half, int blocks, Place place, Ahead ahead) {
  RowSums<kCount> sums;
  sums.begin(place.sums, place.stride, place.fresh);
  RowPointers rows(a, a_stride);
  for (int block = 0; block < blocks; ++block, half += 2 * kTile) {
    ahead.fetch_some();
    const bf16* w = half;
    for (int pair = 0; pair < 16; ++pair, w += 32) {
      fetch_near(w + kNear * 2 * kTile);
      const Vec even = even_weights(w);
      sums.add(rows, a_stride, even);
      rows.advance(1);
      sums.add(rows, a_stride, odd_weights(even));
      rows.advance(1);
    }
  }
  sums.end(place.sums, place.stride);
}

// The same with float32 weights, 16 columns after each other.
template <int kCount>
KEEP_APART void weigh_plain(const float* a, size_t a_stride, const float* w, int blocks, Place place, Ahead ahead) {
  RowSums<kCount> sums;
  sums.begin(place.sums, place.stride, place.fresh);
  RowPointers rows(a, a_stride);
  for (int block = 0; block < blocks; ++block) {
    ahead.fetch_some();
    for (int k = 0; k < 32; ++k, rows.advance(1), w += 16) {
      fetch_near(w + kNear * kTile);
      sums.add(rows, a_stride, load(w));
    }
  }
  sums.end(place.sums, place.stride);
}

// kCount rows times `columns` columns (a multiple of 16) of other rows. Number k of row r of the left side is at
// a + r * row_step + k * depth_step.
struct Left { const float* at; size_t row_step, depth_step; };
template <int kCount>
KEEP_APART void combine(Left a, const float* w, size_t w_stride, int depth, Place place, int columns) {
  for (int column = 0; column < columns; column += 16) {
    RowSums<kCount> sums;
    sums.begin(place.sums + column, place.stride, place.fresh);
    RowPointers rows(a.at, a.row_step);
    const float* from = w + column;
    for (int k = 0; k < depth; ++k, rows.advance(a.depth_step), from += w_stride) sums.add(rows, a.row_step, loadu(from));
    sums.end(place.sums + column, place.stride);
  }
}

// Calls work(first row, number of rows) for blocks of kRows rows, and for what remains. Two rows have too few sums to keep
// the multipliers busy: eight rows are twice four.
template <class Work>
inline void each_rows(int rows, Work work) {
  int row = 0;
  for (; row + kRows <= rows && rows - row != 8; row += kRows) work(row, std::integral_constant<int, kRows>());
  if (kRows > 6)
    for (; row + 6 <= rows && rows - row != 8; row += 6) work(row, std::integral_constant<int, 6>());
  for (; row + 4 <= rows; row += 4) work(row, std::integral_constant<int, 4>());
  for (; row + 2 <= rows; row += 2) work(row, std::integral_constant<int, 2>());
  if (row < rows) work(row, std::integral_constant<int, 1>());
}

// Which of how many blocks of rows meets a panel.
struct Turn {
  int number, count;
  static Turn of(int row, int rows) {
    const int count = (rows + kRows - 1) / kRows;
    return {row * count / rows, count};
  }
  int lines(int of_panel) const { return (of_panel + count - 1) / count; }
};

// Blocks first .. stop of 32 columns; `stride` blocks of depth lie between one and the next.
struct Weights {
  const bf16* packed;
  int first, stop, stride;

  const bf16* panel(int column_block) const { return packed + (size_t)column_block * stride * 2 * kTile; }
  template <int kCount>
  void weigh_rows(const float* a, size_t a_stride, int column_block, int half, int blocks, Place place, Turn turn) const {
    const int lines = turn.lines(16);
    const bf16* next = panel(column_block + 1) + (size_t)(2 * turn.number + half) * blocks * lines * 32;
    weigh<kCount>(a, a_stride, panel(column_block) + half * kTile, blocks, place, {(const char*)next, lines});
  }
};

// The same in float32, for training: [columns / 32][2 halves][depth][16].
struct PlainWeights {
  const float* packed;
  int first, stop, stride;

  PlainWeights from_depth(int block) const { return {packed + (size_t)block * kTile, first, stop, stride}; }
  PlainWeights from_column(int block) const { return {packed + (size_t)block * stride * 2 * kTile, first, stop, stride}; }
  const float* panel(int column_block, int half) const { return packed + ((size_t)column_block * 2 + half) * stride * kTile; }
  template <int kCount>
  void weigh_rows(const float* a, size_t a_stride, int column_block, int half, int blocks, Place place, Turn turn) const {
    const int lines = turn.lines(32);
    const float* next = panel(column_block + 1, half) + (size_t)turn.number * blocks * lines * 16;
    weigh_plain<kCount>(a, a_stride, panel(column_block, half), blocks, place, {(const char*)next, lines});
  }
};
using StepWeights = PlainWeights;

// finisher.start(row, block of columns, sums) then finisher.pair(p) for each two rows from there on; rows are even.
template <class W, class Finisher>
inline void multiply(Matrix a, int rows, W w, int blocks, float* scratch, Finisher& finisher) {
  for (int group = 0; group < rows; group += kGroupRows) {
    const int stop = rows - group < kGroupRows ? rows - group : kGroupRows;
    for (int nb = w.first; nb < w.stop; ++nb) {
      each_rows(stop, [&](int row, auto count) {
        const float* from = a.at(group + row, 0);
        const Turn turn = Turn::of(row, stop);
        w.template weigh_rows<count()>(from, a.stride, nb, 0, blocks, {scratch, kChunk, true}, turn);
        w.template weigh_rows<count()>(from, a.stride, nb, 1, blocks, {scratch + 16, kChunk, true}, turn);
        finisher.start(group + row, nb, scratch);
        for (int p = 0; 2 * p < count(); ++p) finisher.pair(p);
      });
    }
  }
}

// sums (float rows, `stride` apart) += a * w; `fresh` sums begin at 0 whatever was there.
template <class W>
inline void multiply_add(Matrix a, int rows, W w, int blocks, float* sums, int stride, bool fresh = false) {
  for (int group = 0; group < rows; group += kGroupRows) {
    const int stop = rows - group < kGroupRows ? rows - group : kGroupRows;
    for (int nb = w.first; nb < w.stop; ++nb) {
      each_rows(stop, [&](int row, auto count) {
        const float* from = a.at(group + row, 0);
        const Turn turn = Turn::of(row, stop);
        float* to = sums + (size_t)(group + row) * stride + nb * kChunk;
        w.template weigh_rows<count()>(from, a.stride, nb, 0, blocks, {to, (size_t)stride, fresh}, turn);
        w.template weigh_rows<count()>(from, a.stride, nb, 1, blocks, {to + 16, (size_t)stride, fresh}, turn);
      });
    }
  }
}

constexpr int kChunkTokens = 192;
inline int open_units() { return 0; }
using Units = FlushScope;

// Floating point operations of so many rounds of 2 x kRows independent sums in registers.
inline double spend(int64_t rounds) {
  alignas(64) float numbers[16 * 12];  // twelve rows, whatever kRows is: pointers to all of them are made
  for (int i = 0; i < 16 * kRows; ++i) numbers[i] = 1e-3f * (float)i;
  RowSums<kRows> sums;
  sums.begin(numbers, 16, false);
  const Vec w = load(numbers);
  const RowPointers rows(numbers, 16);
  for (int64_t i = 0; i < rounds; ++i) sums.add(rows, 16, w);
  sums.end(numbers, 16);
  asm volatile("" : : "r"(numbers) : "memory");  // all of them are seen
  return (double)rounds * kRows * 16 * 2;
}

}  // namespace limbeck
