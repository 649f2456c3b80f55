// Where ways to publish meet: limits of frames and budgets, refusals, and what the
// application does in the middle of it.
#include "publishing.h"
#include "unit/noise.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

constexpr uint32_t frame_max = 1024;
// Behind the header of a frame of that size, an entry's header.
constexpr size_t largest_body = frame_max - 21;

struct publish_edges : publishing {
  void open_on_small_frames(rstream_producer_options o) {
    cluster().options.frame_max = frame_max;
    open(o);
  }
  void expect_all_confirmed(size_t messages) {
    ASSERT_TRUE(wait_for(messages));
    for (const producer_log::outcome &o : log->outcomes) EXPECT_EQ(o.status, 0) << o.id;
    EXPECT_EQ(log->outcomes.size(), messages);
    EXPECT_EQ(invoices().next_offset, messages);
    expect_nothing_in_flight();
  }
  void release_commits() {
    invoices().hold_commits = false;
    fake::stream_commit(invoices());
  }
  void expect_nothing_in_flight() {
    EXPECT_EQ(producer_stats().messages_in_flight, 0u);
    EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
    EXPECT_EQ(producer_stats().unknown_confirms, 0u);
    EXPECT_EQ(env->bytes_in_flight, 0u);
  }
};

}  // namespace

// ---- frames

// The bits of so many messages alone are more than the slab of the small frame has left.
TEST_F(publish_edges, a_sub_entry_of_the_most_messages_comes_after_a_small_frame) {
  rstream_producer_options o = producer_options();
  o.max_messages_in_flight = 200000;
  open(o);
  for (rstream_compression c : {RSTREAM_COMPRESSION_NONE, RSTREAM_COMPRESSION_GZIP}) {
    ASSERT_EQ(send_sub_entry({message("small")}), 0);
    ASSERT_EQ(send_sub_entry(std::vector<rstream_message>(65535, message("")), c), 0);
  }
  expect_all_confirmed(2 * 65536);
}

TEST_F(publish_edges, an_unfiltered_message_may_fill_a_frame_among_filtered_ones) {
  open_on_small_frames(producer_options());
  std::string largest(largest_body, 'x');
  ASSERT_EQ(send_message(filtered("a", "f")), 0);
  EXPECT_EQ(send_message(message(largest)), 0) << last_error();
  ASSERT_EQ(send_message(filtered("b", "f")), 0);
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(frames, "v2 1[f]=a | v1 2=" + largest + " | v2 3[f]=b | ");
  EXPECT_EQ(largest_frame, frame_max);
}

// The frame at hand takes no filter values, the next one would.
TEST_F(publish_edges, a_frame_is_not_too_large_because_it_is_a_new_one) {
  open_on_small_frames(producer_options());
  std::string largest(largest_body, 'x');
  ASSERT_EQ(send_message(filtered("a", "f")), 0);
  ASSERT_EQ(send_sub_entry({message("b")}), 0);
  ASSERT_EQ(send_message(message(largest)), 0) << last_error();
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(largest_frame, frame_max);
  EXPECT_EQ(log->summary(), "1:0 2:0 3:0");
}

// Scenario 23, with one message that fills its frame exactly for each way.
TEST_F(publish_edges, scenario_23_frames_are_split_by_their_exact_size) {
  struct way {
    const char *name;
    rstream_codec codec;
    uint32_t sub_entry;
    rstream_compression compression;
    const char *filter;
    size_t overhead;  // of the largest message
  };
  const way ways[] = {
      {"plain", RSTREAM_CODEC_RAW, 0, RSTREAM_COMPRESSION_NONE, nullptr, 12},
      {"AMQP", RSTREAM_CODEC_AMQP, 0, RSTREAM_COMPRESSION_NONE, nullptr, 20},
      {"filtered", RSTREAM_CODEC_RAW, 0, RSTREAM_COMPRESSION_NONE, "abc", 17},
      {"sub-entries", RSTREAM_CODEC_RAW, 50, RSTREAM_COMPRESSION_NONE, nullptr, 23},
      {"AMQP sub-entries", RSTREAM_CODEC_AMQP, 50, RSTREAM_COMPRESSION_NONE, nullptr, 31},
      {"gzip sub-entries", RSTREAM_CODEC_RAW, 50, RSTREAM_COMPRESSION_GZIP, nullptr, 23},
  };
  cluster().options.frame_max = frame_max;
  watch();
  for (const way &w : ways) {
    SCOPED_TRACE(w.name);
    uint64_t before = invoices().next_offset;
    rstream_producer_options o = producer_options();
    o.codec = w.codec;
    o.sub_entry_messages = w.sub_entry;
    o.compression = w.compression;
    p = open_producer(*log, o);
    for (int i = 0; i < 70; i++) ASSERT_EQ(send_message(filtered("x", w.filter)), 0);
    ASSERT_TRUE(wait_for(70));
    largest_frame = 0;
    size_t largest = frame_max + 4 - wire::publish_header_bytes - w.overhead;
    std::string body = noise(largest + 1, 1);
    EXPECT_EQ(send_message(filtered(body, w.filter)), RSTREAM_EMSGSIZE);
    body.pop_back();
    ASSERT_EQ(send_message(filtered(body, w.filter)), 0) << last_error();
    ASSERT_EQ(send_message(filtered("y", w.filter)), 0);
    ASSERT_TRUE(wait_for(72));
    EXPECT_EQ(largest_frame, frame_max);
    EXPECT_EQ(invoices().next_offset - before, 72u);
    expect_nothing_in_flight();
    for (const producer_log::outcome &each : log->outcomes) EXPECT_EQ(each.status, 0);
    renew();
  }
}

