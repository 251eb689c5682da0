// Compares libraries of kernels with a reference, without Python: under an emulator, or with sanitizers.
//
// In: how many more cases to draw, and paths of libraries, the reference first. Out: a line for each library, and one for
// each comparison that is too far off, which makes the program end with 1. Encoders are tiny and drawn at random, texts of
// many lengths; the encoder and the training step are asked, with dropout, whose masks must be the same, and without, with
// one thread and with more, whose number must change no bit of hidden states. Nor may the encoder's texts that are beside one.
#include <dlfcn.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>
#include "api.hpp"

using namespace limbeck;

template <class F>
static F function_of(void* handle, const char* name) {
  void* function = dlsym(handle, name);
  if (!function) std::printf("no %s\n", name), std::exit(1);
  return (F)function;
}

#define FUNCTION(name) decltype(&limbeck_##name) name = function_of<decltype(&limbeck_##name)>(handle, "limbeck_" #name)

struct Library {
  std::string path;
  void* handle;
  FUNCTION(abi);
  FUNCTION(open);
  FUNCTION(about);
  FUNCTION(peak);
  FUNCTION(packed_bytes);
  FUNCTION(pack);
  FUNCTION(workplace);
  FUNCTION(leave);
  FUNCTION(encode);
  FUNCTION(step_new);
  FUNCTION(step_free);
  FUNCTION(step_pack);
  FUNCTION(step_forward);
  FUNCTION(step_backward);
  About facts;

  explicit Library(const char* path) : path(path), handle(opened(path)) {
    if (abi() != kAbi || open() != 0) std::printf("%s cannot be opened\n", path), std::exit(1);
    about(&facts);
  }

 private:
  static void* opened(const char* path) {
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) std::printf("%s\n", dlerror()), std::exit(1);
    return handle;
  }
};

// Numbers that are the same everywhere.
struct Drawn {
  uint64_t state;
  explicit Drawn(uint64_t seed) : state(seed * 2654435761u + 12345) {}
  uint32_t next() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
  }
  float uniform(float from, float to) { return from + (to - from) * (float)(next() % 65536) / 65536.0f; }
  int below(int most) { return (int)(next() % (uint32_t)most); }
};

using Numbers = std::vector<float>;

// An encoder's weights as torch has them, in the order of the training step.
struct Encoder {
  Sizes sizes;
  int vocabulary, positions;
  std::vector<Numbers> tensors;
  std::vector<const float*> addresses;

  Encoder(Sizes s, int vocabulary, int positions, Drawn& drawn) : sizes(s), vocabulary(vocabulary), positions(positions) {
    const int d = s.dim, h = s.hidden_dim;
    add(drawn, (size_t)vocabulary * d, 1.0f), add(drawn, (size_t)positions * d, 0.5f), add_norm(drawn, d);
    for (int l = 0; l < s.n_layers; ++l) {
      for (int product = 0; product < 4; ++product) add_linear(drawn, d, d);
      add_norm(drawn, d), add_linear(drawn, h, d), add_linear(drawn, d, h), add_norm(drawn, d);
    }
    for (const Numbers& tensor : tensors) addresses.push_back(tensor.data());
  }
  const Numbers& of(int layer, int tensor) const { return tensors[(size_t)(4 + 16 * layer + tensor)]; }

 private:
  void add(Drawn& drawn, size_t count, float most, float middle = 0.0f) {
    Numbers numbers(count);
    for (float& number : numbers) number = middle + drawn.uniform(-most, most);
    tensors.push_back(numbers);
  }
  void add_norm(Drawn& drawn, int width) { add(drawn, (size_t)width, 0.3f, 1.0f), add(drawn, (size_t)width, 0.3f); }
  void add_linear(Drawn& drawn, int n_out, int n_in) {
    add(drawn, (size_t)n_out * n_in, 2.0f / std::sqrt((float)n_in)), add(drawn, (size_t)n_out, 0.2f);
  }
};

struct Words {
  std::vector<int32_t> ids, offsets;
  std::vector<int64_t> long_offsets, rows;

  Words(const std::vector<int>& lengths, int vocabulary, Drawn& drawn) : offsets{0}, long_offsets{0} {
    for (int length : lengths) {
      for (int t = 0; t < length; ++t) ids.push_back(drawn.below(vocabulary));
      rows.push_back((int64_t)rows.size());
      offsets.push_back((int32_t)ids.size());
      long_offsets.push_back((int64_t)ids.size());
    }
  }
};

// Memory from the start of a cache line, as weights are packed into.
struct Packed {
  std::vector<char> room;
  void* at;
  explicit Packed(int64_t bytes) : room((size_t)bytes + 64), at((void*)(((uintptr_t)room.data() + 63) / 64 * 64)) {}
  Packed(Packed&&) = default;
};

