// WordPiece outside Python, for sanitizers: drawn texts of valid UTF-8 through every kind of tokenizer, in arrays that
// end where their content ends. The ids are compared with those of each text alone; that they are the right ones is
// shown by tests/tokens/test_wordpiece.py.
#include <cstdio>
#include <random>
#include <string>
#include "wordpiece/wordpiece.cpp"

namespace {

std::mt19937_64 chance(7);

size_t below(size_t stop) { return (size_t)(chance() % stop); }

void append(std::string& text, char32_t character) {
  if (character < 0x80) {
    text += (char)character;
    return;
  }
  const int more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
  text += (char)((more == 1 ? 0xc0 : more == 2 ? 0xe0 : 0xf0) | character >> 6 * more);
  for (int byte = more - 1; byte >= 0; --byte) text += (char)(0x80 | (character >> 6 * byte & 0x3f));
}

char32_t drawn() {
  constexpr char32_t firsts[] = {0, ' ', 'a', 0xc0, 0x300, 0x302a, 0x1b44, 0xac00, 0x1100, 0x4e00, 0x1d15e, 0x2f800, 0x200b, 0};
  constexpr size_t counts[] = {0x80, 1, 26, 0x200, 0x70, 6, 1, 11172, 0x100, 200, 20, 500, 40, 0x110000};
  const size_t kind = below(sizeof counts / sizeof *counts);
  const char32_t one = firsts[kind] + (char32_t)below(counts[kind]);
  return one >= 0xd800 && one < 0xe000 ? 0xe000 : one;
}

std::string drawn_text() {
  std::string text;
  const size_t kind = below(40), times = kind == 0 ? 3000 : below(60);
  const char32_t same = drawn();
  for (size_t at = 0; at < times; ++at) {
    if (below(30) == 0) text += "[SEP]";
    append(text, kind == 0 ? same : drawn());
  }
  return text;
}

struct Listed {
  std::string bytes;
  std::vector<int64_t> ends;
  std::vector<int32_t> ids;
  void add(const std::string& token) {
    bytes += token;
    ends.push_back((int64_t)bytes.size());
    ids.push_back((int32_t)ids.size());
  }
  Tokens tokens() const { return {bytes.data(), ends.data(), ids.data(), (int64_t)ids.size()}; }
};

int64_t characters_in(const std::string& text) {
  int64_t count = 0;
  for (char byte : text) count += ((uint8_t)byte & 0xc0) != 0x80;
  return count;
}

std::vector<std::vector<int32_t>> ids_of(const void* made, const std::vector<std::string>& texts, int threads) {
  std::string all;
  std::vector<int64_t> characters, sizes(texts.size());
  for (const std::string& text : texts) all += text, characters.push_back(characters_in(text));
  std::vector<uint8_t> bytes(all.begin(), all.end());  // no zero behind them
  std::vector<int32_t> ids(bytes.size() + 2 * texts.size());
  const Texts given{bytes.data(), (int64_t)bytes.size(), characters.data(), (int64_t)texts.size()};
  limbeck_wordpiece_encode(made, &given, threads, ids.data(), sizes.data());
  std::vector<std::vector<int32_t>> found;
  const int32_t* at = ids.data();
  for (int64_t size : sizes) found.emplace_back(at, at + size), at += size;
  return found;
}

}  // namespace

int main() {
  int faults = 0;
  Listed vocabulary, added;
  for (const char* token : {"[UNK]", "[CLS]", "[SEP]", "##", "ab", "##ab", "a", "##a", "\xc3\xa9", "##\xc3\xa9"}) vocabulary.add(token);
  for (char32_t one = 0x1100; one < 0x1200; ++one) {
    std::string jamo;
    append(jamo, one);
    vocabulary.add(jamo), vocabulary.add("##" + jamo);
  }
  for (const char* token : {"[SEP]", "[SEP][SEP]", "\xea\xb0\x81"}) added.add(token);
  for (int rules = 0; rules < 16; ++rules) {
    const auto rule = [&](int bit) { return rules >> bit & 1; };
    const Definition definition{vocabulary.tokens(), added.tokens(), "##", 2, 100, 0, 1, 2, rule(0), rule(1), rule(2), rule(3)};
    void* made = limbeck_wordpiece_new(&definition);
    for (int round = 0; round < 20; ++round) {
      std::vector<std::string> texts(below(120));
      for (std::string& text : texts) text = drawn_text();
      const auto together = ids_of(made, texts, 3);
      for (size_t at = 0; at < texts.size(); ++at)
        if (ids_of(made, {texts[at]}, 1)[0] != together[at]) ++faults;
    }
    limbeck_wordpiece_free(made);
  }
  std::printf("wordpiece: 16 kinds of tokenizers, %d texts with other ids alone than among others\n", faults);
  return faults ? 1 : 0;
}