TEST_F(publish_edges, completions_take_no_memory_where_there_are_none) {
  open();
  ASSERT_EQ(send_sub_entry(std::vector<rstream_message>(100, message("x"))), 0);
  EXPECT_EQ(p->completions.capacity, 0u);
  ASSERT_EQ(send_sub_entry({message("x"), told_message("y"), told_message("z")}), 0);
  ASSERT_TRUE(wait_for(103));
  EXPECT_EQ(told, "102:0 103:0 ");
}

// ---- becoming open

// Before its frames fit the broker's limit nothing may go out, whatever callbacks do.
TEST_F(publish_edges, outcomes_while_becoming_open_send_nothing_too_early) {
  cluster().options.version = "3.12.0";
  cluster().options.frame_max = 400;
  rstream_producer_options o = producer_options();
  o.on_confirm = [](rstream_producer *q, const rstream_confirms *c, void *user) {
    for (size_t i = 0; i < c->count; i++)
      producer_log::of(user)->outcomes.push_back({c->ids[i], c->status});
    if (c->status == 0) return;
    EXPECT_EQ(rstream_producer_send_bytes(q, "late", 4, nullptr), 0);
    EXPECT_EQ(rstream_producer_flush(q, nullptr, nullptr), 0);
  };
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  watch();
  std::string body(100, 'x');
  for (int i = 0; i < 6; i++) send(p, body);
  send(p, std::string(500, 'y'));
  ASSERT_EQ(send_message(filtered("a", "f")), 0);
  ASSERT_TRUE(wait_for(10));
  EXPECT_LE(largest_frame, 400u);
  EXPECT_EQ(log->summary(), "8:-20011 7:-20007 1:0 2:0 3:0 4:0 5:0 6:0 9:0 10:0");
  EXPECT_EQ(invoices().next_offset, 8u) << "none is stored twice";
  expect_nothing_in_flight();
}

TEST_F(publish_edges, where_filter_values_were_refused_the_rest_goes_out_without) {
  cluster().options.version = "3.12.0";
  rstream_producer_options o = producer_options();
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  watch();
  ASSERT_EQ(send_message(filtered("a", "f")), 0);
  ASSERT_TRUE(wait_for(1));
  send(p, "b");
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log->summary(), "1:-20011 2:0");
  EXPECT_EQ(frames, "v1 2=b | ");
}

// ---- windows and budgets

TEST_F(publish_edges, a_full_window_does_not_linger) {
  rstream_producer_options o = producer_options();
  o.linger_ms = 60000;
  o.max_messages_in_flight = 2;
  open(o);
  for (int i = 0; i < 2; i++) send(p, "a");
  EXPECT_EQ(rstream_producer_send_bytes(p, "b", 1, nullptr), RSTREAM_EAGAIN);
  ASSERT_TRUE(run_until([&] { return log->writable > 0; }));
  expect_all_confirmed(2);
}

// What a frame that is being filled might yet need is set aside, but not for long.
TEST_F(publish_edges, the_budget_that_a_frame_did_not_use_is_free_when_it_is_closed) {
  options.max_bytes_in_flight = 3000;
  open();
  producer_log &other = new_producer_log();
  rstream_producer *q = open_producer(other, other.options());
  invoices().hold_commits = true;
  send(p, "a");
  EXPECT_EQ(rstream_producer_send_bytes(q, "b", 1, nullptr), RSTREAM_EAGAIN);
  ASSERT_TRUE(run_until([&] { return other.writable > 0; }));
  EXPECT_EQ(log->outcomes.size(), 0u);
  send(q, "b");
  release_commits();
  ASSERT_TRUE(
      run_until([&] { return other.outcomes.size() + log->outcomes.size() == 2; }));
  EXPECT_EQ(env->bytes_in_flight, 0u);
}

