// What differs from system to system: pages, waiting, processes.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <thread>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(_WIN32)
#include <process.h>
#else
#include <unistd.h>
#endif

namespace limbeck {

// Memory from the start of a large page, without content; null when there is not enough. To be given back by give_pages.
inline void* take_pages(size_t bytes) {
  constexpr size_t kLarge = 1 << 21;
  const size_t whole = (bytes + kLarge - 1) / kLarge * kLarge;
#if defined(_WIN32)
  return _aligned_malloc(whole, kLarge);
#else
  void* pages = std::aligned_alloc(kLarge, whole);
#if defined(__linux__)
  if (pages) madvise(pages, whole, MADV_HUGEPAGE);
#endif
  return pages;
#endif
}

inline void give_pages(void* pages) {
#if defined(_WIN32)
  _aligned_free(pages);
#else
  std::free(pages);
#endif
}

inline long process_id() {
#if defined(_WIN32)
  return _getpid();
#else
  return getpid();
#endif
}

inline void offer_core() { std::this_thread::yield(); }

}  // namespace limbeck
