// A team: threads that work on the same texts, meeting between steps. A team of one costs nothing.
#pragma once
#include <immintrin.h>
#include <sched.h>
#include <atomic>

namespace limbeck {

constexpr int kPatience = 4000;  // spins before a waiting thread offers its core to others

struct Share { int first, stop; };

struct Meeting {
  std::atomic<int> arrived{0}, round{0};
};

struct Team {
  int rank, size;
  Meeting* meeting;

  // The part of 0..count that this member does.
  Share share(int count) const {
    return {(int)((int64_t)count * rank / size), (int)((int64_t)count * (rank + 1) / size)};
  }

  // Wait until every member is here; what they wrote before is seen after.
  void meet() const {
    if (size == 1) return;
    const int now = meeting->round.load(std::memory_order_acquire);
    if (meeting->arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
      meeting->arrived.store(0, std::memory_order_relaxed);
      meeting->round.store(now + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; meeting->round.load(std::memory_order_acquire) == now; ++spins) {
      if (spins < kPatience) _mm_pause();
      else sched_yield();
    }
  }
};

}  // namespace limbeck
