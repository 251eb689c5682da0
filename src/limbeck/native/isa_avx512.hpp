// AVX-512: 24 rows of sums and one of weights of its 32 registers would do; twelve need no more loads and fit short texts.
#pragma once
#include "vec_avx512.hpp"
namespace limbeck { constexpr int kRows = 12; }
#include "product_float.hpp"
#include "attention_float.hpp"
#include "operands_float.hpp"
