// Closing producers and consumers: drained, cut short, from inside callbacks, twice.
#include <memory>

#include "fixture.h"

using namespace rstream::test;

namespace {

struct scenario_17 : broker_test {};
struct scenario_41 : broker_test {};
struct scenario_42 : broker_test {};
struct scenario_52 : broker_test {};
struct scenario_53 : broker_test {};

}  // namespace

// ---- 17: close with messages in flight

TEST_F(scenario_17, close_drains_ten_thousand_in_flight) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  p.on_closed = [&] { EXPECT_TRUE(p.all_told()); };
  // All accepted before there is even a connection.
  for (uint64_t i = 0; i < 10000; i++) ASSERT_EQ(p.send_number(i), 0);
  ASSERT_EQ(p.stats().messages_in_flight, 10000u);
  ASSERT_EQ(p.close(), 0);
  EXPECT_EQ(p.send_number(0), RSTREAM_ECLOSED);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(p.close_status, 0);
  EXPECT_EQ(p.confirmed(), 10000u);
  EXPECT_EQ(p.told, 10000u);
  EXPECT_EQ(p.ended, 0) << "a close that was asked for is told by its callback alone";
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return c.messages == 10000; }));
  EXPECT_EQ(c.wrong_bodies, 0u);
}

TEST_F(scenario_17, close_drains_what_an_open_producer_has_in_flight) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  for (uint64_t i = 0; i < 10000; i++) ASSERT_EQ(p.send_number(i), 0);
  ASSERT_EQ(p.close(), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(p.close_status, 0);
  EXPECT_EQ(p.confirmed(), 10000u);
}

TEST_F(scenario_17, with_no_time_the_rest_fails_as_closed) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  for (uint64_t i = 0; i < 10000; i++) ASSERT_EQ(p.send_number(i), 0);
  ASSERT_EQ(p.close_within(0), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(p.close_status, RSTREAM_ECLOSED);
  EXPECT_EQ(p.told, 10000u);
  EXPECT_GT(p.with_status(RSTREAM_ECLOSED), 0u);
  EXPECT_EQ(p.confirmed() + p.with_status(RSTREAM_ECLOSED), 10000u);
}

TEST_F(scenario_17, a_drain_can_be_cut_short) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  for (uint64_t i = 0; i < 10000; i++) ASSERT_EQ(p.send_number(i), 0);
  ASSERT_EQ(p.close(), 0);
  EXPECT_EQ(p.close_within(0), RSTREAM_ECLOSED) << "the first callback stays";
  EXPECT_EQ(rstream_producer_close_within(p.handle, 0, nullptr), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(p.close_status, RSTREAM_ECLOSED);
  EXPECT_EQ(p.with_status(RSTREAM_ECLOSED), 10000u);
}

TEST_F(scenario_17, closing_the_environment_drains_its_producers) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  for (uint64_t i = 0; i < 10000; i++) ASSERT_EQ(p.send_number(i), 0);
  close_env(env);
  EXPECT_EQ(p.confirmed(), 10000u);
  EXPECT_EQ(p.told, 10000u);
}

// ---- 41: close inside the producer's own callbacks

TEST_F(scenario_41, producer_closed_inside_its_confirm_callback) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_batch_messages = 100; }), 0);
  p.on_confirm = [&](const rstream_confirms *) {
    if (p.confirm_calls > 1) return;
    EXPECT_EQ(p.close(), 0);
    EXPECT_EQ(p.close(), RSTREAM_ECLOSED);
    EXPECT_EQ(p.closed, 0) << "called back from inside the call";
    EXPECT_EQ(p.send_number(0), RSTREAM_ECLOSED);
  };
  p.on_closed = [&] { EXPECT_TRUE(p.all_told()); };
  for (int i = 0; i < 10000; i++) ASSERT_EQ(p.send_number(0), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(p.close_status, 0);
  EXPECT_EQ(p.confirmed(), 10000u);
}

TEST_F(scenario_41, producer_given_up_inside_its_confirm_callback) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_batch_messages = 100; }), 0);
  p.on_confirm = [&](const rstream_confirms *) {
    if (p.confirm_calls == 1) {
      EXPECT_EQ(p.close_within(0), 0);
    }
  };
  for (int i = 0; i < 10000; i++) ASSERT_EQ(p.send_number(0), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(p.told, 10000u);
  EXPECT_EQ(p.confirmed() + p.with_status(RSTREAM_ECLOSED), 10000u);
}

