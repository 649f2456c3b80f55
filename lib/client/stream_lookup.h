#pragma once

// Finds the node to connect to for a stream: asks the locator for Metadata, and again
// while the stream has no leader or is not available, until the request time-out has
// passed. Those that look for the same stream at the same time share one question.

#include "client/locator.h"

namespace rstream {

enum class node_choice : uint8_t {
  leader,          // producers by default
  replica,         // consumers by default: one at random, the leader when there is none
  replica_always,  // one at random
};

struct metadata_question;

// Questions that wait for their answers, by stream.
struct open_questions {
  list buckets[64];
};

struct stream_lookup {
  rstream_env *env = nullptr;
  const char *stream = nullptr;  // borrowed
  node_choice choice{};
  metadata_question *question = nullptr;
  list_node node;  // of the question's lookups
  net_timer retry_timer;
  uint64_t give_up_ms = 0;
  char host[256] = {};
  uint16_t port = 0;
  // status 0: host and port are set. Never called from inside the functions below.
  void (*on_done)(stream_lookup *lookup, int status, const char *text) = nullptr;
};

// How long to wait before what has no answer yet is asked for again: elections and new
// streams take some hundred milliseconds. The spread keeps many handles from asking in
// step.
inline uint64_t lookup_pause_ms(net &world) { return 100 + net_random(world) % 100; }

// Errors: RSTREAM_ENOMEM, or a code of libuv; on_done won't come then.
[[nodiscard]] int lookup_start(stream_lookup &lookup);
// The same, but asks only once: whoever calls it waits between attempts himself.
[[nodiscard]] int lookup_start_once(stream_lookup &lookup);
// After the node found turned out not to serve the stream (`status` tells why): asks
// again a little later. False when that would not help, or time is up.
[[nodiscard]] bool lookup_again(stream_lookup &lookup, int status);
void lookup_cancel(stream_lookup &lookup);

}  // namespace rstream
