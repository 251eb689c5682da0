// AMX: bfloat16 products in tile registers, everything else on AVX-512.
#pragma once
#include "product_unit_amx.hpp"
#include "product_tiles.hpp"
#include "attention_tiles.hpp"
#include "operands_tiles.hpp"
