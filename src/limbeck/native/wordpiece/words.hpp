// Words: what BertNormalizer and BertPreTokenizer make of a text, character by character.
//
// A character is cleaned away, or put apart (Chinese), or loses its accents, or is made small, in this order, and then
// ends a word (a space), is one (punctuation), or goes on with one.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>
#include "characters.hpp"

namespace limbeck {

// What a tokenizer does with a text, and what follows for single bytes.
class Alphabet {
 public:
  struct Rules { bool clean, chinese, strip, lower; };

  explicit Alphabet(Rules of) : rules(of) {
    for (int byte = ' '; byte < 0x7f; ++byte) {
      const Character& one = characters[(char32_t)byte];
      if (one.kind & kSpace) plain[byte] = kEndsWord;
      else if (one.kind & kPunctuation) plain[byte] = kStandsAlone;
      else plain[byte] = (uint8_t)(byte + (rules.lower ? one.to_lower : 0));
    }
  }

  static constexpr uint8_t kLookCloser = 0, kEndsWord = 1, kStandsAlone = 2;

  const Rules rules;
  const Characters& characters = Characters::all();
  uint8_t plain[256] = {};  // what becomes of a byte of ASCII in a word, or one of the three above
};

// `Take` gets each word: its first byte, its bytes and its characters.
template <class Take>
class Words {
 public:
  Words(const Alphabet& alphabet, Take& take) : alphabet_(alphabet), rules_(alphabet.rules), take_(take) {}

  // Read valid UTF-8. Words and runs of marks end with it.
  void read(const uint8_t* at, const uint8_t* end) {
    make_room((size_t)(end - at));
    while (at < end) {
      // Most of most texts.
      uint8_t* to = word_.get() + bytes_;
      const uint8_t* first = at;
      uint8_t plain = 0;
      while (at < end && (plain = alphabet_.plain[*at]) > Alphabet::kStandsAlone) ++at, *to++ = plain;
      bytes_ += (size_t)(at - first);
      characters_ += (size_t)(at - first);
      if (at == end) break;
      if (plain == Alphabet::kEndsWord) {
        end_word();
        ++at;
      } else if (plain == Alphabet::kStandsAlone) {
        end_word();
        take_(at++, (size_t)1, (size_t)1);
      } else {
        do add(decode(at));
        while (!waiting_.empty() && at < end);
      }
    }
    settle();
    end_word();
  }

 private:
  static constexpr size_t kGrowth = 3;  // bytes written for one that is read, at most (.ci/make_characters.py checks it)
  static constexpr char32_t kIWithDot = 0x130, kDotAbove = 0x307;
  static constexpr char32_t kHangul = 0xac00, kLead = 0x1100, kVowel = 0x1161, kTail = 0x11a7;
  static constexpr uint32_t kSyllables = 11172, kVowels = 21, kTails = 28;
  struct Waiting { uint8_t order; char32_t character; };

  const Alphabet& alphabet_;
  const Alphabet::Rules rules_;
  Take& take_;
  std::unique_ptr<uint8_t[]> word_;
  size_t room_ = 0, bytes_ = 0, characters_ = 0;
  std::vector<Waiting> waiting_;

  void make_room(size_t bytes) {
    const size_t needed = bytes * kGrowth + 4;
    if (needed <= room_) return;
    room_ = 0;
    word_.reset(new uint8_t[needed]);
    room_ = needed;
  }

  static char32_t decode(const uint8_t*& at) {
    const char32_t first = *at++;
    if (first < 0x80) return first;
    const int more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    char32_t character = first & (0x3fu >> more);
    for (int byte = 0; byte < more; ++byte) character = character << 6 | (*at++ & 0x3fu);
    return character;
  }

  void add(char32_t character) {
    const Character& one = alphabet_.characters[character];
    if (rules_.clean && one.kind & kRemoved) return;
    const bool is_apart = rules_.chinese && one.kind & kChinese;
    if (is_apart) add_part(' ');
    if (!rules_.strip) add_part(character);
    else if (one.parts) {
      const char32_t* parts = kStripped + one.parts;
      for (char32_t part = 1; part <= *parts; ++part) add_part(parts[part]);
    } else if (character - kHangul < kSyllables) {
      const uint32_t place = character - kHangul;
      add_part(kLead + place / kTails / kVowels);
      add_part(kVowel + place / kTails % kVowels);
      if (place % kTails) add_part(kTail + place % kTails);
    } else {
      add_part(character);
    }
    if (is_apart) add_part(' ');
  }

  // Accents are marks that are left out. The few marks that stay stand in the order of their classes, so they wait for
  // the end of their run.
  void add_part(char32_t part) {
    if (rules_.strip) {
      const Character& one = alphabet_.characters[part];
      if (one.kind & kMark) return;
      if (one.order) {
        waiting_.push_back({one.order, part});
        return;
      }
      settle();
      if (one.kind & kLoneMark) return;
    }
    add_small(part);
  }

  void settle() {
    if (waiting_.empty()) return;
    std::stable_sort(waiting_.begin(), waiting_.end(), [](Waiting a, Waiting b) { return a.order < b.order; });
    for (const Waiting& one : waiting_) add_small(one.character);
    waiting_.clear();
  }

  void add_small(char32_t character) {
    if (!rules_.lower) return write(character);
    if (character != kIWithDot) return write(character + (char32_t)alphabet_.characters[character].to_lower);
    write('i');
    write(kDotAbove);
  }

  void write(char32_t character) {
    const uint8_t kind = alphabet_.characters[character].kind;
    if (kind & (kSpace | kPunctuation)) end_word();
    if (kind & kSpace) return;
    encode(character);
    ++characters_;
    if (kind & kPunctuation) end_word();
  }

  void encode(char32_t character) {
    uint8_t* to = word_.get() + bytes_;
    const auto tail = [&](int shift) { *to++ = (uint8_t)(0x80 | (character >> shift & 0x3f)); };
    if (character < 0x80) {
      *to++ = (uint8_t)character;
    } else if (character < 0x800) {
      *to++ = (uint8_t)(0xc0 | character >> 6), tail(0);
    } else if (character < 0x10000) {
      *to++ = (uint8_t)(0xe0 | character >> 12), tail(6), tail(0);
    } else {
      *to++ = (uint8_t)(0xf0 | character >> 18), tail(12), tail(6), tail(0);
    }
    bytes_ = (size_t)(to - word_.get());
  }

  void end_word() {
    if (bytes_) take_(word_.get(), bytes_, characters_);
    bytes_ = characters_ = 0;
  }
};

}  // namespace limbeck
