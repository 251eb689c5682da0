// Every operation of thirty-two bfloat16 numbers that an instruction set of tiles must have, for n rows each.
#include LIMBECK_ISA
#include <cstring>

using namespace limbeck;

#define SEEN extern "C" __attribute__((visibility("default")))

namespace {

// Numbers where operations want them: from the start of a cache line.
template <class T, int kCount>
struct alignas(64) Line {
  T at[kCount];
  Line() = default;
  explicit Line(const T* from) { std::memcpy(at, from, sizeof at); }
};
using Row = Line<bf16, 32>;

Halves operate(int operation, Halves x, Halves y) {
  switch (operation) {
    case 0: return x;
    case 1: return mix_low(x, y);
    case 2: return mix_high(x, y);
  }
  return no_halves();
}

void keep_row(Halves row, uint16_t* out, bool streamed) {
  Row kept;
  if (streamed) stream_halves(kept.at, row), stream_end();
  else store_halves(kept.at, row);
  std::memcpy(out, kept.at, 64);
}

}  // namespace

SEEN void operate_halves(int operation, const uint16_t* x, const uint16_t* y, int n, uint16_t* out) {
  for (int i = 0; i < n; ++i) {
    const Row a(x + 32 * i), b(y + 32 * i);
    keep_row(operate(operation, load_halves(a.at), load_halves(b.at)), out + 32 * i, i % 2);
  }
}

SEEN void narrow(const float* x, int n, uint16_t* out) {
  for (int i = 0; i < n; ++i) keep_row(to_halves(loadu(x + 32 * i), loadu(x + 32 * i + 16)), out + 32 * i, false);
}

SEEN void widen(const uint16_t* x, int n, float* out) {
  for (int i = 0; i < n; ++i) {
    const Row a(x + 32 * i);
    storeu(out + 32 * i, low_floats(load_halves(a.at)));
    storeu(out + 32 * i + 16, high_floats(load_halves(a.at)));
  }
}

SEEN void turn_rows(uint16_t* square) {
  Halves rows[16];
  for (int i = 0; i < 16; ++i) rows[i] = load_halves(Row(square + 32 * i).at);
  turn_pairs(rows);
  for (int i = 0; i < 16; ++i) keep_row(rows[i], square + 32 * i, false);
}

SEEN void add_up(const float* sums, const uint16_t* x, int n, float* out) {
  for (int i = 0; i < n; ++i) storeu(out + 16 * i, add_pairs(loadu(sums + 16 * i), load_halves(Row(x + 32 * i).at)));
}

SEEN int place_of(int pair) { return pair_row(pair); }

// Scores of 32 keys a row, in 128ths of an octave; `totals` are added to.
SEEN void exponentiate(const float* scores, float offset, const uint32_t* masks, const uint8_t* mantissas, int n, float* totals, uint16_t* out) {
  const Line<uint8_t, 128> table(mantissas);
  const Powers wanted(table.at);
  for (int i = 0; i < n; ++i) {
    const Line<float, 32> keys(scores + 32 * i);
    Vec total = loadu(totals + 16 * i);
    keep_row(powers(keys.at, keys.at + 16, set(offset), masks[i], wanted, total), out + 32 * i, false);
    storeu(totals + 16 * i, total);
  }
}
