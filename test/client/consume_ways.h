// What consumers can be asked for, against the in-memory broker.
#pragma once

#include "client/consumer.h"
#include "client/env.h"
#include "scenario.h"

namespace rstream::test {

struct consume_ways : fake_client {
  consumer_log *log = nullptr;
  rstream_consumer *c = nullptr;
  std::string told;  // by callbacks of the test's own

  rstream_consumer_options by_message() {
    if (!env) create();
    log = &new_consumer_log();
    rstream_consumer_options o = log->message_options();
    o.offset_type = RSTREAM_OFFSET_FIRST;
    return o;
  }
  rstream_consumer_options by_chunk() {
    if (!env) create();
    log = &new_consumer_log();
    rstream_consumer_options o = log->chunk_options();
    o.offset_type = RSTREAM_OFFSET_FIRST;
    return o;
  }
  void open(const rstream_consumer_options &o) { c = open_consumer(*log, o); }

  // So many messages, each a chunk of its own: "0", "1" ...
  void store_numbers(int count) {
    for (int i = 0; i < count; i++) store(std::to_string(invoices().next_offset));
  }
  bool wait_for_offset(uint64_t next) {
    return run_until([&] { return stats_of(c).next_offset >= next; });
  }
  static rstream_consumer_stats stats_of(const rstream_consumer *consumer) {
    rstream_consumer_stats s;
    s.struct_size = sizeof s;
    EXPECT_EQ(rstream_consumer_stats_get(consumer, &s), 0);
    return s;
  }
  // "7", or "none".
  std::string stored_for(const char *name) {
    auto it = invoices().offsets.find(name);
    return it == invoices().offsets.end() ? "none" : std::to_string(it->second);
  }
  void close_consumer() {
    ASSERT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
    ASSERT_TRUE(run_until([&] { return log->closed > 0; }));
  }
  std::string last_error() const { return rstream_env_error_text(env); }
};

}  // namespace rstream::test
