// Offsets of consumers: which one is stored, when, by whom, and where the next consumer
// of the name begins.
#include "consuming.h"

using namespace rstream::test;

namespace {

constexpr uint32_t never = 24u * 3600 * 1000;  // ms

struct tracking : consuming {
  void open(consumer_probe &c,
            const std::function<void(rstream_consumer_options &)> &more,
            consumer_probe::mode how = consumer_probe::by_message) {
    c.keep_numbers = true;
    ASSERT_EQ(c.open(env, stream, how,
                     [&](rstream_consumer_options &o) {
                       named("app")(o);
                       if (more) more(o);
                     }),
              0);
  }
  // A consumer of the name that has no wishes of its own gets the rest from here on.
  void expect_resumes_at(uint64_t number) {
    consumer_probe c;
    open(c, [](auto &o) { o.tracking = RSTREAM_TRACKING_MANUAL; });
    ASSERT_TRUE(wait_for(c, published - 1));
    EXPECT_EQ(c.numbers, numbers(number, published - 1));
  }
  int stored_status() { return query("app").status; }
};

void only_by_count(rstream_consumer_options &o) {
  o.store_every_messages = 25;
  o.store_interval_ms = never;
}
void only_by_interval(rstream_consumer_options &o) {
  o.store_every_messages = UINT32_MAX;
  o.store_interval_ms = 20;
}
void only_when_closing(rstream_consumer_options &o) {
  o.store_every_messages = UINT32_MAX;
  o.store_interval_ms = never;
}
void manual(rstream_consumer_options &o) { o.tracking = RSTREAM_TRACKING_MANUAL; }

}  // namespace

// ---- automatic

TEST_F(tracking, by_count_and_the_rest_when_closing) {
  publish_singly(24);
  consumer_probe c;
  open(c, only_by_count);
  ASSERT_TRUE(wait_for(c, 23));
  // A round trip on the consumer's own connection: a store would have come before it.
  EXPECT_EQ(stored_status(), RSTREAM_BROKER_NO_OFFSET);
  EXPECT_EQ(c.stats().has_stored, 0);
  publish_singly(1);
  wait_stored("app", 24);
  EXPECT_EQ(c.stats().stored_offset, 24u);
  publish_singly(3);
  ASSERT_TRUE(wait_for(c, 27));
  EXPECT_EQ(c.stats().stored_offset, 24u);
  EXPECT_EQ(c.stats().finished_offset, c.last_offset + 1);
  EXPECT_EQ(query("app").value, 24u);
  close(c);
  wait_stored("app", c.last_offset);
  publish_singly(2);
  expect_resumes_at(28);
}

// Scenario 90, as far as a clock that nobody turns can show it; test/sim has the rest.
TEST_F(tracking, scenario_90_by_interval) {
  consumer_probe c;
  open(c, only_by_interval);
  for (uint64_t i = 0; i < 3; i++) {
    publish_more(1);
    ASSERT_TRUE(wait_for(c, i));
    wait_stored("app", c.last_offset);
    EXPECT_EQ(c.stats().stored_offset, c.last_offset);
  }
}

TEST_F(tracking, nothing_is_stored_when_nothing_was_consumed) {
  publish_more(10);
  for (rstream_offset_type type : {RSTREAM_OFFSET_NEXT, RSTREAM_OFFSET_OFFSET}) {
    consumer_probe c;
    open(c, [&](auto &o) {
      only_by_interval(o);
      o.offset_type = type;
      o.offset_value = 10;
    });
    ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
    EXPECT_EQ(c.stats().has_finished, 0);
    close(c);
    EXPECT_EQ(stored_status(), RSTREAM_BROKER_NO_OFFSET);
  }
}

// Scenario 88: offset 0 is an offset, and "stored" another thing than "0".
TEST_F(tracking, scenario_88_a_stream_of_one_message_is_not_replayed) {
  publish_more(1);
  {
    consumer_probe c;
    open(c, only_when_closing);
    ASSERT_TRUE(wait_for(c, 0));
    close(c);
  }
  wait_stored("app", 0);
  // As after a restart: nothing is remembered but what the broker has.
  close_env(env);
  env = open_env();
  consumer_probe c;
  open(c, only_when_closing);
  ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
  EXPECT_EQ(c.stats().has_stored, 1);
  EXPECT_EQ(c.stats().stored_offset, 0u);
  publish_more(1);
  ASSERT_TRUE(wait_for(c, 1));
  EXPECT_EQ(c.numbers, numbers(1, 1));
}

// Scenario 94: who stores by hand may go back, the library never does by itself.
TEST_F(tracking, scenario_94_automatic_tracking_never_stores_a_lower_offset) {
  publish_more(10);
  EXPECT_EQ(store("app", 1u << 20), 0);
  wait_stored("app", 1u << 20);
  {
    consumer_probe c;
    open(c, only_by_interval);
    ASSERT_TRUE(run_until([&] { return c.opened > 0; }));
    publish_more(10);
    // What is below the stored one is passed over.
    ASSERT_TRUE(run_until([&] { return c.stats().messages_filtered == 10; }));
    EXPECT_EQ(c.messages, 0u);
    close(c);
  }
  EXPECT_EQ(query("app").value, 1u << 20);
  {
    consumer_probe c;
    open(c, [&](auto &o) {
      only_when_closing(o);
      o.name = "other";
    });
    ASSERT_TRUE(wait_for(c, published - 1));
    ASSERT_EQ(rstream_consumer_store_offset(c.handle, 100), 0);
    wait_stored("other", 100);
    close(c);
  }
  EXPECT_EQ(query("other").value, 100u);
}

