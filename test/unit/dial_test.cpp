// Dialling: which address is tried when, and who is kept.
#include "net/dial.h"

#include <gtest/gtest.h>
#include <uv.h>

#include <string>
#include <vector>

#include "fake_net.h"
#include "rstream/error.h"

using namespace rstream;
using namespace rstream::test;

namespace {

struct attempt {
  transport base{};  // first: the operations get a pointer to it
  size_t place = 0;
  bool closed = false;
};

attempt &attempt_of(transport *t) { return *reinterpret_cast<attempt *>(t); }

// A world in which addresses are numbers, and answer when the test says so.
struct dialler : testing::Test {
  static inline dialler *test = nullptr;
  fake_net world;
  net_ops ops = *world.base.ops;
  dial d;
  attempt attempts[net_max_addresses];
  std::vector<size_t> begun;
  std::vector<size_t> impossible;  // addresses that can't even be tried
  int calls = 0;
  int status = 1;
  transport *link = nullptr;
  bool talks_to_owner = false;

  static void close(transport *t) {
    EXPECT_FALSE(attempt_of(t).closed) << "closed twice";
    attempt_of(t).closed = true;
  }
  static int connect(net *base, transport **t, const net_address &address,
                     const transport_events *events, void *owner) {
    static constexpr transport_ops transport_ops = {nullptr, close};
    size_t place = address.bytes[0];
    test->begun.push_back(place);
    *t = nullptr;
    for (size_t i : test->impossible) {
      if (i == place) return UV_ENETUNREACH;
    }
    attempt &a = test->attempts[place];
    a.base = {&transport_ops, base, events, owner, nullptr};
    a.place = place;
    *t = &a.base;
    return 0;
  }
  static constexpr transport_events link_events = {
      nullptr, nullptr,
      [](void *owner, ptrdiff_t) {
        static_cast<dialler *>(owner)->talks_to_owner = true;
      },
      nullptr};

  void SetUp() override {
    ops.connect = connect;
    world.base.ops = &ops;
    d.events = &link_events;
    d.owner = this;
    test = this;
    d.on_done = [](dial *, transport *t, int code) {
      test->calls++;
      test->link = t;
      test->status = code;
    };
  }
  void TearDown() override {
    EXPECT_EQ(d.world, nullptr) << "not idle in the end";
    EXPECT_EQ(world.wake_at_ms, net_never) << "a timer is left";
  }

  void start(size_t count) {
    net_address addresses[2 * net_max_addresses] = {};
    for (size_t i = 0; i < count; i++) addresses[i].bytes[0] = static_cast<uint8_t>(i);
    dial_start(d, world.base, {addresses, count});
  }
  void answer(size_t place, int code) {
    transport &t = attempts[place].base;
    t.events->on_connected(t.owner, code);
  }
  void reach(size_t place) {
    transport &t = attempts[place].base;
    t.events->on_reached(t.owner);
  }
  std::string tried() const {
    std::string text;
    for (size_t place : begun) text += std::to_string(place);
    return text;
  }
  // What is neither closed nor handed over.
  size_t left() const {
    size_t n = 0;
    for (size_t place : begun) {
      const attempt &a = attempts[place];
      n += a.base.ops && !a.closed && &a.base != link;
    }
    return n;
  }
  void expect_done(int code, const char *text) {
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(status, code);
    EXPECT_EQ(link, nullptr);
    EXPECT_STREQ(d.text, text);
    EXPECT_EQ(left(), 0u);
  }
  void expect_connected(size_t place) {
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(status, 0);
    ASSERT_EQ(link, &attempts[place].base);
    EXPECT_FALSE(attempts[place].closed);
    EXPECT_EQ(left(), 0u);
    link->events->on_read(link->owner, 1);
    EXPECT_TRUE(talks_to_owner);
  }
};

}  // namespace

TEST_F(dialler, one_that_answers_is_the_only_one_tried) {
  start(3);
  world.advance(dial_pause_ms - 1);
  EXPECT_EQ(calls, 0);
  answer(0, 0);
  expect_connected(0);
  EXPECT_EQ(tried(), "0");
}

TEST_F(dialler, the_next_one_is_tried_beside_one_that_is_silent) {
  start(3);
  world.advance(dial_pause_ms - 1);
  EXPECT_EQ(tried(), "0");
  world.advance(1);
  EXPECT_EQ(tried(), "01");
  world.advance(dial_pause_ms - 1);
  EXPECT_EQ(tried(), "01");
  world.advance(1);
  EXPECT_EQ(tried(), "012");
  EXPECT_EQ(left(), 3u);
  answer(1, 0);
  expect_connected(1);
}

