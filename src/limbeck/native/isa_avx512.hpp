// AVX-512: twelve rows of sums of 16 columns. Two such columns at once would save loads; 12 x 1 keeps one kernel for all.
#pragma once
#include "vec_avx512.hpp"
namespace limbeck { constexpr int kRows = 6; }
#include "product_float.hpp"
#include "attention_float.hpp"
