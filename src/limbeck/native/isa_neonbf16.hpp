// Arm with products of bfloat16 pairs: AMX's layouts, blocks of sums in vector registers.
#pragma once
#include "product_unit_bfdot.hpp"
#include "product_tiles.hpp"
#include "attention_tiles.hpp"
#include "operands_tiles.hpp"