// Half of it may stay used for ever: what has nothing in flight need not wait for that.
TEST_F(publish_edges, a_stalled_producer_keeps_no_other_from_what_is_left) {
  options.max_bytes_in_flight = 5000;
  open();
  producer_log &other = new_producer_log();
  rstream_producer *q = open_producer(other, other.options());
  invoices().hold_commits = true;
  send(p, std::string(1988, 'x'));
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 1; }));
  send(p, std::string(2988, 'x'));
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 2; }));
  EXPECT_EQ(env->bytes_in_flight, 5000u);
  EXPECT_EQ(rstream_producer_send_bytes(q, "b", 1, nullptr), RSTREAM_EAGAIN);
  fake::stream_commit(invoices(), 1);
  ASSERT_TRUE(run_until([&] { return other.writable > 0; }));
  EXPECT_EQ(env->bytes_in_flight, 3000u);
  EXPECT_EQ(log->writable, 0);
  send(q, "b");
  release_commits();
  ASSERT_TRUE(
      run_until([&] { return other.outcomes.size() + log->outcomes.size() == 3; }));
  EXPECT_EQ(env->bytes_in_flight, 0u);
}

// The same for one whose last message gets its outcome while it waits.
TEST_F(publish_edges, a_producer_that_is_done_waits_for_its_share_only) {
  options.max_bytes_in_flight = 5000;
  open();
  producer_log &other = new_producer_log();
  rstream_producer *q = open_producer(other, other.options());
  invoices().hold_commits = true;
  send(q, std::string(1988, 'x'));
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 1; }));
  send(p, std::string(2988, 'x'));
  EXPECT_EQ(rstream_producer_send_bytes(q, "b", 1, nullptr), RSTREAM_EAGAIN);
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 2; }));
  EXPECT_EQ(other.writable, 0);
  fake::stream_commit(invoices(), 1);
  ASSERT_TRUE(run_until([&] { return other.writable > 0; }));
  EXPECT_EQ(log->outcomes.size(), 0u);
  send(q, "b");
  release_commits();
  ASSERT_TRUE(
      run_until([&] { return other.outcomes.size() + log->outcomes.size() == 3; }));
  EXPECT_EQ(env->bytes_in_flight, 0u);
}

// One that still has something in flight goes on when half of the budget is free, even if
// that something never gets its outcome.
TEST_F(publish_edges, a_waiting_producer_goes_on_at_half_of_the_budget) {
  options.max_bytes_in_flight = 6000;
  open();
  producer_log &other = new_producer_log();
  rstream_producer *q = open_producer(other, other.options());
  invoices().hold_commits = true;
  send(q, std::string(1488, 'x'));
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 1; }));
  send(q, std::string(2488, 'x'));
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 2; }));
  send(p, std::string(988, 'x'));
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 3; }));
  std::string body(1988, 'x');
  EXPECT_EQ(rstream_producer_send_bytes(p, body.data(), body.size(), nullptr),
            RSTREAM_EAGAIN);
  fake::stream_commit(invoices(), 1);
  ASSERT_TRUE(run_until([&] { return other.outcomes.size() == 1; }));
  EXPECT_EQ(env->bytes_in_flight, 3500u);
  EXPECT_EQ(log->writable, 0) << "not yet half of it";
  fake::stream_commit(invoices(), 1);
  ASSERT_TRUE(run_until([&] { return log->writable > 0; }));
  EXPECT_EQ(log->outcomes.size(), 0u);
  EXPECT_EQ(env->bytes_in_flight, 1000u);
  release_commits();
}

// A broker that takes nothing: what timed out must not gather behind the connection.
TEST_F(publish_edges, messages_that_timed_out_do_not_gather_in_the_connection) {
  rstream_producer_options o = producer_options();
  o.confirm_timeout_ms = 5;
  o.max_bytes_in_flight = 4 << 20;
  open(o);
  fake::peer_stop_reading(publishing_peer());
  conn *link = p->member.link->link;
  std::string body(100000, 'x');
  uint64_t sent = 0;
  bool done = run_until([&] {
    while (rstream_producer_send_bytes(p, body.data(), body.size(), nullptr) == 0) sent++;
    return sent > 500;
  });
  ASSERT_TRUE(done) << sent;
  EXPECT_LE(link->queue.bytes, (4u << 20));
  EXPECT_GT(link->queue.bytes, 0u);
  ASSERT_TRUE(wait_for(sent));
  fake::peer_resume_reading(publishing_peer());
  ASSERT_TRUE(run_until([&] { return link->queue.bytes == 0; }));
  p->options.confirm_timeout_ms = 60000;
  send(p, "after");
  ASSERT_TRUE(wait_for(sent + 1));
  EXPECT_EQ(log->outcomes.back().status, 0);
  EXPECT_LT(invoices().next_offset, sent);
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
}

