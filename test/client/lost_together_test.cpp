// Handles on one connection lose it together, but are told one after the other. What the
// first ones do in their callbacks reaches those that do not know yet. Found by fuzzing.
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct lost_together : fake_client {
  lost_together() { recovery = RSTREAM_RECOVERY_NONE; }

  // Its frame stays open until it is flushed.
  rstream_producer *open_lingering(producer_log &log) {
    rstream_producer_options o = log.options();
    o.linger_ms = 60000;
    return open_producer(log, o);
  }
};

}  // namespace

TEST_F(lost_together, flushing_a_producer_that_was_not_told_yet) {
  create();
  producer_log &first_log = new_producer_log(), &second_log = new_producer_log();
  open_lingering(first_log);
  rstream_producer *second = open_lingering(second_log);
  ASSERT_EQ(rstream_producer_send_bytes(second, "x", 1, nullptr), 0);
  int flushed = 1;
  awaited_line = "ended: the connection was lost";
  on_awaited_line = [&] {
    EXPECT_FALSE(second_log.ended());
    auto set = [](rstream_producer *, int status, void *user) {
      *static_cast<int *>(user) = status;
    };
    EXPECT_EQ(rstream_producer_flush(second, set, &flushed), 0);
  };
  fake::peer_reset(publishing_peer());
  ASSERT_TRUE(run_until([&] { return first_log.ended() && second_log.ended(); }));
  EXPECT_EQ(flushed, RSTREAM_ECONNLOST);
  EXPECT_EQ(second_log.summary(), "1:" + std::to_string(RSTREAM_ECONNLOST));
}

TEST_F(lost_together, flushing_a_producer_in_the_log_line_of_its_own_end) {
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_lingering(log);
  ASSERT_EQ(rstream_producer_send_bytes(p, "x", 1, nullptr), 0);
  awaited_line = "producer on invoices ended";
  on_awaited_line = [&] { EXPECT_EQ(rstream_producer_flush(p, nullptr, nullptr), 0); };
  fake::stream_delete(cluster(), "invoices");
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.summary(), "1:" + std::to_string(RSTREAM_EUNAVAILABLE));
}

TEST_F(lost_together, storing_an_offset_for_a_consumer_that_was_not_told_yet) {
  create();
  consumer_log &first_log = new_consumer_log(), &second_log = new_consumer_log();
  open_consumer(first_log, first_log.message_options());
  rstream_consumer_options o = second_log.message_options();
  o.name = "reader";
  rstream_consumer *second = open_consumer(second_log, o);
  ASSERT_EQ(rstream_consumer_store_offset(second, 1), 0);
  int stored = 1;
  awaited_line = "consumer on invoices ended";
  on_awaited_line = [&] { stored = rstream_consumer_store_offset(second, 2); };
  fake::peer_reset(subscribed_peer());
  ASSERT_TRUE(run_until([&] { return first_log.ended() && second_log.ended(); }));
  EXPECT_EQ(stored, RSTREAM_EBUSY);
}
