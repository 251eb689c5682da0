// What every unit that multiplies blocks of tiles takes and gives.
#pragma once

namespace limbeck {

constexpr int kTile = 16 * 32;  // bf16 numbers in a tile

struct Panel { const bf16* tiles; size_t step; };            // two pairs tiles a step
struct Place { float* sums; size_t stride; bool fresh; };

}  // namespace limbeck