TEST_F(tracking, scenario_94_by_hand_it_may) {
  publish_more(10);
  consumer_probe c;
  open(c, manual);
  ASSERT_TRUE(wait_for(c, 9));
  ASSERT_EQ(rstream_consumer_store_offset(c.handle, 7), 0);
  wait_stored("app", 7);
  ASSERT_EQ(rstream_consumer_store_offset(c.handle, 3), 0);
  wait_stored("app", 3);
  expect_resumes_at(4);
}

// ---- by hand, elsewhere, not at all

TEST_F(tracking, by_hand_nothing_is_stored_unasked) {
  publish_singly(5);
  {
    consumer_probe c;
    open(c, [](auto &o) {
      manual(o);
      o.store_every_messages = 1;
      o.store_interval_ms = 1;
    });
    ASSERT_TRUE(wait_for(c, 4));
    EXPECT_EQ(c.stats().finished_offset, 5u);
    close(c);
  }
  EXPECT_EQ(stored_status(), RSTREAM_BROKER_NO_OFFSET);
  expect_resumes_at(0);
}

TEST_F(tracking, a_consumer_asks_for_its_offset_itself) {
  publish_more(3);
  consumer_probe c;
  open(c, manual);
  ASSERT_TRUE(wait_for(c, 2));
  auto stored = [&] {
    static value_reply *to;
    value_reply reply;
    to = &reply;
    auto on_result = [](rstream_consumer *, int status, uint64_t offset, void *) {
      value_reply::on(nullptr, status, offset, to);
    };
    EXPECT_EQ(rstream_consumer_query_offset(c.handle, on_result, nullptr), 0);
    EXPECT_TRUE(run_until([&] { return reply.calls > 0; }));
    return reply;
  };
  EXPECT_EQ(stored().status, RSTREAM_BROKER_NO_OFFSET);
  // In order on the one connection, so nothing has to be waited for.
  ASSERT_EQ(rstream_consumer_store_offset(c.handle, 2), 0);
  EXPECT_EQ(stored().value, 2u);
}

TEST_F(tracking, in_a_store_of_the_applications_own) {
  publish_singly(4);
  static std::vector<uint64_t> kept;
  kept.clear();
  auto own_store = [](rstream_consumer_options &o) {
    o.store_every_messages = 4;
    o.store_interval_ms = never;
    o.on_store_offset = [](rstream_consumer *, uint64_t offset, void *) {
      kept.push_back(offset);
    };
  };
  auto begin = [](consumer_probe &c) {
    c.on_update = [&c](bool active) {
      EXPECT_TRUE(active);
      if (kept.empty()) return RSTREAM_UPDATE_DEFAULT;
      EXPECT_EQ(
          rstream_consumer_update_done(c.handle, RSTREAM_OFFSET_OFFSET, kept.back() + 1),
          0);
      return RSTREAM_UPDATE_LATER;
    };
  };
  {
    consumer_probe c;
    begin(c);
    open(c, own_store);
    ASSERT_TRUE(run_until([&] { return !kept.empty(); }));
    publish_singly(2);
    ASSERT_TRUE(wait_for(c, 5));
    EXPECT_EQ(c.numbers, numbers(0, 5));
    EXPECT_EQ(kept, std::vector<uint64_t>({3}));
    close(c);
  }
  EXPECT_EQ(kept, std::vector<uint64_t>({3, 5})) << "the rest, when closing";
  publish_singly(3);
  consumer_probe c;
  begin(c);
  open(c, [&](auto &o) {
    own_store(o);
    o.name = nullptr;  // it needs none
  });
  ASSERT_TRUE(wait_for(c, 8));
  EXPECT_EQ(c.numbers, numbers(6, 8));
  EXPECT_EQ(c.updates, "+");
  EXPECT_EQ(query("app").status, RSTREAM_BROKER_NO_OFFSET);
}

TEST_F(tracking, without_tracking_a_name_is_but_a_name) {
  publish_more(5);
  EXPECT_EQ(store("app", 2), 0);
  wait_stored("app", 2);
  consumer_probe c;
  open(c, [](auto &o) { o.tracking = RSTREAM_TRACKING_NONE; });
  ASSERT_TRUE(wait_for(c, 4));
  EXPECT_EQ(c.numbers, numbers(0, 4));
  close(c);
  EXPECT_EQ(query("app").value, 2u);
}

// ---- what is finished

// Chunks are finished in any order; what is stored has nothing unfinished below it.
TEST_F(tracking, nothing_above_an_unfinished_chunk_is_stored) {
  publish_singly(6);
  consumer_probe c;
  std::vector<rstream_chunk *> held;
  c.on_chunk = [&](rstream_chunk *chunk) {
    rstream_chunk_retain(chunk);
    held.push_back(chunk);
  };
  open(
      c,
      [](auto &o) {
        o.store_every_messages = 1;
        o.store_interval_ms = never;
      },
      consumer_probe::by_chunk);
  ASSERT_TRUE(run_until([&] { return held.size() == 6; }));
  for (size_t i : {5, 3, 1}) rstream_chunk_release(held[i]);
  EXPECT_EQ(c.stats().has_finished, 0);
  EXPECT_EQ(stored_status(), RSTREAM_BROKER_NO_OFFSET);
  rstream_chunk_release(held[0]);
  wait_stored("app", 1);
  rstream_chunk_release(held[2]);
  wait_stored("app", 3);
  EXPECT_EQ(c.stats().finished_offset, 4u);
  // The fifth never is: it comes again.
  close(c);
  EXPECT_EQ(query("app").value, 3u);
  expect_resumes_at(4);
  rstream_chunk_release(held[4]);
}
