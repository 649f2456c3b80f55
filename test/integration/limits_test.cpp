// Windows, batches, frames, and what fits into them.
#include "fixture.h"

using namespace rstream::test;

namespace {

constexpr uint64_t entry_overhead = 12;  // of a message in a Publish frame: id and length
constexpr uint64_t frame_overhead = 9;   // key, version, publisher id, count

struct window : broker_test {};
struct batches : broker_test {};
struct flush : broker_test {};
struct scenario_24 : broker_test {};

struct scenario_23 : broker_test {
  // Publishes bodies of these sizes, and reads them back.
  void publish_sizes(rstream_env *e, const std::vector<size_t> &sizes,
                     uint64_t frame_max) {
    producer_probe p;
    ASSERT_EQ(p.open(e, stream), 0);
    uint64_t bytes = 0;
    for (size_t size : sizes) {
      ASSERT_EQ(p.send(std::string(size, 'm')), 0) << size;
      bytes += size + entry_overhead;
    }
    ASSERT_TRUE(run_until([&] { return p.all_told() || p.ended; }));
    EXPECT_EQ(p.confirmed(), sizes.size());
    EXPECT_GE(p.stats().frames_sent, bytes / (frame_max - frame_overhead));
    consumer_probe c;
    c.keep_bodies = true;
    ASSERT_EQ(c.open_first(e, stream), 0);
    ASSERT_TRUE(run_until([&] { return c.messages == sizes.size(); }));
    for (size_t i = 0; i < sizes.size(); i++)
      EXPECT_EQ(c.bodies[i].size(), sizes[i]) << i;
    EXPECT_EQ(stats(e).connections_lost, 0u);
  }
};

// The frame size that the broker offers, for connections to come. Put back at the end.
struct offered_frame_size {
  explicit offered_frame_size(uint32_t bytes) {
    std::string sizes =
        broker_eval("[maps:get(frame_max, O) || " + listeners);  // {ok, [N]}
    before = strtoul(sizes.c_str() + strlen("{ok, ["), nullptr, 10);
    set(bytes);
  }
  ~offered_frame_size() { set(before); }
  void set(unsigned long bytes) {
    broker_eval("[ranch:set_protocol_options(R, O#{frame_max => " +
                std::to_string(bytes) + "}) || " + listeners);
  }
  const std::string listeners =
      "{R, #{protocol := rabbit_stream_connection_sup, protocol_options := O}} <- "
      "maps:to_list(ranch:info())].";
  unsigned long before = 0;
};

}  // namespace

// ---- the window

TEST_F(window, by_messages) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_messages_in_flight = 100; }), 0);
  for (int round = 1; round <= 20; round++) {
    int rc = 0;
    while ((rc = p.send_number(0)) == 0) continue;
    EXPECT_EQ(rc, RSTREAM_EAGAIN);
    EXPECT_EQ(p.sent - p.told, 100u);
    EXPECT_EQ(p.stats().messages_in_flight, 100u);
    EXPECT_EQ(p.send_number(0), RSTREAM_EAGAIN);
    bool half = true;
    p.on_writable = [&] { half = p.sent - p.told <= 50; };
    ASSERT_TRUE(run_until([&] { return p.writable == round; }));
    EXPECT_TRUE(half);
  }
  ASSERT_TRUE(run_until([&] { return p.all_told(); }));
  EXPECT_EQ(p.writable, 20);
}

TEST_F(window, by_bytes) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_bytes_in_flight = 10000; }), 0);
  std::string body(1000 - entry_overhead, 'x');
  for (int round = 1; round <= 20; round++) {
    ASSERT_TRUE(run_until([&] { return p.all_told(); }));
    for (int i = 0; i < 10; i++) ASSERT_EQ(p.send(body), 0);
    EXPECT_EQ(p.stats().bytes_in_flight, 10000u);
    EXPECT_EQ(p.send("", 0), RSTREAM_EAGAIN);
    ASSERT_TRUE(run_until([&] { return p.writable == round; }));
  }
}

