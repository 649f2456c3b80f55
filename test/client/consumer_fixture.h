// A consumer, and a broker that delivers what the test makes up.
#pragma once

#include "fixture.h"
#include "unit/chunk_builder.h"

namespace rstream::test {

struct consumer_test : client_test {
  consumer_log log;
  rstream_consumer *handle = nullptr;
  peer_link *link = nullptr;

  void open(const rstream_consumer_options &o) {
    if (!env) create();
    handle = open_consumer(log, o);
    link = &broker.last();
  }
  void deliver(const byte_vector &chunk) {
    link->send(encoded(wire::deliver{0, 2, 900, chunk}));
  }
  void deliver(const chunk_builder &b) { deliver(b.build()); }
  void deliver_at(uint64_t offset, const std::vector<std::string> &bodies) {
    chunk_builder b;
    b.first_offset = offset;
    for (const std::string &body : bodies) b.message(body);
    deliver(b);
  }
  int credits() const {
    int sum = 0;
    for (auto &f : link->of(wire::key::credit)) sum += decoded<wire::credit>(f).credits;
    return sum;
  }
  bool wait_for_credits(int n) {
    return run_until([&] { return credits() >= n; });
  }
  bool wait_for(wire::key k, size_t n) {
    return run_until([&] { return link->of(k).size() >= n; });
  }
  // Offsets of Subscribe, "none" for other types.
  std::string subscribed() const {
    std::string text;
    for (auto &f : link->of(wire::key::subscribe)) {
      auto request = decoded<wire::subscribe>(f);
      text += request.spec.type == 4 ? std::to_string(request.spec.value) + ' ' : "none ";
    }
    return text;
  }
  // What was stored, in order.
  std::string stored() const {
    std::string text;
    for (auto &f : link->of(wire::key::store_offset))
      text += std::to_string(decoded<wire::store_offset>(f).offset) + ' ';
    return text;
  }
  void close_consumer() {
    ASSERT_EQ(rstream_consumer_close(handle, consumer_log::on_closed), 0);
    ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  }
  rstream_consumer_stats consumer_stats() const {
    rstream_consumer_stats s;
    s.struct_size = sizeof s;
    rstream_consumer_stats_get(handle, &s);
    return s;
  }
  void release_kept() {
    for (rstream_chunk *chunk : log.kept) rstream_chunk_release(chunk);
    log.kept.clear();
  }
};

}  // namespace rstream::test
