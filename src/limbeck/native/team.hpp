// A team: threads that work on the same texts, meeting between steps. A team of one costs nothing.
#pragma once
#include <atomic>
#include <new>
#include <thread>
#include <vector>
#include "os.hpp"

namespace limbeck {

constexpr int kPatience = 4000;  // spins before a waiting thread offers its core to others

// What a function of a library answers; no exception ever leaves one.
enum Answer { kDone = 0, kNoMemory = 1, kNoThreads = 2 };

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
      if (spins < kPatience) pause();
      else offer_core();
    }
  }
};

// Let `size` members work, the calling thread among them; `work` takes a rank and throws nothing. Nobody begins before
// all are there, so that where the system gives no more threads nothing was done.
template <class Work>
int with_team(int size, Work work) {
  std::atomic<int> sign{0};  // 1: begin, -1: go home
  auto be_member = [&](int rank) noexcept {
    while (!sign.load(std::memory_order_acquire)) offer_core();
    if (sign.load(std::memory_order_acquire) > 0) work(rank);
  };
  std::vector<std::thread> others;
  int answer = kDone;
  try {
    others.reserve((size_t)(size - 1));
    for (int rank = 1; rank < size; ++rank) others.emplace_back(be_member, rank);
  } catch (const std::bad_alloc&) {
    answer = kNoMemory;
  } catch (...) {
    answer = kNoThreads;
  }
  sign.store(answer == kDone ? 1 : -1, std::memory_order_release);
  if (answer == kDone) work(0);
  for (std::thread& other : others) other.join();
  return answer;
}

}  // namespace limbeck