TEST_F(window, one_message_fits_whatever_its_size) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream,
                   [](auto &o) {
                     o.max_bytes_in_flight = 1;
                     o.max_messages_in_flight = 1;
                   }),
            0);
  for (int i = 1; i <= 10; i++) {
    ASSERT_EQ(p.send(std::string(100000, 'x')), 0);
    EXPECT_EQ(p.send("x"), RSTREAM_EAGAIN);
    ASSERT_TRUE(run_until([&] { return p.writable == i; }));
    EXPECT_TRUE(p.all_told());
  }
  EXPECT_EQ(p.confirmed(), 10u);
}

TEST_F(window, on_writable_is_for_those_who_were_refused) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_messages_in_flight = 100; }), 0);
  for (int i = 0; i < 100; i++) ASSERT_EQ(p.send_number(0), 0);
  ASSERT_TRUE(run_until([&] { return p.all_told(); }));
  EXPECT_EQ(p.writable, 0);
}

TEST_F(window, sending_from_every_callback) {
  producer_probe p;
  constexpr uint64_t many = 20000;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_messages_in_flight = 64; }), 0);
  auto fill = [&] {
    while (p.sent < many && p.send_number(p.sent) == 0) continue;
  };
  p.on_state = [&](const rstream_state *) { fill(); };
  p.on_confirm = [&](const rstream_confirms *) { fill(); };
  p.on_writable = fill;
  ASSERT_TRUE(run_until([&] { return p.told == many; }));
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return c.messages == many; }));
  EXPECT_EQ(c.wrong_bodies, 0u);
}

// ---- batches

TEST_F(batches, one_frame_for_what_is_sent_in_a_turn) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  for (uint64_t turn = 1; turn <= 5; turn++) {
    for (int i = 0; i < 1000; i++) ASSERT_EQ(p.send_number(0), 0);
    ASSERT_TRUE(run_until([&] { return p.all_told(); }));
    EXPECT_LE(p.stats().frames_sent, turn * 4);
  }
}

TEST_F(batches, by_messages) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_batch_messages = 10; }), 0);
  for (int i = 0; i < 105; i++) ASSERT_EQ(p.send_number(0), 0);
  ASSERT_TRUE(run_until([&] { return p.all_told(); }));
  EXPECT_EQ(p.stats().frames_sent, 11u);
}

TEST_F(batches, by_bytes) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_batch_bytes = 1000; }), 0);
  // Nine of 100 bytes fit; the frame itself takes some too.
  std::string body(100 - entry_overhead, 'x');
  for (int i = 0; i < 90; i++) ASSERT_EQ(p.send(body), 0);
  ASSERT_TRUE(run_until([&] { return p.all_told(); }));
  EXPECT_EQ(p.stats().frames_sent, 10u);
  // A larger one goes alone.
  ASSERT_EQ(p.send(std::string(50000, 'y')), 0);
  ASSERT_TRUE(run_until([&] { return p.all_told(); }));
  EXPECT_EQ(p.stats().frames_sent, 11u);
  EXPECT_EQ(p.confirmed(), 91u);
}

TEST_F(batches, linger_waits_for_more) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.linger_ms = 100; }), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  uint64_t begin = uv_hrtime();
  for (int i = 0; i < 5; i++) {
    ASSERT_EQ(p.send_number(0), 0);
    run_ready(3);
  }
  ASSERT_TRUE(run_until([&] { return p.all_told(); }));
  EXPECT_GE(uv_hrtime() - begin, 99000000u);
  EXPECT_EQ(p.stats().frames_sent, 1u);
}

TEST_F(batches, a_full_one_does_not_linger) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream,
                   [](auto &o) {
                     o.linger_ms = 60000;
                     o.max_batch_messages = 10;
                   }),
            0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  for (int i = 0; i < 11; i++) ASSERT_EQ(p.send_number(0), 0);
  ASSERT_TRUE(run_until([&] { return p.confirmed() == 10; }));
  for (int i = 0; i < 9; i++) ASSERT_EQ(p.send_number(0), 0);
  ASSERT_TRUE(run_until([&] { return p.confirmed() == 20; }))
      << "full, and still waiting";
}

