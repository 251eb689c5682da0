// WordPiece: many texts become token ids, each [CLS] … [SEP], as the library `tokenizers` makes them.
//
// What is called is read-only once it is made, so that any number of threads may use it at a time.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <thread>
#include <vector>
#include "trie.hpp"
#include "words.hpp"

#if defined(_WIN32)
#define LIMBECK_API __declspec(dllexport)
#else
#define LIMBECK_API __attribute__((visibility("default")))
#endif

namespace limbeck {

// tokens/wordpiece.py says the same to Python.
struct Tokens {
  const char* bytes;      // end to end
  const int64_t* ends;    // of each
  const int32_t* ids;
  int64_t count;
};

struct Definition {
  Tokens vocabulary;      // of WordPiece
  Tokens added;           // looked for in texts, before anything else
  const char* prefix;     // of tokens that go on with a word
  int64_t prefix_bytes;
  int64_t most_characters;  // of a word that is no unknown one
  int32_t unknown, first, last;  // ids of [UNK], [CLS], [SEP]
  int32_t clean, chinese, strip, lower;
};

struct Texts {
  const uint8_t* bytes;     // end to end, valid UTF-8
  int64_t n_bytes;
  const int64_t* characters;  // of each
  int64_t count;
};

constexpr int64_t kNoMemory = -1;
constexpr int64_t kRun = 16;               // texts that a thread takes at a time
constexpr int64_t kShareBytes = 1 << 15;   // less is no work for a thread

std::vector<Token> listed(const Tokens& tokens) {
  std::vector<Token> list;
  list.reserve((size_t)tokens.count);
  int64_t start = 0;
  for (int64_t at = 0; at < tokens.count; start = tokens.ends[at++])
    if (tokens.ends[at] > start)
      list.push_back({{tokens.bytes + start, (size_t)(tokens.ends[at] - start)}, tokens.ids[at]});
  return list;
}

class WordPiece {
 public:
  explicit WordPiece(const Definition& of)
      : alphabet_(Alphabet::Rules{of.clean != 0, of.chinese != 0, of.strip != 0, of.lower != 0}),
        most_characters_(of.most_characters),
        unknown_(of.unknown),
        first_(of.first),
        last_(of.last) {
    const std::vector<Token> begin = listed(of.vocabulary), added = listed(of.added);
    const std::string_view prefix(of.prefix, (size_t)of.prefix_bytes);
    std::vector<Token> go_on;
    for (const Token& token : begin)
      if (token.bytes.size() > prefix.size() && token.bytes.substr(0, prefix.size()) == prefix)
        go_on.push_back({token.bytes.substr(prefix.size()), token.id});
    for (const Token& token : added) begins_added_[(uint8_t)token.bytes[0]] = true;
    begin_ = tries_.add(begin);
    go_on_ = tries_.add(go_on);
    added_ = tries_.add(added);
  }

  // Texts in any number of threads. Text i lies from starts[i] and may use as much of `ids` as it has bytes, and two;
  // `sizes` says how much it used.
  bool encode(const uint8_t* bytes, const std::vector<int64_t>& starts, int threads, int32_t* ids, int64_t* sizes) const {
    const int64_t count = (int64_t)starts.size() - 1;
    std::atomic<int64_t> next{0};
    std::atomic<bool> failed{false};
    const auto work = [&]() noexcept {
      try {
        int32_t* to = nullptr;
        auto take = [&](const uint8_t* word, size_t n_bytes, size_t characters) { to = cut(word, n_bytes, characters, to); };
        Words<decltype(take)> words(alphabet_, take);
        for (int64_t run; (run = next.fetch_add(kRun, std::memory_order_relaxed)) < count;)
          for (int64_t text = run; text < std::min(count, run + kRun); ++text) {
            int32_t* const own = ids + starts[text] + 2 * text;
            to = own;
            *to++ = first_;
            read(words, bytes + starts[text], bytes + starts[text + 1], to);
            *to++ = last_;
            sizes[text] = to - own;
          }
      } catch (...) {
        failed = true;
      }
    };
    std::vector<std::thread> others;
    try {
      others.reserve((size_t)threads);
      while ((int)others.size() + 1 < threads) others.emplace_back(work);
    } catch (...) {
      // Those that the system gave do all of it.
    }
    work();
    for (std::thread& other : others) other.join();
    return !failed;
  }

