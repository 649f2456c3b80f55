// The client over sockets against the in-memory broker, on one loop.
#pragma once

#include <deque>

#include "fake/script.h"
#include "fake/uv_carrier.h"
#include "fixture.h"

namespace rstream::test {

struct fake_client : client_test {
  fake::uv_cluster *brokers = nullptr;
  rstream_allocator counted{};
  static inline size_t largest_block = 0;
  // They outlive the environment, also when a test ends early.
  std::deque<producer_log> producer_logs;
  std::deque<consumer_log> consumer_logs;

  // NONE where a test wants to see how things end.
  rstream_recovery recovery = RSTREAM_RECOVERY_AUTOMATIC;

  producer_log &new_producer_log() {
    producer_logs.emplace_back().recovery = recovery;
    return producer_logs.back();
  }
  consumer_log &new_consumer_log() {
    consumer_logs.emplace_back().recovery = recovery;
    return consumer_logs.back();
  }

  fake::cluster &cluster() { return fake::uv_cluster_of(brokers); }
  fake::broker &node() { return fake::node(cluster()); }
  fake::stream &invoices() { return *fake::stream_find(cluster(), "invoices"); }
  uint64_t frames_of(wire::key key) { return count_of(totals(cluster()), key); }

  void SetUp() override {
    client_test::SetUp();
    brokers = fake::uv_cluster_open(&loop);
    ASSERT_NE(brokers, nullptr);
    fake::stream_create(cluster(), "invoices");
    options.port = fake::uv_cluster_port(brokers);
    largest_block = 0;
    counted = allocator;
    counted.allocate = [](size_t size, void *user) {
      if (size > largest_block) largest_block = size;
      return counting_memory::allocate(size, user);
    };
    counted.resize = [](void *old, size_t size, void *user) {
      if (size > largest_block) largest_block = size;
      return counting_memory::resize(old, size, user);
    };
    options.allocator = &counted;
  }

  void TearDown() override {
    close_env();
    fake::uv_cluster_close(brokers);
    client_test::TearDown();
  }

  // Another environment, for the next of many cases.
  void renew() {
    close_env();
    env_closed = 0;
    lines.clear();
  }

  std::string stored() {
    std::string text;
    fake::stream_each(invoices(), [&](uint64_t offset, wire::bytes body) {
      text += (text.empty() ? "" : " ") + std::to_string(offset) + '=' + text_of(body);
    });
    return text;
  }
  void store(std::string_view body) { fake::stream_append(invoices(), bytes_of(body)); }

  fake::peer &publishing_peer() {
    return *fake::publisher_of(cluster(), "invoices")->peer;
  }
  fake::peer &subscribed_peer() {
    return *fake::subscription_of(cluster(), "invoices")->peer;
  }
};

}  // namespace rstream::test
