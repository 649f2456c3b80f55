// A world with a clock that is set by hand, for what lives on net.h alone.
#pragma once

#include "net/net.h"

namespace rstream::test {

struct fake_net {
  net base;  // first: the operations get a pointer to it
  memory mem{memory_functions_default()};
  uint64_t now_ms = 1000;
  uint64_t wake_at_ms = net_never;
  int wakes_soon = 0;

  static fake_net *of(net *world) { return reinterpret_cast<fake_net *>(world); }

  static uint64_t now_us_of(net *world) { return of(world)->now_ms * 1000; }
  static uint64_t random(net *) { return 4; }
  static void wake_at(net *world, uint64_t due_ms) { of(world)->wake_at_ms = due_ms; }
  static void wake_soon(net *world) { of(world)->wakes_soon++; }

  fake_net() {
    static constexpr net_ops ops = {now_us_of, random,  wake_at, wake_soon,
                                    nullptr,   nullptr, nullptr};
    base.ops = &ops;
    base.mem = &mem;
  }

  void advance(uint64_t ms) {
    now_ms += ms;
    net_run_timers(base);
  }
};

}  // namespace rstream::test
