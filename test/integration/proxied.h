#pragma once

// Tests that reach the broker through a bad network: a proxy on the same loop.

#include "chaos/proxy.h"
#include "publishing.h"

namespace rstream::test {

struct proxied : publishing {
  chaos_proxy proxy;
  std::vector<rstream_env *> proxied_envs;
  int connections_lost = 0;  // as the environments tell
  int loss_reason = 0;

  void SetUp() override {
    publishing::SetUp();
    if (IsSkipped()) return;
    if (broker_host() != "localhost" && broker_host() != "127.0.0.1")
      GTEST_SKIP() << "the proxy leads to this machine only";
    open_proxy(1);
  }
  void TearDown() override {
    p.reset();
    for (rstream_env *e : proxied_envs) {
      if (env_is_open(e)) close_env(e);
    }
    chaos_close(proxy);
    publishing::TearDown();
  }

  void open_proxy(uint64_t seed, int target = broker_port()) {
    ASSERT_EQ(chaos_open(proxy, &loop, static_cast<uint16_t>(target), seed), 0);
  }

  // All of its connections lead through the proxy.
  rstream_env *open_proxied_env(const env_settings &more = nullptr) {
    rstream_env *e = open_env([&](rstream_env_options &o) {
      o.on_address = [](rstream_env *, rstream_address *a, void *user) {
        snprintf(a->host, a->host_capacity, "127.0.0.1");
        a->port = static_cast<proxied *>(user)->proxy.port;
      };
      o.address_user = this;
      o.on_connection_lost = [](rstream_env *lost, const rstream_connection_loss *loss,
                                void *) {
        auto *t = static_cast<proxied *>(rstream_env_user(lost));
        t->connections_lost++;
        t->loss_reason = loss->reason;
      };
      if (more) more(o);
    });
    proxied_envs.push_back(e);
    return e;
  }

  // Sends numbers until `end` as far as the window allows.
  void send_numbers_until(producer_probe &producer, uint64_t end) {
    while (producer.sent < end && producer.send_number(producer.sent) == 0) continue;
  }
  // Keeps at it.
  void send_numbers(producer_probe &producer, uint64_t end) {
    producer.on_writable = [this, &producer, end] { send_numbers_until(producer, end); };
    producer.on_writable();
  }
  // Each number once, and in order.
  void expect_stored_once(uint64_t count) {
    std::vector<std::string> all = stored(count);
    ASSERT_EQ(all.size(), count);
    for (uint64_t i = 0; i < count; i++) {
      fixed_body expected = body_of(i);
      ASSERT_EQ(all[i], std::string(expected.bytes, expected.size));
    }
  }
};

}  // namespace rstream::test
