#pragma once

// Reading all partitions of a super stream: a consumer for each, and who they are.

#include "client/consumer.h"
#include "client/partition_watch.h"
#include "rstream/super_consumer.h"

namespace rstream {

// A partition that the super stream has or once had; stays as long as the super consumer.
struct super_subscription {
  list_node node;  // of super_consumer::partitions
  rstream_super_consumer *owner = nullptr;
  char *stream = nullptr;
  consumer *link = nullptr;  // nullptr: not open
  bool listed = false;       // the super stream has it
  bool told_listed = false;  // the application knows it so
  bool leaving = false;      // its last consumer is still being closed
  bool awaited = false;      // the super consumer is not open before it is, or has ended
  bool later = false;        // it is newer than the super consumer
  bool has_resume = false;   // a consumer of it has got so far
  uint64_t resume_offset = 0;
};

enum class super_consumer_phase : uint8_t {
  looking,  // for the partitions
  opening,  // the first ones
  open,
  ending,  // by itself
  ended,
  closed
};

}  // namespace rstream

struct rstream_super_consumer {
  rstream_env *env = nullptr;
  rstream::list_node node;                      // of env->super_consumers
  rstream_super_consumer_options options = {};  // texts and `consumer` are its own
  rstream_consumer_options consumer_options = {};
  char *super_stream = nullptr;
  char *name = nullptr;
  char **filter_values = nullptr;

  rstream::super_consumer_phase phase = rstream::super_consumer_phase::looking;
  bool closing = false;
  bool paused = false;
  int end_reason = 0;
  char end_text[128] = {};
  rstream_super_consumer_closed_cb on_closed = nullptr;

  rstream::list partitions;                          // all that there ever were
  rstream::super_subscription **by_index = nullptr;  // in the broker's order
  uint32_t count = 0;
  uint32_t known = 0;  // in `partitions`
  rstream::partition_watch watch;
  rstream::net_task task;
};

namespace rstream {

using super_consumer = rstream_super_consumer;

// `options` are complete and checked; texts are borrowed, `consumer` is not looked at.
[[nodiscard]] int super_consumer_open(super_consumer **s, rstream_env *env,
                                      const rstream_super_consumer_options &options,
                                      const rstream_consumer_options &of_partitions);
[[nodiscard]] int super_consumer_close(super_consumer *s,
                                       rstream_super_consumer_closed_cb on_closed);
[[nodiscard]] int super_consumer_pause(super_consumer *s, bool paused);
rstream_handle_state super_consumer_state(const super_consumer *s);

}  // namespace rstream
