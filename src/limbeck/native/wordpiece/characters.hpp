// Characters: what each one is to a BERT tokenizer, as the library `tokenizers` has it.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>
#include "character_ranges.hpp"

namespace limbeck {

enum Kind : uint8_t {
  kSpace = 1,
  kPunctuation = 2,
  kRemoved = 4,   // where texts are cleaned
  kChinese = 8,
  kMark = 16,     // goes with accents
  kLoneMark = 32  // likewise, and what stands on its two sides is not put in order
};

struct Character {
  uint8_t kind = 0;
  uint8_t order = 0;     // of what waits in a run of marks without being one that goes; 0 for all else
  uint16_t parts = 0;    // where in kStripped the number of its parts stands; 0 where it has no others than itself
  int32_t to_lower = 0;  // added to it
};

// A table of all characters, in blocks; those that are equal are kept once: 300 KB.
class Characters {
 public:
  // The table of this process, made on first use and never freed: a thread may read it when the process ends.
  static const Characters& all() {
    static const Characters* made = new Characters;
    return *made;
  }

  const Character& operator[](char32_t character) const {
    return kept_[(size_t)block_of_[character / kBlock] * kBlock + character % kBlock];
  }

 private:
  static constexpr size_t kBlock = 128, kCount = 0x110000;
  std::vector<uint16_t> block_of_;
  std::vector<Character> kept_;

  template <size_t n>
  static void mark(std::vector<Character>& flat, const Range (&ranges)[n], Kind kind) {
    for (const Range& range : ranges)
      for (char32_t one = range.first; one <= range.last; ++one) flat[one].kind |= kind;
  }

  Characters() : block_of_(kCount / kBlock) {
    std::vector<Character> flat(kCount);
    mark(flat, kSpaces, kSpace);
    mark(flat, kPunctuations, kPunctuation);
    mark(flat, kRemovals, kRemoved);
    mark(flat, kChineses, kChinese);
    mark(flat, kMarks, kMark);
    mark(flat, kLoneMarks, kLoneMark);
    for (const Order& one : kOrders) flat[one.character].order = one.order;
    for (const Move& move : kLowers)
      for (char32_t one = move.first; one <= move.last; one += (char32_t)move.step) flat[one].to_lower = move.to;
    constexpr size_t end = sizeof kStripped / sizeof *kStripped;
    for (size_t at = 1; at < end; at += 2 + kStripped[at + 1]) flat[kStripped[at]].parts = (uint16_t)(at + 1);
    std::map<std::string, uint16_t> places;
    for (size_t block = 0; block < block_of_.size(); ++block) {
      const Character* first = &flat[block * kBlock];
      const std::string content((const char*)first, kBlock * sizeof(Character));
      const auto [found, is_new] = places.emplace(content, (uint16_t)places.size());
      if (is_new) kept_.insert(kept_.end(), first, first + kBlock);
      block_of_[block] = found->second;
    }
  }
};

}  // namespace limbeck
