// Bad networks under TLS: where without it a changed bit may go unnoticed, here it is a
// lost connection, and so all promises hold.
#include "proxied.h"

using namespace rstream::test;

namespace {

struct proxied_tls : proxied {
  std::string uri = broker_tls_uri();
  std::string ca_file = broker_tls_dir() + "/ca.pem";
  rstream_tls_options tls;
  rstream_env *e = nullptr;
  consumer_probe c;

  void SetUp() override {
    proxied::SetUp();
    if (IsSkipped()) return;
    if (uri.empty()) GTEST_SKIP() << "the broker has no TLS: with-broker --tls";
    chaos_close(proxy);
    open_proxy(11, atoi(uri.c_str() + uri.rfind(':') + 1));
    rstream_tls_options_init(&tls);
    tls.ca_file = ca_file.c_str();
    e = open_proxied_env([&](rstream_env_options &o) {
      o.uri = uri.c_str();
      o.tls = &tls;
      o.heartbeat_s = 1;
      o.connect_timeout_ms = 3000;
      o.recovery_first_ms = 1;
      o.recovery_longest_ms = 20;
    });
    c.numbered = true;
    ASSERT_EQ(p->open(e, stream,
                      [](rstream_producer_options &o) {
                        o.name = "tls";
                        o.confirm_timeout_off = 1;
                        o.max_messages_in_flight = 2000;
                        o.max_batch_messages = 50;
                      }),
              0);
    ASSERT_EQ(c.open_first(e, stream), 0);
    ASSERT_TRUE(run_until([&] { return p->opened && c.opened; }));
  }
  // The handles are gone before their environment.
  void TearDown() override {
    if (c.handle) {
      ASSERT_EQ(c.close(), 0);
      ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
    }
    proxied::TearDown();
  }

  // Lost connections, and nothing else to be seen of them.
  void expect_all_arrive(uint64_t count) {
    send_numbers(*p, count);
    ASSERT_TRUE(run_until(
        [&] { return (p->told == count && c.messages == count) || p->ended || c.ended; },
        60))
        << p->told << " told, " << c.messages << " consumed";
    EXPECT_EQ(p->confirmed(), count) << p->end_text;
    EXPECT_EQ(c.messages, count) << c.end_text;
    EXPECT_EQ(c.wrong_bodies, 0u);
    EXPECT_EQ(c.bad_chunks, "") << "what is changed does not get through TLS";
    EXPECT_GT(p->opened + c.opened, 6);
    proxy.options = {};
    expect_stored_once(count);
  }
};

}  // namespace

// The handshakes are spared: a certificate that can't be trusted is a final reason.
TEST_F(proxied_tls, scenario_39_changed_bits_are_lost_connections) {
  proxy.options.flip_from = 8000;
  proxy.options.flip_one_in_up = 200000;
  proxy.options.flip_one_in_down = 200000;
  chaos_cut_all(proxy, chaos_cut::fin);
  expect_all_arrive(60000);
  printf("%llu bits changed, %d connections lost\n",
         static_cast<unsigned long long>(proxy.counts.flipped), connections_lost);
  EXPECT_GT(proxy.counts.flipped, 5u);
}

TEST_F(proxied_tls, connections_are_cut_anywhere) {
  proxy.options.cut_after = 100000;
  chaos_cut_all(proxy, chaos_cut::reset);
  expect_all_arrive(60000);
  EXPECT_GT(proxy.counts.cuts, 10u);
}