TEST_F(dialler, one_that_was_given_a_head_start_may_still_be_first) {
  start(2);
  world.advance(dial_pause_ms);
  answer(0, 0);
  expect_connected(0);
  EXPECT_TRUE(attempts[1].closed);
}

TEST_F(dialler, the_next_one_is_tried_at_once_when_one_fails) {
  start(4);
  answer(0, UV_ECONNREFUSED);
  EXPECT_EQ(tried(), "01");
  EXPECT_TRUE(attempts[0].closed);
  world.advance(dial_pause_ms - 1);
  answer(1, UV_EHOSTUNREACH);
  EXPECT_EQ(tried(), "012");
  // Its head start is a whole one.
  world.advance(dial_pause_ms - 1);
  EXPECT_EQ(tried(), "012");
  world.advance(1);
  EXPECT_EQ(tried(), "0123");
  answer(3, 0);
  expect_connected(3);
}

TEST_F(dialler, those_that_cannot_be_tried_are_passed_over) {
  impossible = {0, 1, 3};
  start(4);
  EXPECT_EQ(tried(), "012");
  answer(2, UV_ECONNREFUSED);
  expect_done(UV_ENETUNREACH, "network is unreachable");
  EXPECT_EQ(tried(), "0123");
}

TEST_F(dialler, none_can_be_tried) {
  impossible = {0, 1};
  start(2);
  expect_done(UV_ENETUNREACH, "network is unreachable");
}

TEST_F(dialler, all_fail) {
  start(3);
  for (size_t i = 0; i < 3; i++) {
    EXPECT_EQ(calls, 0);
    answer(i, UV_ECONNREFUSED);
  }
  expect_done(UV_ECONNREFUSED, "connection refused");
}

TEST_F(dialler, the_last_one_that_is_waited_for_decides) {
  start(2);
  world.advance(dial_pause_ms);
  answer(1, UV_ECONNREFUSED);
  EXPECT_EQ(calls, 0);
  answer(0, 0);
  expect_connected(0);
}

TEST_F(dialler, what_a_peer_showed_is_worth_more_than_that_there_was_none) {
  start(3);
  reach(0);
  attempts[0].base.trouble = "certificate has expired";
  answer(0, RSTREAM_ECERT);
  answer(1, UV_ECONNREFUSED);
  answer(2, UV_ECONNREFUSED);
  expect_done(RSTREAM_ECERT, "certificate has expired");
}

TEST_F(dialler, a_peer_that_shakes_hands_is_given_more_time) {
  start(3);
  world.advance(dial_pause_ms - 1);
  reach(0);
  world.advance(dial_handshake_pause_ms - 1);
  EXPECT_EQ(tried(), "0");
  world.advance(1);
  EXPECT_EQ(tried(), "01");
  answer(1, 0);
  expect_connected(1);
}

TEST_F(dialler, at_the_deadline_all_that_are_under_way_have_failed) {
  start(3);
  reach(0);
  attempts[0].base.trouble = "the peer does not finish the TLS handshake";
  world.advance(dial_handshake_pause_ms);
  EXPECT_EQ(tried(), "01");
  dial_give_up(d, RSTREAM_ETIMEDOUT);
  expect_done(RSTREAM_ETIMEDOUT, "the peer does not finish the TLS handshake");
}

TEST_F(dialler, at_the_deadline_of_silent_ones) {
  start(2);
  world.advance(dial_pause_ms);
  dial_give_up(d, RSTREAM_ETIMEDOUT);
  expect_done(RSTREAM_ETIMEDOUT, "the deadline passed");
}

TEST_F(dialler, out_of_memory_is_told_as_that) {
  start(1);
  answer(0, UV_ENOMEM);
  expect_done(RSTREAM_ENOMEM, "not enough memory");
}

TEST_F(dialler, stopping_closes_everything_and_nothing_follows) {
  dial_stop(d);  // idle
  start(3);
  world.advance(dial_pause_ms);
  world.advance(dial_pause_ms);
  EXPECT_EQ(left(), 3u);
  dial_stop(d);
  EXPECT_EQ(left(), 0u);
  world.advance(10 * dial_pause_ms);
  EXPECT_EQ(tried(), "012");
  EXPECT_EQ(calls, 0);
}

TEST_F(dialler, more_addresses_than_are_kept) {
  start(2 * net_max_addresses);
  for (size_t i = 0; i < net_max_addresses; i++) answer(i, UV_ECONNREFUSED);
  expect_done(UV_ECONNREFUSED, "connection refused");
  EXPECT_EQ(begun.size(), net_max_addresses);
}

TEST_F(dialler, again_after_it_failed) {
  start(1);
  answer(0, UV_ECONNREFUSED);
  expect_done(UV_ECONNREFUSED, "connection refused");
  calls = 0;
  attempts[0] = {};
  start(1);
  answer(0, 0);
  expect_connected(0);
}
