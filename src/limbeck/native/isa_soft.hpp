// What AMX computes, in plain C++17, for any machine: slow, and what the tests of every machine run.
#pragma once
#include "product_unit_plain.hpp"
#include "product_tiles.hpp"
#include "attention_tiles.hpp"
#include "operands_tiles.hpp"