TEST_F(scenario_41, producer_closed_inside_its_other_callbacks) {
  enum { in_open, in_writable, in_flushed, in_failed_confirm, in_ended };
  for (int where : {in_open, in_writable, in_flushed, in_failed_confirm, in_ended}) {
    SCOPED_TRACE(where);
    bool missing = where == in_failed_confirm || where == in_ended;
    producer_probe p;
    ASSERT_EQ(p.open(env, missing ? other_stream("missing") : stream,
                     [](auto &o) { o.max_messages_in_flight = 100; }),
              0);
    int tried = 0;
    auto close = [&] {
      if (tried++ == 0) {
        EXPECT_EQ(p.close(), 0);
      }
    };
    if (where == in_writable) p.on_writable = close;
    if (where == in_failed_confirm) p.on_confirm = [&](auto *) { close(); };
    if (where == in_open || where == in_ended) p.on_state = [&](auto *) { close(); };
    while (p.send_number(0) == 0) continue;
    std::function<void()> flushed = [&] {
      if (where == in_flushed) close();
    };
    ASSERT_EQ(rstream_producer_flush(
                  p.handle,
                  [](rstream_producer *, int, void *user) {
                    (*static_cast<std::function<void()> *>(user))();
                  },
                  &flushed),
              0);
    ASSERT_TRUE(run_until([&] { return p.closed > 0; }, 10))
        << tried << " tries, " << p.told << " outcomes of " << p.sent;
    EXPECT_GE(tried, 1);
    EXPECT_EQ(p.told, 100u);
    EXPECT_EQ(p.confirmed(), missing ? 0u : 100u);
  }
}

TEST_F(scenario_41, many_opened_and_closed_inside_confirm_callbacks) {
  constexpr int generations = 50;
  std::vector<std::unique_ptr<producer_probe>> all;
  int closed = 0;
  std::function<void()> next = [&] {
    all.push_back(std::make_unique<producer_probe>());
    producer_probe *p = all.back().get();
    ASSERT_EQ(p->open(env, stream), 0);
    ASSERT_EQ(p->send_number(0), 0);
    p->on_confirm = [&, p](const rstream_confirms *) {
      EXPECT_EQ(p->close(), 0);
      if (all.size() < generations) next();
    };
    p->on_closed = [&] { closed++; };
  };
  next();
  ASSERT_TRUE(run_until([&] { return closed == generations; }));
  EXPECT_EQ(stats().messages_confirmed, static_cast<uint64_t>(generations));
  EXPECT_EQ(stats().connections_for_producers, 1u);
  EXPECT_EQ(stats().producers, 0u);
}

// ---- 42: close inside the consumer's own callbacks

TEST_F(scenario_42, consumer_closed_inside_its_message_callback) {
  publish(stream, 5000);
  consumer_probe c;
  c.on_message = [&](const rstream_message_view *) {
    EXPECT_LE(c.messages, 1000u) << "a message after close";
    if (c.messages < 1000) return;
    EXPECT_EQ(c.close(), 0);
    EXPECT_EQ(c.close(), RSTREAM_ECLOSED);
    EXPECT_EQ(c.closed, 0) << "called back from inside the call";
  };
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
  EXPECT_EQ(c.messages, 1000u);
  EXPECT_EQ(c.close_status, 0);
  EXPECT_EQ(c.ended, 0);
}

TEST_F(scenario_42, consumer_closed_inside_its_chunk_callback) {
  for (uint64_t i = 0; i < 10; i++) publish(stream, 100, i * 100);
  consumer_probe c;
  c.on_chunk = [&](rstream_chunk *chunk) {
    EXPECT_EQ(c.chunks, 1u) << "a chunk after close";
    EXPECT_NE(rstream_chunk_next(chunk), nullptr);
    EXPECT_EQ(c.close(), 0);
    EXPECT_EQ(rstream_chunk_next(chunk), nullptr) << "a message after close";
  };
  ASSERT_EQ(c.open_first(env, stream, consumer_probe::by_chunk), 0);
  ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
  EXPECT_EQ(c.close_status, 0);
}

