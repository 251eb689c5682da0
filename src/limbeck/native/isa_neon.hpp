// Arm's NEON in float32: six rows of sums take 24 of the 32 registers.
#pragma once
#include "vec_neon.hpp"
namespace limbeck { constexpr int kRows = 6; }
#include "product_float.hpp"
#include "attention_float.hpp"
#include "operands_float.hpp"
