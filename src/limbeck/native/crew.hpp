// A crew: threads that share out the tasks of each phase and meet at its end. What a task computes does not depend on
// who does it, so the bits are those of one thread; a thread that lost its core for a while gets fewer tasks.
#pragma once
#include <atomic>
#include "team.hpp"

namespace limbeck {

struct Board {
  Meeting meeting;
  std::atomic<int> next[2] = {{0}, {0}};
};

struct Member {
  Team team;
  Board* board;
  int phase = 0;

  // Every member calls this with the same `count`; `work` gets each of 0..count once, in whoever's hands.
  template <class Work>
  void each(int count, Work work) {
    std::atomic<int>& next = board->next[phase & 1];
    for (int task; (task = next.fetch_add(1, std::memory_order_relaxed)) < count;) work(task);
    team.meet();
    // Nobody looks at this counter before the end of the next phase.
    if (team.rank == 0) next.store(0, std::memory_order_relaxed);
    ++phase;
  }
};

}  // namespace limbeck
