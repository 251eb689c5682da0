// Plain C++17, for any machine: slow, and what the tests of every machine run.
#pragma once
#include "vec_portable.hpp"
namespace limbeck { constexpr int kRows = 6; }
#include "product_float.hpp"
#include "attention_float.hpp"
#include "operands_float.hpp"
