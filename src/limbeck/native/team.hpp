// A team: threads that work on the same texts, meeting between steps. A team of one costs nothing.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
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

// Let `size` members work, the calling thread among them, with threads made for this call.
template <class Work>
int with_new_threads(int size, Work& work) {
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

// Threads that are kept between calls: one of 65 microseconds' making would be seen in a single text's time. They wait
// for a call, a little while awake and then asleep, and end with the process.
class Pool {
 public:
  // The pool of this process; a process that was forked has none of its parent's threads, so it gets a new one.
  static Pool* of_process() {
    static std::atomic<Pool*> kept{nullptr};
    Pool* pool = kept.load(std::memory_order_acquire);
    while (!pool || pool->process != process_id()) {
      Pool* fresh = new (std::nothrow) Pool;
      if (!fresh) return nullptr;
      if (kept.compare_exchange_strong(pool, fresh)) return fresh;
      delete fresh;
    }
    return pool;
  }

  // Let ranks 1 .. size of a team work beside the calling thread. False when another team has the pool: nothing was done.
  template <class Work>
  bool run(int size, Work& work, int& answer) {
    std::unique_lock<std::mutex> mine(turn, std::try_to_lock);
    if (!mine) return false;
    answer = hire(size - 1);
    if (answer != kDone) return true;
    job = [](void* of, int rank) { (*(Work*)of)(rank); };
    job_of = &work;
    left.store(size - 1, std::memory_order_relaxed);
    {
      std::lock_guard<std::mutex> lock(door);
      call.store(((call.load(std::memory_order_relaxed) >> kSizeBits) + 1) << kSizeBits | (uint64_t)size, std::memory_order_release);
    }
    bell.notify_all();
    work(0);
    for (int spins = 0; left.load(std::memory_order_acquire); ++spins) {
      if (spins < kPatience) pause();
      else offer_core();
    }
    return true;
  }

 private:
  static constexpr int kSizeBits = 16;
  const long process = process_id();
  std::mutex turn, door;
  std::condition_variable bell;
  std::atomic<uint64_t> call{0};  // its number, and the size of its team: a thread outside of a team never looks at its job
  std::atomic<int> left{0};
  int hired = 0;
  void (*job)(void*, int) = nullptr;
  void* job_of = nullptr;

  int hire(int count) {
    try {
      for (; hired < count; ++hired) std::thread(&Pool::serve, this, hired + 1, call.load(std::memory_order_relaxed)).detach();
    } catch (const std::bad_alloc&) {
      return kNoMemory;
    } catch (...) {
      return kNoThreads;
    }
    return kDone;
  }

  void serve(int rank, uint64_t seen) {
    for (;;) {
      for (int spins = 0; spins < kPatience && call.load(std::memory_order_acquire) == seen; ++spins) pause();
      if (call.load(std::memory_order_acquire) == seen) {
        std::unique_lock<std::mutex> lock(door);
        bell.wait(lock, [&] { return call.load(std::memory_order_acquire) != seen; });
      }
      seen = call.load(std::memory_order_acquire);
      if (rank >= (int)(seen & ((1u << kSizeBits) - 1))) continue;
      job(job_of, rank);
      left.fetch_sub(1, std::memory_order_release);
    }
  }
};

// Let `size` members work, the calling thread among them; `work` takes a rank and throws nothing. Nobody begins before
// all are there, so that where the system gives no more threads nothing was done.
template <class Work>
int with_team(int size, Work work) {
  int answer = kDone;
  Pool* pool = size > 1 ? Pool::of_process() : nullptr;
  if (pool && pool->run(size, work, answer)) return answer;
  return with_new_threads(size, work);
}

}  // namespace limbeck