TEST_F(batches, closing_does_not_linger) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.linger_ms = 60000; }), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  ASSERT_EQ(p.send_number(0), 0);
  ASSERT_EQ(p.close(), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(p.confirmed(), 1u);
}

// ---- flush

namespace {

struct flush_call {
  int calls = 0;
  int status = 1;
  uint64_t told = 0;  // outcomes at that time
  producer_probe *p = nullptr;
  static void on(rstream_producer *, int status, void *user) {
    auto *f = static_cast<flush_call *>(user);
    f->calls++;
    f->status = status;
    f->told = f->p->told;
  }
};

}  // namespace

TEST_F(flush, comes_after_every_outcome_and_does_not_linger) {
  producer_probe p;
  flush_call nothing, some, all;
  nothing.p = some.p = all.p = &p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.linger_ms = 60000; }), 0);
  ASSERT_EQ(rstream_producer_flush(p.handle, flush_call::on, &nothing), 0);
  EXPECT_EQ(nothing.calls, 0) << "called back from inside the call";
  for (int i = 0; i < 100; i++) ASSERT_EQ(p.send_number(0), 0);
  ASSERT_EQ(rstream_producer_flush(p.handle, flush_call::on, &some), 0);
  for (int i = 0; i < 900; i++) ASSERT_EQ(p.send_number(0), 0);
  ASSERT_EQ(rstream_producer_flush(p.handle, flush_call::on, &all), 0);
  ASSERT_TRUE(run_until([&] { return all.calls > 0; }));
  EXPECT_EQ(nothing.calls, 1);
  EXPECT_EQ(nothing.status, 0);
  EXPECT_EQ(some.calls, 1);
  EXPECT_GE(some.told, 100u);
  EXPECT_EQ(all.calls, 1);
  EXPECT_EQ(all.status, 0);
  EXPECT_EQ(all.told, 1000u);
}

TEST_F(flush, without_callback_only_sends) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.linger_ms = 60000; }), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  ASSERT_EQ(p.send_number(0), 0);
  ASSERT_EQ(rstream_producer_flush(p.handle, nullptr, nullptr), 0);
  ASSERT_TRUE(run_until([&] { return p.confirmed() == 1; }));
}

