// AVX2 with FMA: six rows of sums and one of weights fill the sixteen registers.
#pragma once
#include "vec_avx2.hpp"
namespace limbeck { constexpr int kRows = 6; }
#include "product_float.hpp"
#include "attention_float.hpp"
#include "operands_float.hpp"
