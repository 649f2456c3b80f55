#pragma once

// A proxy on 127.0.0.1 that treats what passes as bad networks do: late, in pieces,
// slowly, damaged, or not at all. It lives on a loop of the caller's; everything random
// comes from its seed and the number of bytes that passed.

#include <uv.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/random.h"

namespace rstream::test {

struct chaos_options {
  uint32_t delay_ms = 0;   // each way
  uint32_t jitter_ms = 0;  // later by up to this, at random; bytes keep their order
  uint64_t bytes_per_second = 0;  // each way of a connection; 0: no limit
  size_t piece = 0;  // at most so many bytes at once, and once in each turn of the loop;
                     // 0: as they come
  // Of these, on average so many bytes, of both ways together. 0: never.
  uint64_t cut_after = 0;        // then a connection ends, by reset or by FIN
  uint64_t half_open_after = 0;  // then it becomes half-open
  // One bit is changed in so many bytes on average, of those to the target and of those
  // that come from there. 0: none.
  uint64_t flip_one_in_up = 0;
  uint64_t flip_one_in_down = 0;
  uint64_t flip_from = 0;  // so many bytes of each way are spared at first
};

enum class chaos_cut : uint8_t { reset, fin };

struct chaos_counts {
  uint64_t accepted = 0;
  uint64_t refused = 0;  // nobody listened at the target
  uint64_t cuts = 0;     // connections that were ended here
  uint64_t half_opened = 0;
  uint64_t bytes = 0;      // passed on
  uint64_t dropped = 0;    // bytes of half-open connections
  uint64_t flipped = 0;    // bytes
  uint64_t pieces = 0;     // writes
  uint64_t most_held = 0;  // bytes that one way of a connection held at a time
};

struct chaos_session;

struct chaos_proxy {
  uint16_t port = 0;
  uint16_t target = 0;      // on 127.0.0.1
  chaos_options options{};  // heeded by what comes from now on
  chaos_counts counts{};

  uv_loop_t *loop = nullptr;
  uv_tcp_t listener{};
  sim::random random{};
  std::vector<chaos_session *> sessions{};
  bool open = false;
};

// Returns a code of libuv. `port` 0: any that is free.
[[nodiscard]] int chaos_open(chaos_proxy &p, uv_loop_t *loop, uint16_t target,
                             uint64_t seed, uint16_t port = 0);
// Ends the connections that there are, all of them, at once.
void chaos_cut_all(chaos_proxy &p, chaos_cut how);
// From here on they are silent: what comes from either side is dropped, its end included.
void chaos_half_open_all(chaos_proxy &p);
// Ends everything; the loop is run until that is done.
void chaos_close(chaos_proxy &p);

}  // namespace rstream::test