TEST_F(flush, tells_why_the_producer_ended_before) {
  producer_probe p;
  flush_call f;
  f.p = &p;
  ASSERT_EQ(p.open(env, other_stream("missing")), 0);
  ASSERT_EQ(p.send_number(0), 0);
  ASSERT_EQ(rstream_producer_flush(p.handle, flush_call::on, &f), 0);
  ASSERT_TRUE(run_until([&] { return f.calls > 0; }));
  EXPECT_EQ(f.status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_EQ(f.told, 1u);
}

TEST_F(flush, with_a_close_right_behind_it) {
  producer_probe p;
  flush_call f;
  f.p = &p;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  for (int i = 0; i < 100; i++) ASSERT_EQ(p.send_number(0), 0);
  ASSERT_EQ(rstream_producer_flush(p.handle, flush_call::on, &f), 0);
  ASSERT_EQ(p.close(), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(f.calls, 1);
  EXPECT_EQ(f.status, 0);
  EXPECT_EQ(p.confirmed(), 100u);
}

// With nothing to wait for each comes at once, and the loop must get its turn all the
// same.
TEST_F(flush, again_from_its_own_callback) {
  struct again {
    int calls = 0;
    bool stop = false;
    static void on(rstream_producer *handle, int, void *user) {
      auto *a = static_cast<again *>(user);
      ASSERT_LT(a->calls++, 10000000) << "the loop never had its turn";
      if (!a->stop) rstream_producer_flush(handle, on, a);
    }
  } a;
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  ASSERT_EQ(rstream_producer_flush(p.handle, again::on, &a), 0);
  auto reply = ask<exists_reply>([&](auto *r) {
    return rstream_stream_exists(env, stream.c_str(), exists_reply::on, r);
  });
  EXPECT_EQ(reply.exists, 1);
  EXPECT_GT(a.calls, 1);
  a.stop = true;
}

// ---- frames

TEST_F(scenario_23, seventy_messages_of_one_byte_in_small_frames) {
  rstream_env *e = open_env([](auto &o) { o.max_frame_bytes = 512; });
  publish_sizes(e, std::vector<size_t>(70, 1), 512);
}

TEST_F(scenario_23, many_sizes_in_small_frames) {
  rstream_env *e = open_env([](auto &o) { o.max_frame_bytes = 1024; });
  std::vector<size_t> sizes;
  for (size_t i = 0; i <= 1024 - 21; i++) sizes.push_back(i);
  publish_sizes(e, sizes, 1024);
}

// The frames are full before the broker says how large they may be.
TEST_F(scenario_23, frames_are_cut_anew_for_a_broker_that_takes_less) {
  NEEDS_DISTURBANCE();
  offered_frame_size offered(1024);
  rstream_env *e = open_env();
  producer_probe p;
  ASSERT_EQ(p.open(e, stream), 0);
  std::vector<uint64_t> too_large;
  std::vector<std::string> expected;
  for (size_t i = 0; i < 500; i++) {
    std::string body(i * 4, 'm');
    ASSERT_EQ(p.send(body), 0);
    if (body.size() > 1024 - 21) {
      too_large.push_back(p.sent);
    } else {
      expected.push_back(body);
    }
  }
  ASSERT_TRUE(run_until([&] { return p.all_told(); }));
  EXPECT_EQ(p.with_status(RSTREAM_EMSGSIZE), too_large.size());
  EXPECT_EQ(p.confirmed(), expected.size());
  for (uint64_t id : too_large) EXPECT_EQ(p.outcomes[id - 1], RSTREAM_EMSGSIZE);
  EXPECT_EQ(p.send(std::string(1024 - 20, 'm')), RSTREAM_EMSGSIZE);
  EXPECT_EQ(p.send(std::string(1024 - 21, 'm')), 0);
  expected.push_back(std::string(1024 - 21, 'm'));
  consumer_probe c;
  c.keep_bodies = true;
  ASSERT_EQ(c.open_first(e, stream), 0);
  ASSERT_TRUE(run_until([&] { return c.messages == expected.size(); }));
  EXPECT_EQ(c.bodies, expected);
}

TEST_F(scenario_24, one_byte_too_many) {
  for (uint32_t frame : {256u, 1024u, 1048576u}) {
    SCOPED_TRACE(frame);
    rstream_env *e = open_env([&](auto &o) { o.max_frame_bytes = frame; });
    producer_probe p;
    ASSERT_EQ(p.open(e, stream), 0);
    for (bool open : {false, true}) {
      if (open) {
        ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
      }
      EXPECT_EQ(p.send(std::string(frame - 20, 'x')), RSTREAM_EMSGSIZE);
      std::string text = rstream_env_error_text(e);
      EXPECT_NE(text.find(std::to_string(frame - 20)), std::string::npos) << text;
      EXPECT_EQ(p.send(std::string(frame - 21, 'x')), 0);
      EXPECT_EQ(p.send("after"), 0);
    }
    ASSERT_TRUE(run_until([&] { return p.all_told(); }));
    EXPECT_EQ(p.confirmed(), 4u);
    EXPECT_EQ(stats(e).connections_lost, 0u);
  }
}

TEST_F(scenario_24, bodies_of_all_magnitudes) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  std::vector<std::string> bodies;
  for (size_t size : {0, 1, 2, 255, 256, 4095, 4096, 4097, 65535, 65536, 65537, 131072,
                      500000, 1000000, 1048576 - 21}) {
    bodies.push_back(std::string(size, static_cast<char>('a' + size % 26)));
    ASSERT_EQ(p.send(bodies.back()), 0) << size;
    ASSERT_EQ(p.send(std::string()), 0);
    bodies.emplace_back();
  }
  consumer_probe c;
  c.keep_bodies = true;
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.all_told() && c.messages == bodies.size(); }));
  EXPECT_EQ(p.confirmed(), bodies.size());
  for (size_t i = 0; i < bodies.size(); i++) EXPECT_TRUE(c.bodies[i] == bodies[i]) << i;
}