static int comparisons = 0, failures = 0;

static void judge(const Library& library, const char* what, double apart, double most) {
  const bool fine = apart <= most;  // a number that is none is not fine
  ++comparisons;
  failures += !fine;
  if (!fine) std::printf("%s, %s: off by %.2e, at most %.0e\n", library.path.c_str(), what, apart, most);
}

// The norm of the difference over that of the second.
static double apart(const Numbers& left, const Numbers& right) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    difference += ((double)left[i] - right[i]) * ((double)left[i] - right[i]);
    size += (double)right[i] * right[i];
  }
  return std::sqrt(difference / (size > 0 ? size : 1));
}

static bool same_bits(const Numbers& left, const Numbers& right) {
  return left.size() == right.size() && !std::memcmp(left.data(), right.data(), left.size() * 4);
}

// Hidden states of all texts, so many of them at a time.
static Numbers encoded(const Library& library, const Encoder& encoder, const Words& words, const std::vector<Block>& blocks, int threads,
                       size_t together) {
  const Sizes s = encoder.sizes;
  std::vector<Packed> kept;
  auto pack = [&](const Numbers& weights, int n_out, int n_in) {
    kept.emplace_back(library.packed_bytes(n_out, n_in));
    library.pack(weights.data(), n_out, n_in, kept.back().at);
    return (const uint16_t*)kept.back().at;
  };
  const float scale = library.facts.score_unit * 1.44269504f / std::sqrt((float)(s.dim / s.n_heads));
  std::vector<Layer> layers;
  std::vector<Numbers> biases((size_t)s.n_layers);
  for (int l = 0; l < s.n_layers; ++l) {
    Numbers qkv;
    for (int part : {0, 2, 4})
      for (float weight : encoder.of(l, part)) qkv.push_back(weight * (part ? 1.0f : scale));
    for (int part : {1, 3, 5})
      for (float bias : encoder.of(l, part)) biases[l].push_back(bias * (part == 1 ? scale : 1.0f));
    layers.push_back({pack(qkv, 3 * s.dim, s.dim), pack(encoder.of(l, 6), s.dim, s.dim),
                      pack(encoder.of(l, 10), s.hidden_dim, s.dim), pack(encoder.of(l, 12), s.dim, s.hidden_dim),
                      biases[l].data(), encoder.of(l, 7).data(), encoder.of(l, 11).data(), encoder.of(l, 13).data(),
                      {encoder.of(l, 8).data(), encoder.of(l, 9).data()}, {encoder.of(l, 14).data(), encoder.of(l, 15).data()}});
  }
  const Model model{s.dim, s.n_heads, s.hidden_dim, s.n_layers, s.gelu, s.epsilon, encoder.tensors[0].data(), encoder.tensors[1].data(),
                    {encoder.tensors[2].data(), encoder.tensors[3].data()}, layers.data()};
  Numbers out(words.rows.size() * blocks.size() * (size_t)s.dim);
  const Features features{blocks.data(), (int32_t)blocks.size(), out.data()};
  void* place = library.workplace(&model, (int32_t)words.ids.size(), threads);
  for (size_t first = 0; first < words.rows.size(); first += together) {
    const size_t count = std::min(together, words.rows.size() - first);
    const Texts texts{words.ids.data(), words.long_offsets.data(), words.rows.data() + first, (int32_t)count};
    if (!place || library.encode(&model, place, threads, &texts, &features)) std::printf("no memory\n"), std::exit(1);
  }
  library.leave(place);
  return out;
}

struct Trained { Numbers states, gradients; };

static Trained trained(const Library& library, const Encoder& encoder, const Words& words, bool firsts_only, float dropout, int threads) {
  const Sizes s = encoder.sizes;
  void* step = library.step_new(&s);
  if (!step || library.step_pack(step, encoder.addresses.data(), threads)) std::printf("no memory\n"), std::exit(1);
  const std::vector<uint32_t> thresholds((size_t)(1 + 2 * s.n_layers), (uint32_t)(dropout * 65536));
  const size_t rows = firsts_only ? words.rows.size() : words.ids.size();
  Trained result{Numbers(rows * (size_t)s.dim), {}};
  const Batch batch{words.ids.data(), words.offsets.data(), encoder.addresses.data(), thresholds.data(), 77,
                    (int32_t)words.rows.size(), firsts_only, 1};
  if (library.step_forward(step, &batch, threads, result.states.data())) std::printf("no memory\n"), std::exit(1);
  Drawn drawn(5);
  Numbers back(result.states.size());
  for (float& number : back) number = drawn.uniform(-1, 1);
  std::vector<Numbers> gradients;
  for (const Numbers& tensor : encoder.tensors) gradients.emplace_back(tensor.size());
  std::vector<float*> addresses;
  for (Numbers& gradient : gradients) addresses.push_back(gradient.data());
  const Gradients wanted{addresses.data(), 0};
  if (library.step_backward(step, encoder.addresses.data(), back.data(), &wanted)) std::printf("no memory\n"), std::exit(1);
  library.step_free(step);
  for (const Numbers& gradient : gradients) result.gradients.insert(result.gradients.end(), gradient.begin(), gradient.end());
  return result;
}

