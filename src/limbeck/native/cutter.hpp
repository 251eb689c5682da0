// Cuts one block of memory into arrays.
#pragma once

namespace limbeck {

struct Cutter {
  char* at;
  template <class T>
  T* take(size_t count) {
    char* here = at;
    at += (count * sizeof(T) + 4095) / 4096 * 4096 + 192;  // arrays start in different cache sets
    return (T*)here;
  }
  Matrix matrix(int rows, int chunks) { return {take<In>(Matrix::numbers(rows, chunks)), Matrix::stride_of(chunks)}; }
};

}  // namespace limbeck
