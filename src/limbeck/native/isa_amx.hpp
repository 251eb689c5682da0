// AMX: bfloat16 products in tile registers, everything else on AVX-512.
#pragma once
#include "unit_amx.hpp"
#include "product_tiles.hpp"
#include "attention_tiles.hpp"
