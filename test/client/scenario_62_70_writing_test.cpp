// Scenarios 62 and 70 in plain text; tls_link_test.cpp has them over TLS.
#include <csignal>

#include "scenario.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct writing : fake_client {
  const std::string body = std::string(100000, 'x');
  producer_log *log = nullptr;
  size_t sent = 0;

  // Opens a producer that nobody reads from any more.
  rstream_producer *stuck_producer(uint64_t most_bytes) {
    create();
    log = &new_producer_log();
    rstream_producer_options o = log->options();
    o.max_bytes_in_flight = most_bytes;
    rstream_producer *p = open_producer(*log, o);
    fake::peer_stop_reading(publishing_peer());
    return p;
  }
};

}  // namespace

TEST_F(writing, scenario_62_a_peer_that_stops_reading) {
  constexpr size_t most_bytes = 20u << 20;
  rstream_producer *p = stuck_producer(most_bytes);
  uint64_t held = stats().bytes_allocated;
  while (rstream_producer_send_bytes(p, body.data(), body.size(), nullptr) == 0) {
    sent++;
    uv_run(&loop, UV_RUN_NOWAIT);
    ASSERT_LT(sent, 1000u);
  }
  EXPECT_EQ(rstream_producer_send_bytes(p, body.data(), body.size(), nullptr),
            RSTREAM_EAGAIN);
  EXPECT_GT(sent, most_bytes / body.size() - 10);
  EXPECT_LE(sent, most_bytes / body.size());
  EXPECT_LT(stats().bytes_allocated, held + 2 * most_bytes);
  EXPECT_EQ(log->outcomes.size(), 0u);
  EXPECT_EQ(log->writable, 0);
  EXPECT_EQ(stats().connections_lost, 0u);
  fake::peer_resume_reading(publishing_peer());
  ASSERT_TRUE(run_until([&] { return log->outcomes.size() == sent; }));
  EXPECT_GT(log->writable, 0);
  for (auto &x : log->outcomes) ASSERT_EQ(x.status, 0);
}

// A write into what is broken raises no signal: nobody here ignores SIGPIPE.
TEST_F(writing, scenario_70_a_peer_that_resets_while_it_is_written_to) {
  struct sigaction now;
  ASSERT_EQ(sigaction(SIGPIPE, nullptr, &now), 0);
  ASSERT_EQ(now.sa_handler, SIG_DFL);
  recovery = RSTREAM_RECOVERY_NONE;
  rstream_producer *p = stuck_producer(100u << 20);
  for (; sent < 200; sent++) send(p, body);
  for (int i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
  fake::peer_reset(publishing_peer());
  for (; sent < 400; sent++) send(p, body);
  ASSERT_TRUE(run_until([&] { return log->ended(); }));
  EXPECT_EQ(log->reason, RSTREAM_ECONNLOST);
  EXPECT_EQ(log->outcomes.size(), sent);
  for (auto &x : log->outcomes) ASSERT_LT(x.status, 0);
}
