// Scenarios 50 and 51 on a real broker: producers that come and go, and many handles at
// once. In full numbers with RSTREAM_MANY_HANDLES=1, see `make many-handles`.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "client/crowd.h"
#include "client/descriptors.h"
#include "fixture.h"

using namespace rstream::test;

namespace {

constexpr int patience_s = 600;

bool in_full() {
  const char *wanted = getenv("RSTREAM_MANY_HANDLES");
  return wanted && *wanted == '1';
}

struct many_handles : broker_test {
  crowd all;

  void SetUp() override {
    broker_test::SetUp();
    all.env = env;
    all.stream = stream;
  }
  void wait_until_open(const size_t &open, size_t count) {
    ASSERT_TRUE(run_until([&] { return open >= count || all.ended > 0; }, patience_s));
    ASSERT_EQ(all.ended, 0u) << all.text;
  }
  // On the broker's side.
  size_t connections_at_broker() {
    std::string told = broker_eval("length(" + connections_named(name) + ").");
    size_t count = SIZE_MAX;
    if (sscanf(told.c_str(), "{ok, %zu}", &count) != 1) ADD_FAILURE() << told;
    return count;
  }
};

}  // namespace

TEST_F(many_handles, scenario_50_producers_come_and_go) {
  NEEDS_DISTURBANCE();
  const size_t wave = 100, total = in_full() ? 100000 : 2000, warm_up = 5;
  size_t bytes = 0, files = 0;
  ASSERT_EQ(ask<exists_reply>([&](auto *r) {
              return rstream_stream_exists(env, stream.c_str(), exists_reply::on, r);
            }).exists,
            1);
  size_t baseline = connections_at_broker();
  EXPECT_EQ(baseline, 1u);
  for (size_t i = 0; i < total / wave; i++) {
    ASSERT_EQ(all.add_producers(wave), 0);
    wait_until_open(all.producers_open, (i + 1) * wave);
    ASSERT_EQ(all.send_from_producers(wave), 0);
    ASSERT_EQ(all.close_producers(), 0);
    ASSERT_TRUE(run_until([&] { return all.closed == (i + 1) * wave; }));
    ASSERT_EQ(all.confirmed, i + 1);
    if (i < warm_up) bytes = std::max(bytes, memory.bytes.load());
    if (i == warm_up) files = open_descriptors();
    if (i <= warm_up) continue;
    ASSERT_LE(memory.bytes.load(), bytes) << "after " << i << " waves";
    ASSERT_EQ(open_descriptors(), files) << "after " << i << " waves";
  }
  EXPECT_EQ(stats().connections_opened, 2u);
  EXPECT_EQ(stats().connections_lost, 0u);
  EXPECT_EQ(stats().frames_ignored, 0u);
  EXPECT_EQ(stats().producers_connected, 0u);
  EXPECT_EQ(connections_at_broker(), 2u);
  ASSERT_TRUE(run_until([&] { return stats().connections_closed_idle == 1; }));
  // Its side may take a moment longer.
  size_t left = connections_at_broker();
  for (int i = 0; i < 500 && left > baseline; i++) left = connections_at_broker();
  EXPECT_EQ(left, baseline);
}

TEST_F(many_handles, scenario_51_many_at_once) {
  NEEDS_DISTURBANCE();
  const size_t count = in_full() ? 10000 : 600, connections = (count + 255) / 256;
  ASSERT_EQ(all.add_producers(256), 0);
  wait_until_open(all.producers_open, 256);
  EXPECT_EQ(stats().connections_for_producers, 1u);
  ASSERT_EQ(all.add_producers(1), 0);
  wait_until_open(all.producers_open, 257);
  EXPECT_EQ(stats().connections_for_producers, 2u);
  size_t before = memory.bytes;
  ASSERT_EQ(all.add_producers(count - 257), 0);
  wait_until_open(all.producers_open, count);
  size_t per_producer = (memory.bytes - before) / (count - 257);
  before = memory.bytes;
  ASSERT_EQ(all.add_consumers(count), 0);
  wait_until_open(all.consumers_open, count);
  size_t per_consumer = (memory.bytes - before) / count;
  printf(
      "  a producer holds %zu bytes, a consumer %zu, each with its share of the "
      "connection\n",
      per_producer, per_consumer);
  EXPECT_EQ(stats().connections_for_producers, connections);
  EXPECT_EQ(stats().connections_for_consumers, connections);
  EXPECT_EQ(stats().producers_connected, count);
  EXPECT_EQ(stats().consumers_connected, count);
  EXPECT_EQ(connections_at_broker(), 2 * connections + 1);
  // The consumers go first: with so many on one stream, a broker takes long to answer
  // them once something is published.
  ASSERT_EQ(all.close_consumers(), 0);
  ASSERT_TRUE(run_until([&] { return all.closed == count; }, patience_s));
  ASSERT_EQ(all.send_from_producers(), 0);
  ASSERT_TRUE(run_until([&] { return all.confirmed == count; }, patience_s));
  ASSERT_EQ(all.close_producers(), 0);
  ASSERT_TRUE(run_until([&] { return all.closed == 2 * count; }, patience_s));
  EXPECT_EQ(stats().connections_lost, 0u);
  EXPECT_EQ(stats().frames_ignored, 0u);
}
