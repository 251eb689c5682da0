// Every operation of sixteen numbers that an instruction set must have, and the functions made of them, one call each.
#include LIMBECK_ISA
#include "dropout.hpp"
#include "functions.hpp"

using namespace limbeck;

namespace {

Vec operate(int operation, const float* x, const float* y, const float* z, Mask mask) {
  const Vec a = load(x), b = loadu(y), c = load(z);
  switch (operation) {
    case 0: return a;
    case 1: return set(x[3]);
    case 2: return spread(x + 5);
    case 3: return zero();
    case 4: return a + b;
    case 5: return a - b;
    case 6: return a * b;
    case 7: return fma(a, b, c);
    case 8: return fms(a, b, c);
    case 9: return fnma(a, b, c);
    case 10: return max(a, b);
    case 11: return min(a, b);
    case 12: return keep(mask, a);
    case 13: return pick(mask, a, b);
    case 14: return pick(above(a, b), set(1.0f), zero());
    case 15: return set(sum(a));
    case 16: return set(top(a));
    case 17: return whole(a);
    case 18: return times_power(a, b);
    case 19: return power_of_two(a);
    case 20: return gelu(a);
    case 21: return gelu_slope(a);
  }
  return zero();
}

}  // namespace

#define SEEN extern "C" __attribute__((visibility("default")))

SEEN int is_exact() { return kExact; }

// For n vectors; results are stored in each of the ways that there are.
SEEN void operate_all(int operation, const float* x, const float* y, const float* z, const uint32_t* masks, int n, float* out) {
  alignas(64) float rows[3][17], result[17];
  for (int i = 0; i < n; ++i) {
    std::memcpy(rows[0], x + 16 * i, 64);
    std::memcpy(rows[1] + 1, y + 16 * i, 64);  // not aligned
    alignas(64) float third[16];
    std::memcpy(third, z + 16 * i, 64);
    const Vec v = operate(operation, rows[0], rows[1] + 1, third, masks[i]);
    if (i % 3 == 0) {
      store(result, v);
      std::memcpy(out + 16 * i, result, 64);
    } else if (i % 3 == 1) {
      storeu(result + 1, v);
      std::memcpy(out + 16 * i, result + 1, 64);
    } else {
      stream(result, v);
      stream_end();
      std::memcpy(out + 16 * i, result, 64);
    }
  }
}

SEEN void turn(const float* from, float* to) {
  alignas(64) float square[16 * 32], turned[16 * 32];
  for (int row = 0; row < 16; ++row) std::memcpy(square + 32 * row, from + 16 * row, 64);
  turn_square(square, 32, turned, 32);
  for (int row = 0; row < 16; ++row) std::memcpy(to + 16 * row, turned + 32 * row, 64);
}

// Two bfloat16 weights of a word become floats.
SEEN void weights(const uint32_t* words, float* even, float* odd) {
  alignas(64) uint16_t pairs[32];
  alignas(64) float first[16], second[16];
  std::memcpy(pairs, words, 64);
  const Vec v = even_weights(pairs);
  store(first, v);
  store(second, odd_weights(v));
  std::memcpy(even, first, 64);
  std::memcpy(odd, second, 64);
}

SEEN uint32_t kept(uint64_t seed, uint32_t threshold, uint32_t site, uint32_t row, uint32_t block) {
  return Dice(seed).at_least(threshold, site, row, block);
}