// And with time to wait, all of it goes out once there is room again.
TEST_F(publish_edges, what_the_connection_has_no_room_for_goes_out_later) {
  open();
  fake::peer_stop_reading(publishing_peer());
  conn *link = p->member.link->link;
  std::string body(100000, 'x');
  for (int i = 0; i < 200; i++) {
    send(p, body);
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  EXPECT_LE(link->queue.bytes, (4u << 20));
  fake::peer_resume_reading(publishing_peer());
  expect_all_confirmed(200);
  EXPECT_EQ(log->outcomes.front().id, 1u);
  EXPECT_EQ(log->outcomes.back().id, 200u);
}

// ---- the end

TEST_F(publish_edges, a_producer_that_ended_watches_no_confirms) {
  rstream_producer_options o = producer_options();
  o.linger_ms = 60000;
  open(o);
  send(p, "a");
  fake::stream_delete(cluster(), "invoices");
  ASSERT_TRUE(run_until([&] { return log->ended(); }));
  EXPECT_EQ(log->outcomes.size(), 1u);
  EXPECT_FALSE(p->confirm_timer.active);
}

// ---- refusals

TEST_F(publish_edges, a_sub_entry_of_messages_with_filter_values_is_refused) {
  rstream_producer_options o = producer_options();
  o.on_filter_value = [](const rstream_message *, const char **value, size_t *size,
                         void *) {
    *value = "f";
    *size = 1;
    return 1;
  };
  open(o);
  EXPECT_EQ(send_sub_entry({message("a")}), RSTREAM_EINVAL);
  EXPECT_EQ(last_error(), "sub-entries can't have filter values");
  EXPECT_EQ(send_message(message("a")), 0);
  ASSERT_TRUE(wait_for(1));
}

TEST_F(publish_edges, numbers_that_are_no_codec_and_no_compression_are_refused) {
  rstream_producer_options o = producer_options();
  o.codec = static_cast<rstream_codec>(2);
  EXPECT_EQ(rstream_producer_open(&p, env, &o), RSTREAM_EINVAL);
  EXPECT_EQ(last_error(), "codec is 2, allowed are 0 to 1");
  o.codec = RSTREAM_CODEC_AMQP;
  o.sub_entry_messages = 2;
  o.compression = static_cast<rstream_compression>(8);
  EXPECT_EQ(rstream_producer_open(&p, env, &o), RSTREAM_EINVAL);
  EXPECT_EQ(last_error(), "compression is 8, allowed are 0 to 7");
  o.compression = static_cast<rstream_compression>(7);
  EXPECT_EQ(rstream_producer_open(&p, env, &o), RSTREAM_ENOTSUP);
  EXPECT_EQ(p, nullptr);
}

TEST_F(publish_edges, none_of_no_messages_are_accepted) {
  open();
  EXPECT_EQ(rstream_producer_send_many(p, nullptr, 0, nullptr), 0);
  rstream_message m = message("a");
  EXPECT_EQ(rstream_producer_send_many(p, &m, 0, nullptr), 0);
  EXPECT_EQ(rstream_producer_send_many(p, nullptr, 1, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_send_many(nullptr, nullptr, 0, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_send_sub_entry(p, &m, 0, RSTREAM_COMPRESSION_NONE, nullptr),
            RSTREAM_EINVAL);
}

// The log's callback is a callback: it may send, also while a sub-entry is refused.
TEST_F(publish_edges, given_ids_grow_also_for_messages_sent_while_others_are_refused) {
  rstream_producer_options o = producer_options();
  o.name = "till";
  o.ids_given = 1;
  open(o);
  rstream_message m = message("x");
  m.publishing_id = 5;
  ASSERT_EQ(send_message(m), 0);
  awaited_line = "is not above 7";
  on_awaited_line = [&] {
    rstream_message inner = message("y");
    inner.publishing_id = 6;
    EXPECT_EQ(send_message(inner), 0) << "7 was not accepted";
    inner.publishing_id = 9;
    EXPECT_EQ(send_message(inner), 0);
  };
  std::vector<rstream_message> two(2, m);
  two[0].publishing_id = two[1].publishing_id = 7;
  EXPECT_EQ(send_sub_entry(two), RSTREAM_EINVAL);
  m.publishing_id = 8;
  EXPECT_EQ(send_message(m), RSTREAM_EINVAL);
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(log->summary(), "5:0 6:0 9:0");
}