static void compare(const Library& library, const Library& reference, const Encoder& encoder, const Words& words, const char* what, int threads) {
  static bool drops_firsts = false;
  drops_firsts = !drops_firsts;
  const double most = library.facts.is_bf16 || reference.facts.is_bf16 ? 3e-2 : 2e-5;
  std::vector<Block> every, first{{encoder.sizes.n_layers, kFirst}};
  for (int layer = 0; layer <= encoder.sizes.n_layers; ++layer)
    for (Kind kind : {kFirst, kMean, kMax}) every.push_back({layer, kind});
  for (const std::vector<Block>& blocks : {every, first}) {
    const size_t all = words.rows.size();
    const Numbers one = encoded(library, encoder, words, blocks, 1, all);
    judge(library, what, apart(one, encoded(reference, encoder, words, blocks, 1, all)), most);
    judge(library, "the same bits with more threads", !same_bits(one, encoded(library, encoder, words, blocks, threads, all)), 0);
    judge(library, "the same bits alone", !same_bits(one, encoded(library, encoder, words, blocks, 1, 1)), 0);
    judge(library, "the same bits in threes", !same_bits(one, encoded(library, encoder, words, blocks, 1, 3)), 0);
  }
  for (bool firsts_only : {true, false}) {
    // Each way of the four in every second case.
    const float dropout = firsts_only == drops_firsts ? 0.25f : 0.0f;
    const Trained one = trained(library, encoder, words, firsts_only, dropout, 1);
    const Trained other = trained(reference, encoder, words, firsts_only, dropout, 1);
    // Masks that differ in one bit would be far beyond this.
    judge(library, dropout > 0 ? "hidden states with dropout" : "hidden states", apart(one.states, other.states), most);
    judge(library, dropout > 0 ? "gradients with dropout" : "gradients", apart(one.gradients, other.gradients), 5 * most);
    const Trained more = trained(library, encoder, words, firsts_only, dropout, threads);
    judge(library, "the same bits with more threads", !same_bits(one.states, more.states), 0);
    judge(library, "gradients with more threads", apart(more.gradients, one.gradients), 2 * most);
    if (firsts_only) continue;
    const Trained again = trained(library, encoder, words, firsts_only, dropout, threads);
    judge(library, "gradients with as many threads again", !same_bits(again.gradients, more.gradients), 0);
  }
}

int main(int count, char** words) {
  if (count < 3) return 2;
  const int draws = std::atoi(words[1]);
  const Library reference(words[2]);
  for (int place = count > 3 ? 3 : 2; place < count; ++place) {
    const Library library(words[place]);
    comparisons = 0;
    if (!(library.peak(1000) > 0)) judge(library, "a peak", 1, 0);
    Drawn drawn(3);
    const struct { const char* what; Sizes sizes; std::vector<int> lengths; } all[] = {
        {"two heads", {64, 2, 96, 2, 1, 1e-12f}, {2, 3, 15, 16, 17, 33, 5}},
        {"narrow heads, ReLU", {96, 3, 160, 1, 0, 1e-12f}, {1, 1, 32, 31}},
        {"one wide head", {64, 1, 64, 2, 1, 1e-12f}, {7}}};
    for (const auto& one : all) {
      const Encoder encoder(one.sizes, 50, 70, drawn);
      compare(library, reference, encoder, Words(one.lengths, 50, drawn), one.what, 3);
    }
    for (int draw = 0; draw < draws; ++draw) {
      const int heads = 1 + drawn.below(2), width = 32 * (1 + drawn.below(2));
      const Encoder encoder({heads * width, heads, 32 * (1 + drawn.below(4)), 1 + drawn.below(2), drawn.below(2), 1e-12f}, 50, 150, drawn);
      std::vector<int> lengths((size_t)(1 + drawn.below(10)));
      for (int& length : lengths) length = 1 + drawn.below(drawn.below(6) ? 20 : 150);
      compare(library, reference, encoder, Words(lengths, 50, drawn), "drawn", 2 + drawn.below(4));
    }
    std::printf("%s beside %s: %d comparisons\n", library.path.c_str(), reference.path.c_str(), comparisons);
  }
  std::printf("%d too far off\n", failures);
  return failures ? 1 : 0;
}