TEST_F(scenario_42, a_chunk_retained_before_closing_is_read_to_its_end) {
  publish(stream, 100);
  consumer_probe c;
  rstream_chunk *held = nullptr;
  uint64_t expected = 0;
  c.on_chunk = [&](rstream_chunk *chunk) {
    expected = c.infos[0].message_count;
    rstream_chunk_retain(chunk);
    held = chunk;
    EXPECT_EQ(c.close(), 0);
  };
  ASSERT_EQ(c.open_first(env, stream, consumer_probe::by_chunk), 0);
  ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
  uint64_t messages = 0;
  while (rstream_chunk_next(held)) messages++;
  EXPECT_EQ(messages, expected);
  rstream_chunk_release(held);
}

TEST_F(scenario_42, consumer_closed_inside_its_state_callback) {
  publish(stream, 100);
  for (const std::string &s : {stream, other_stream("missing")}) {
    consumer_probe c;
    c.on_state = [&](const rstream_state *) { EXPECT_EQ(c.close(), 0); };
    ASSERT_EQ(c.open_first(env, s), 0);
    ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
    EXPECT_EQ(c.messages, 0u);
  }
}

TEST_F(scenario_42, one_of_two_on_a_connection_closes_the_other_goes_on) {
  publish(stream, 5000);
  consumer_probe a, b;
  b.numbered = true;
  a.on_message = [&](const rstream_message_view *) { EXPECT_EQ(a.close(), 0); };
  ASSERT_EQ(a.open_first(env, stream), 0);
  ASSERT_EQ(b.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return a.closed && b.messages == 5000; }));
  EXPECT_EQ(a.messages, 1u);
  EXPECT_EQ(b.wrong_bodies, 0u);
  EXPECT_EQ(stats().connections_for_consumers, 1u);
  publish(stream, 10, 5000);
  ASSERT_TRUE(run_until([&] { return b.messages == 5010; }));
}

// ---- 52: a million messages given up

TEST_F(scenario_52, a_million_queued_messages_fail_once_each) {
  constexpr uint64_t million = 1000000;
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, [](auto &o) { o.max_messages_in_flight = 1u << 24; }), 0);
  p.outcomes.reserve(million);
  for (uint64_t i = 0; i < million; i++) ASSERT_EQ(p.send_number(i), 0);
  EXPECT_EQ(p.stats().messages_in_flight, million);
  ASSERT_EQ(p.close_within(0), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  EXPECT_EQ(p.close_status, RSTREAM_ECLOSED);
  EXPECT_EQ(p.with_status(RSTREAM_ECLOSED), million);
  EXPECT_EQ(p.told, million);
  EXPECT_EQ(stats().messages_failed, million);
}

TEST_F(scenario_52, a_million_messages_behind_a_closing_environment) {
  constexpr uint64_t million = 1000000;
  producer_probe p;
  ASSERT_EQ(p.open(env, stream,
                   [](auto &o) {
                     o.max_messages_in_flight = 1u << 24;
                     o.max_batch_messages = 1000;
                     o.close_timeout_ms = 1;
                   }),
            0);
  p.outcomes.reserve(million);
  for (uint64_t i = 0; i < million; i++) ASSERT_EQ(p.send("x", 1), 0);
  close_env(env);
  EXPECT_EQ(p.told, million);
}

// ---- 53: misuse

TEST_F(scenario_53, closing_twice) {
  producer_probe p;
  consumer_probe c;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_EQ(c.open_first(env, stream), 0);
  EXPECT_EQ(p.close(), 0);
  EXPECT_EQ(p.close(), RSTREAM_ECLOSED);
  EXPECT_EQ(c.close(), 0);
  EXPECT_EQ(c.close(), RSTREAM_ECLOSED);
  EXPECT_EQ(begin_close_env(env), 0);
  EXPECT_EQ(rstream_env_close(env, nullptr, nullptr), RSTREAM_ECLOSED);
  rstream_env *closing = env;
  ASSERT_TRUE(run_until([&] { return !env_is_open(closing); }));
  EXPECT_EQ(p.closed, 1);
  EXPECT_EQ(c.closed, 1);
}

TEST_F(scenario_53, nothing_is_opened_or_asked_while_closing) {
  ASSERT_EQ(begin_close_env(env), 0);
  producer_probe p;
  consumer_probe c;
  EXPECT_EQ(p.open(env, stream), RSTREAM_ECLOSED);
  EXPECT_EQ(p.handle, nullptr);
  EXPECT_EQ(c.open_first(env, stream), RSTREAM_ECLOSED);
  EXPECT_EQ(c.handle, nullptr);
  EXPECT_EQ(rstream_stream_create(env, "x", nullptr, result_reply::on, nullptr),
            RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_query_offset(env, "x", "x", value_reply::on, nullptr),
            RSTREAM_ECLOSED);
  rstream_env *closing = env;
  ASSERT_TRUE(run_until([&] { return !env_is_open(closing); }));
}

