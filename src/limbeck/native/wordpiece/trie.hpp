// Tries: the longest token with which some bytes begin.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace limbeck {

struct Token {
  std::string_view bytes;
  int32_t id;
};

// Several tries in one double array: the child of `node` by a byte is at `base + byte` if that unit names it as parent.
//
// Source: Aoe, "An Efficient Digital Search Algorithm by Using a Double-Array Structure" (1989).
class Tries {
 public:
  struct Match { int32_t id; size_t bytes; };  // no token: -1

  // Add a trie of these tokens, none twice and none empty; return its root. There may be no tokens at all.
  int32_t add(std::vector<Token> tokens) {
    std::sort(tokens.begin(), tokens.end(), [](const Token& a, const Token& b) { return a.bytes < b.bytes; });
    const int32_t root = next_free();
    take(root, kNobody);
    std::vector<Group> waiting;
    if (!tokens.empty()) waiting.push_back({root, 0, tokens.size(), 0});
    while (!waiting.empty()) {
      const Group group = waiting.back();
      waiting.pop_back();
      add_children(tokens, group, waiting);
    }
    return root;
  }

  Match longest(int32_t root, const uint8_t* first, const uint8_t* end) const {
    Match best{-1, 0};
    int32_t node = root;
    for (const uint8_t* at = first; at < end;) {
      const int32_t child = units_[node].base + *at++;
      if (units_[child].parent != node) break;
      node = child;
      if (units_[node].id >= 0) best = {units_[node].id, (size_t)(at - first)};
    }
    return best;
  }

 private:
  static constexpr size_t kBytes = 256;
  static constexpr int32_t kNobody = INT32_MAX;
  struct Unit { int32_t base = 0, parent = -1, id = -1; };
  struct Group { int32_t node; size_t first, stop, depth; };  // tokens that have their first `depth` bytes in common

  std::vector<Unit> units_ = std::vector<Unit>(kBytes);  // as many more as there are bytes: a base needs no check
  int32_t free_ = kBytes;  // none from here to it is free; before here no base would serve every byte

  bool is_free(int32_t unit) const { return (size_t)unit >= units_.size() || units_[unit].parent < 0; }

  int32_t next_free() {
    while (!is_free(free_)) ++free_;
    return free_;
  }

  void take(int32_t unit, int32_t parent) {
    if ((size_t)unit + kBytes >= units_.size()) units_.resize(((size_t)unit + kBytes) * 3 / 2);
    units_[unit].parent = parent;
  }

  void add_children(const std::vector<Token>& tokens, Group group, std::vector<Group>& waiting) {
    // The shortest comes first, and may end here.
    if (tokens[group.first].bytes.size() == group.depth) units_[group.node].id = tokens[group.first++].id;
    std::vector<Group> children;
    std::vector<uint8_t> bytes;
    for (size_t at = group.first; at < group.stop; ++at) {
      const uint8_t byte = (uint8_t)tokens[at].bytes[group.depth];
      if (bytes.empty() || bytes.back() != byte) {
        bytes.push_back(byte);
        children.push_back({0, at, at, group.depth + 1});
      }
      children.back().stop = at + 1;
    }
    if (children.empty()) return;
    const int32_t base = base_for(bytes);
    units_[group.node].base = base;
    for (size_t at = 0; at < children.size(); ++at) {
      children[at].node = base + bytes[at];
      take(children[at].node, group.node);
      waiting.push_back(children[at]);
    }
  }

  // Where all children find a free unit.
  int32_t base_for(const std::vector<uint8_t>& bytes) {
    for (int32_t unit = std::max(next_free(), (int32_t)bytes[0]);; ++unit) {
      const int32_t base = unit - bytes[0];
      if (std::all_of(bytes.begin(), bytes.end(), [&](uint8_t byte) { return is_free(base + byte); })) return base;
    }
  }
};

}  // namespace limbeck
