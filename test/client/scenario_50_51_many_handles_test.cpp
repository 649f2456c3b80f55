// Scenarios 50 and 51 without a broker's own time: a hundred thousand producers one after
// another, and ten thousand producers and consumers at once.
#include "crowd.h"
#include "descriptors.h"
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct many_handles : fake_client {
  crowd all;

  void SetUp() override {
    fake_client::SetUp();
    options.log_level = RSTREAM_LOG_OFF;
    create();
    all.env = env;
  }
  // Until so many are open, or one is not.
  void wait_until_open(const size_t &open, size_t count) {
    ASSERT_TRUE(run_until([&] { return open >= count || all.ended > 0; }));
    ASSERT_EQ(all.ended, 0u) << all.text;
  }
  void add_producers(size_t count) {
    size_t goal = all.producers_open + count;
    ASSERT_EQ(all.add_producers(count), 0);
    wait_until_open(all.producers_open, goal);
  }
  void add_consumers(size_t count) {
    size_t goal = all.consumers_open + count;
    ASSERT_EQ(all.add_consumers(count), 0);
    wait_until_open(all.consumers_open, goal);
  }
};

}  // namespace

TEST_F(many_handles, scenario_50_producers_come_and_go_a_hundred_thousand_times) {
  constexpr size_t wave = 200, total = 100000, warm_up = 10;
  size_t bytes = 0, files = 0;
  for (size_t i = 0; i < total / wave; i++) {
    add_producers(wave);
    ASSERT_EQ(all.send_from_producers(), 0);
    ASSERT_EQ(all.close_producers(), 0);
    ASSERT_TRUE(run_until([&] { return all.closed == (i + 1) * wave; }));
    ASSERT_EQ(all.confirmed, all.closed);
    if (i < warm_up) bytes = std::max(bytes, blocks.bytes);
    if (i == warm_up) files = open_descriptors();
    if (i <= warm_up) continue;
    ASSERT_LE(blocks.bytes, bytes) << "after " << i << " waves";
    ASSERT_EQ(open_descriptors(), files) << "after " << i << " waves";
  }
  rstream_env_stats now = stats();
  EXPECT_EQ(now.connections_opened, 2u) << "a locator, and one for producers";
  EXPECT_EQ(now.connections_lost, 0u);
  EXPECT_EQ(now.frames_ignored, 0u);
  EXPECT_EQ(now.producers, 0u);
  EXPECT_EQ(now.producers_connected, 0u);
  EXPECT_EQ(frames_of(key::declare_publisher), total);
  EXPECT_EQ(frames_of(key::delete_publisher), total);
  // The connection for producers goes by itself.
  ASSERT_TRUE(run_until([&] { return stats().connections_for_producers == 0; }));
  ASSERT_TRUE(run_until([&] { return node().peers.size() == 1; }));
  EXPECT_EQ(stats().connections_closed_idle, 1u);
  EXPECT_LT(open_descriptors(), files);
}

TEST_F(many_handles, scenario_51_ten_thousand_producers_and_consumers_at_once) {
  constexpr size_t count = 10000, connections = (count + 255) / 256;
  constexpr size_t most_bytes = 4096;  // of a handle, with its part of its connection
  store("one");
  add_producers(256);
  EXPECT_EQ(stats().connections_for_producers, 1u);
  add_producers(1);
  EXPECT_EQ(stats().connections_for_producers, 2u);
  size_t before = blocks.bytes;
  add_producers(count - 257);
  size_t per_producer = (blocks.bytes - before) / (count - 257);
  before = blocks.bytes;
  add_consumers(count);
  size_t per_consumer = (blocks.bytes - before) / count;
  printf(
      "  a producer holds %zu bytes, a consumer %zu, each with its share of the "
      "connection\n",
      per_producer, per_consumer);
  EXPECT_LE(per_producer, most_bytes);
  EXPECT_LE(per_consumer, most_bytes);
  rstream_env_stats now = stats();
  EXPECT_EQ(now.connections_for_producers, connections);
  EXPECT_EQ(now.connections_for_consumers, connections);
  EXPECT_EQ(now.connections_opened, 2 * connections + 1);
  EXPECT_EQ(now.producers_connected, count);
  EXPECT_EQ(now.consumers_connected, count);
  EXPECT_EQ(node().peers.size(), 2 * connections + 1);
  ASSERT_TRUE(run_until([&] { return all.messages == count; }));
  ASSERT_EQ(all.close_consumers(), 0);
  ASSERT_TRUE(run_until([&] { return all.closed == count; }));
  ASSERT_EQ(all.send_from_producers(), 0);
  ASSERT_TRUE(run_until([&] { return all.confirmed == count; }));
  ASSERT_EQ(all.close_producers(), 0);
  ASSERT_TRUE(run_until([&] { return all.closed == 2 * count; }));
  now = stats();
  EXPECT_EQ(now.producers + now.consumers, 0u);
  EXPECT_EQ(now.frames_ignored, 0u);
  EXPECT_EQ(now.connections_lost, 0u);
}