TEST_F(scenario_53, use_after_a_handle_ended) {
  producer_probe p;
  consumer_probe c;
  ASSERT_EQ(p.open(env, other_stream("missing")), 0);
  ASSERT_EQ(c.open(env, other_stream("missing"), consumer_probe::by_message,
                   [](auto &o) { o.name = "app"; }),
            0);
  ASSERT_TRUE(run_until([&] { return p.ended && c.ended; }));
  EXPECT_EQ(p.send_number(0), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_producer_flush(p.handle, nullptr, nullptr), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_consumer_store_offset(c.handle, 0), RSTREAM_ECLOSED);
  EXPECT_EQ(p.stats().messages_sent, 0u);
  EXPECT_EQ(c.stats().messages, 0u);
}

TEST_F(scenario_53, null_arguments) {
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  rstream_producer *producer = nullptr;
  rstream_consumer *consumer = nullptr;
  rstream_producer_options po;
  rstream_consumer_options co;
  rstream_producer_options_init(&po);
  rstream_consumer_options_init(&co);
  EXPECT_EQ(rstream_env_create(nullptr, &loop, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_close(nullptr, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_run(nullptr, 0), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_post(env, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_stats_get(env, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_open(nullptr, env, &po), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_open(&producer, nullptr, &po), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_open(&producer, env, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_open(&producer, env, &po), RSTREAM_EINVAL) << "no stream";
  EXPECT_EQ(rstream_producer_send(p.handle, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_send_bytes(p.handle, nullptr, 1, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_send_bytes(nullptr, "x", 1, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_flush(nullptr, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_close(nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_consumer_open(&consumer, env, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_consumer_open(&consumer, env, &co), RSTREAM_EINVAL);
  co.stream = stream.c_str();
  EXPECT_EQ(rstream_consumer_open(&consumer, env, &co), RSTREAM_EINVAL) << "no callback";
  EXPECT_EQ(rstream_consumer_close(nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_chunk_next(nullptr), nullptr);
  rstream_chunk_release(nullptr);
  EXPECT_EQ(producer, nullptr);
  EXPECT_EQ(consumer, nullptr);
}

TEST_F(scenario_53, options_out_of_range) {
  auto producer = [&](void (*set)(rstream_producer_options &)) {
    producer_probe p;
    return p.open(env, stream, set);
  };
  auto consumer = [&](void (*set)(rstream_consumer_options &)) {
    consumer_probe c;
    return c.open(env, stream, consumer_probe::by_message, set);
  };
  static const std::string long_name(256, 'n');
  EXPECT_EQ(producer([](auto &o) { o.name = long_name.c_str(); }), RSTREAM_EINVAL);
  EXPECT_STREQ(rstream_env_error_text(env),
               "the producer's name is 256 bytes long, at most 255 are allowed");
  EXPECT_EQ(producer([](auto &o) { o.stream = long_name.c_str(); }), RSTREAM_EINVAL);
  EXPECT_EQ(producer([](auto &o) { o.max_messages_in_flight = (1u << 24) + 1; }),
            RSTREAM_EINVAL);
  EXPECT_EQ(producer([](auto &o) { o.max_batch_bytes = 255; }), RSTREAM_EINVAL);
  EXPECT_EQ(producer([](auto &o) { o.max_batch_bytes = (16u << 20) + 1; }),
            RSTREAM_EINVAL);
  EXPECT_EQ(producer([](auto &o) { o.linger_ms = 60001; }), RSTREAM_EINVAL);
  EXPECT_EQ(producer([](auto &o) { o.struct_size = 0; }), RSTREAM_EINVAL);
  EXPECT_EQ(consumer([](auto &o) { o.name = long_name.c_str(); }), RSTREAM_EINVAL);
  EXPECT_EQ(consumer([](auto &o) { o.initial_credit = 32768; }), RSTREAM_EINVAL);
  EXPECT_EQ(
      consumer([](auto &o) { o.offset_type = static_cast<rstream_offset_type>(6); }),
      RSTREAM_EINVAL);
  EXPECT_EQ(consumer([](auto &o) {
              o.on_chunk = [](rstream_consumer *, rstream_chunk *, void *) {};
            }),
            RSTREAM_EINVAL)
      << "two callbacks";
}
