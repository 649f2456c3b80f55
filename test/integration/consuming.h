#pragma once

// Consumers whose offsets are stored, and messages that lie in chunks of their own.

#include "fixture.h"

namespace rstream::test {

struct consuming : broker_test {
  int store(const char *reference, uint64_t offset) {
    return ask<result_reply>([&](auto *r) {
             return rstream_store_offset(env, reference, stream.c_str(), offset,
                                         result_reply::on, r);
           })
        .status;
  }

  // So many messages in chunks of their own, with the next numbers. Their offsets may be
  // higher: a stored offset takes its place in the stream, and so an offset.
  void publish_singly(uint64_t count) {
    for (uint64_t i = 0; i < count; i++) publish_more(1);
  }
  void publish_more(uint64_t count) {
    publish(stream, count, published);
    published += count;
  }
  uint64_t published = 0;

  // Has seen this number.
  bool wait_for(const consumer_probe &c, uint64_t number) {
    auto seen = [&] { return !c.numbers.empty() && c.numbers.back() >= number; };
    EXPECT_TRUE(run_until([&] { return c.ended || seen(); }));
    return seen();
  }
  void close(consumer_probe &c) {
    ASSERT_EQ(c.close(), 0);
    ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
  }
};

// From this number to that, each once and in order.
inline std::vector<uint64_t> numbers(uint64_t first, uint64_t last) {
  std::vector<uint64_t> all;
  for (uint64_t n = first; n <= last; n++) all.push_back(n);
  return all;
}

// From the first message on, under a name.
inline std::function<void(rstream_consumer_options &)> named(const char *consumer) {
  return [consumer](rstream_consumer_options &o) {
    o.name = consumer;
    o.offset_type = RSTREAM_OFFSET_FIRST;
  };
}

}  // namespace rstream::test
