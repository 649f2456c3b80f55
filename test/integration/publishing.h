#pragma once

// Producers of every kind, and what the stream holds of theirs.

#include <memory>

#include "fixture.h"

namespace rstream::test {

struct publishing : broker_test {
  std::unique_ptr<producer_probe> p = std::make_unique<producer_probe>();
  std::string told;  // by the messages' own callbacks: "3:0 "

  using settings = std::function<void(rstream_producer_options &)>;
  void open(const settings &s = nullptr) { open_in(env, s); }
  void open_in(rstream_env *e, const settings &s = nullptr) {
    ASSERT_EQ(p->open(e, stream, s), 0);
  }
  void open_named(const char *producer, bool ids_given = false) {
    open([&](rstream_producer_options &o) {
      o.name = producer;
      o.ids_given = ids_given;
    });
  }
  void wait_open() {
    ASSERT_TRUE(run_until([&] { return p->opened > 0; }));
  }
  // Everything sent is stored, says the broker.
  void wait_confirmed() {
    ASSERT_TRUE(run_until([&] { return p->all_told() || p->ended; })) << p->told;
    EXPECT_EQ(p->confirmed(), p->sent);
    rstream_producer_stats s = p->stats();
    EXPECT_EQ(s.messages_in_flight, 0u);
    EXPECT_EQ(s.bytes_in_flight, 0u);
    EXPECT_EQ(s.unknown_confirms, 0u);
  }
  // Closes it and is ready for the next one.
  void close_producer() {
    ASSERT_EQ(p->close(), 0);
    ASSERT_TRUE(run_until([&] { return p->closed > 0; }));
    EXPECT_EQ(p->close_status, 0);
    p = std::make_unique<producer_probe>();
  }

  static void on_outcome(rstream_producer *, uint64_t id, int status, void *user) {
    static_cast<publishing *>(user)->told +=
        std::to_string(id) + ':' + std::to_string(status) + ' ';
  }
  rstream_message told_message(std::string_view body) {
    rstream_message m = message_of(body);
    m.on_outcome = on_outcome;
    m.outcome_user = this;
    return m;
  }
  rstream_message with_id(std::string_view body, uint64_t id) {
    rstream_message m = message_of(body);
    m.publishing_id = id;
    return m;
  }
  int send_sub_entry(const std::vector<rstream_message> &messages,
                     rstream_compression compression) {
    uint64_t first_id = 0;
    int rc = rstream_producer_send_sub_entry(p->handle, messages.data(), messages.size(),
                                             compression, &first_id);
    if (rc < 0) return rc;
    if (messages[0].publishing_id == 0) {
      p->took(first_id, messages.size());
    } else {
      for (const rstream_message &m : messages) p->took_given(m.publishing_id);
    }
    return rc;
  }

  // All bodies, in the order of their offsets. They must be so many.
  std::vector<std::string> stored(size_t count,
                                  std::vector<rstream_chunk_info> *infos = nullptr) {
    consumer_probe c;
    c.keep_bodies = true;
    EXPECT_EQ(c.open_first(env, stream, consumer_probe::by_chunk), 0);
    EXPECT_TRUE(run_until([&] { return c.messages >= count || c.ended; }));
    // What nobody should have stored would come with a message behind it.
    producer_probe last;
    EXPECT_EQ(last.open(env, stream), 0);
    EXPECT_EQ(last.send("the last one"), 0);
    EXPECT_TRUE(run_until([&] {
      return c.ended || (!c.bodies.empty() && c.bodies.back() == "the last one");
    }));
    EXPECT_EQ(c.first_offset, 0u);
    EXPECT_EQ(c.last_offset, count);
    EXPECT_EQ(c.stats().entries_bad, 0u);
    if (!c.bodies.empty()) c.bodies.pop_back();
    if (infos) *infos = c.infos;
    return c.bodies;
  }
};

inline std::string joined(const std::vector<std::string> &bodies) {
  std::string text;
  for (const std::string &body : bodies) text += (text.empty() ? "" : " ") + body;
  return text;
}

}  // namespace rstream::test