 private:
  Tries tries_;
  Alphabet alphabet_;
  int64_t most_characters_;
  int32_t unknown_, first_, last_;
  int32_t begin_, go_on_, added_;  // roots
  bool begins_added_[256] = {};

  // A text between added tokens is read alone, as if it were all there is.
  template <class Reader>
  void read(Reader& words, const uint8_t* at, const uint8_t* end, int32_t*& to) const {
    const uint8_t* start = at;
    while (at < end) {
      if (!begins_added_[*at]) {
        ++at;
        continue;
      }
      const Tries::Match match = tries_.longest(added_, at, end);
      if (match.id < 0) {
        ++at;
        continue;
      }
      words.read(start, at);
      *to++ = match.id;
      start = at += match.bytes;
    }
    words.read(start, end);
  }

  // The longest token that a word begins with, then the longest that goes on with it, to its end; else it is unknown.
  int32_t* cut(const uint8_t* word, size_t bytes, size_t characters, int32_t* const to) const {
    const uint8_t* const end = word + bytes;
    int32_t* next = to;
    if ((int64_t)characters <= most_characters_) {
      for (int32_t root = begin_; word < end; root = go_on_) {
        const Tries::Match match = tries_.longest(root, word, end);
        if (match.id < 0) break;
        *next++ = match.id;
        word += match.bytes;
      }
      if (word == end) return next;
    }
    *to = unknown_;
    return to + 1;
  }
};

// Where each text starts, and the end.
std::vector<int64_t> starts_of(const Texts& texts) {
  std::vector<int64_t> starts((size_t)texts.count + 1);
  for (int64_t text = 0; text < texts.count; ++text) starts[(size_t)text + 1] = starts[(size_t)text] + texts.characters[text];
  if (starts.back() == texts.n_bytes) return starts;
  const auto goes_on = [](uint8_t byte) { return (byte & 0xc0) == 0x80; };
  int64_t at = 0;
  for (int64_t text = 0; text < texts.count; ++text) {
    int64_t left = texts.characters[text];
    // Eight bytes at a time: each character has one byte that does not go on with another.
    for (uint64_t eight; at + 8 <= texts.n_bytes; at += 8) {
      std::memcpy(&eight, texts.bytes + at, 8);
      const uint64_t go_on = eight >> 7 & ~eight >> 6 & 0x0101010101010101u;
      const int64_t begin = 8 - (int64_t)(go_on * 0x0101010101010101u >> 56);
      if (begin > left) break;
      left -= begin;
    }
    while (at < texts.n_bytes && (goes_on(texts.bytes[at]) || left-- > 0)) ++at;
    starts[(size_t)text + 1] = at;
  }
  return starts;
}

}  // namespace limbeck

using namespace limbeck;

extern "C" {

// A tokenizer, which nothing changes any more; null where there is no memory for it.
LIMBECK_API void* limbeck_wordpiece_new(const Definition* of) {
  try {
    return new WordPiece(*of);
  } catch (...) {
    return nullptr;
  }
}

LIMBECK_API void limbeck_wordpiece_free(void* made) { delete (WordPiece*)made; }

// Write the ids of all texts end to end into `ids`, which has room for as many as there are bytes, and two for each
// text; and how many each has into `sizes`. Return how many there are, or kNoMemory.
LIMBECK_API int64_t limbeck_wordpiece_encode(const void* made, const Texts* texts, int32_t threads, int32_t* ids, int64_t* sizes) {
  try {
    const std::vector<int64_t> starts = starts_of(*texts);
    const int64_t useful = std::min((int64_t)threads, 1 + texts->n_bytes / kShareBytes);
    if (!((const WordPiece*)made)->encode(texts->bytes, starts, (int)useful, ids, sizes)) return kNoMemory;
    int64_t total = 0;
    for (int64_t text = 0; text < texts->count; total += sizes[text++])
      std::memmove(ids + total, ids + starts[(size_t)text] + 2 * text, (size_t)sizes[text] * sizeof *ids);
    return total;
  } catch (...) {
    return kNoMemory;
  }
}
}
