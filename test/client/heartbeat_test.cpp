#include "fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

using heartbeat = client_test;

// One second is the smallest interval there is, so this takes two.
TEST_F(heartbeat, is_sent_when_idle_and_a_silent_peer_is_noticed) {
  options.heartbeat_s = 1;
  broker.heartbeat_s = 60;
  create();
  producer_log log;
  log.recovery = RSTREAM_RECOVERY_NONE;
  open_producer(log, log.options());
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_EHEARTBEAT);
  EXPECT_EQ(log.text.substr(0, 17), "nothing heard for");
  EXPECT_GE(broker.links.at(1)->of(key::heartbeat).size(), 1u);
  EXPECT_EQ(to_hex(broker.links.at(1)->of(key::heartbeat).at(0).bytes),
            "0000000400170001");
  ASSERT_TRUE(run_until([&] { return stats().connections_lost == 2; }));
}
