// The ways to publish: with a callback of its own, many at once, waiting, with ids of the
// application, with filter values; and what bounds them.
#include "publishing.h"
#include "unit/hex.h"
#include "unit/noise.h"

using namespace rstream;
using namespace rstream::test;
using fake::byte_vector;
using wire::key;

namespace {

struct publish_ways : publishing {};

}  // namespace

// ---- a callback of its own

TEST_F(publish_ways, a_message_with_a_callback_has_its_outcome_told_twice) {
  open();
  send(p, "a");
  ASSERT_EQ(send_message(told_message("b")), 0);
  send(p, "c");
  ASSERT_EQ(send_message(told_message("d")), 0);
  ASSERT_TRUE(wait_for(4));
  EXPECT_EQ(told, "2:0 4:0 ");
  EXPECT_EQ(log->summary(), "1:0 2:0 3:0 4:0");
  EXPECT_EQ(frames, "v1 1=a 2=b 3=c 4=d | ");
}

TEST_F(publish_ways, own_callbacks_hear_the_end_of_the_producer) {
  open();
  invoices().hold_commits = true;
  ASSERT_EQ(send_message(told_message("a")), 0);
  ASSERT_EQ(send_message(told_message("b")), 0);
  ASSERT_EQ(rstream_producer_close_within(p, 0, producer_log::on_closed), 0);
  ASSERT_TRUE(run_until([&] { return log->closed > 0; }));
  EXPECT_EQ(told, "1:-20005 2:-20005 ");
}

TEST_F(publish_ways, own_callbacks_may_send_more_of_their_kind) {
  open();
  struct sender {
    publish_ways *t;
    int left = 200;
    static void on(rstream_producer *, uint64_t, int, void *user) {
      auto *s = static_cast<sender *>(user);
      for (int i = 0; i < 2 && s->left > 0; i++, s->left--) {
        rstream_message m = s->t->message("x");
        m.on_outcome = on;
        m.outcome_user = s;
        ASSERT_EQ(s->t->send_message(m), 0);
      }
    }
  } sender{this};
  sender::on(p, 0, 0, &sender);
  ASSERT_TRUE(wait_for(200));
  EXPECT_EQ(sender.left, 0);
  EXPECT_EQ(p->completions.count, 0u);
}

// ---- AMQP 1.0

TEST_F(publish_ways, amqp_bodies_become_data_sections) {
  rstream_producer_options o = producer_options();
  o.codec = RSTREAM_CODEC_AMQP;
  open(o);
  std::string stored_hex;
  auto read = [&] {
    stored_hex.clear();
    fake::stream_each(invoices(), [&](uint64_t, wire::bytes body) {
      stored_hex += to_hex(body.first(std::min<size_t>(body.size(), 9))) + '/' +
                    std::to_string(body.size()) + ' ';
    });
    return stored_hex;
  };
  send(p, "hi");  // by the slow way, which opens the frame
  send(p, "hi");
  send(p, std::string(255, 'x'));
  send(p, std::string(256, 'x'));
  send(p, "");
  ASSERT_TRUE(wait_for(5));
  EXPECT_EQ(read(),
            "005375a0026869/7 005375a0026869/7 005375a0ff78787878/260 "
            "005375b00000010078/264 005375a000/5 ");
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
}

TEST_F(publish_ways, amqp_sections_go_straight_into_the_frame) {
  rstream_producer_options o = producer_options();
  open(o);
  rstream_amqp_properties properties;
  rstream_amqp_properties_init(&properties);
  properties.subject = rstream_amqp_string("s");
  rstream_amqp_sections sections;
  rstream_amqp_sections_init(&sections);
  sections.properties = &properties;
  rstream_message m = message("hi");
  m.amqp = &sections;
  for (int i = 0; i < 3; i++) ASSERT_EQ(send_message(m), 0) << last_error();
  m.filter_value = "f";
  m.filter_value_size = 1;
  for (int i = 0; i < 2; i++) ASSERT_EQ(send_message(m), 0) << last_error();
  m.filter_value = nullptr;
  std::string large(5000, 'x');  // more than the frame's slab has left
  m.body = large.data();
  m.body_size = large.size();
  ASSERT_EQ(send_message(m), 0) << last_error();
  std::vector<rstream_message> two(2, m);
  ASSERT_EQ(rstream_producer_send_sub_entry(p, two.data(), 2, RSTREAM_COMPRESSION_NONE,
                                            nullptr),
            0);
  ASSERT_TRUE(wait_for(8));
  std::string hex;
  uint64_t seen = 0;
  const std::string before = "005373c00704404040a10173005375";
  fake::stream_each(invoices(), [&](uint64_t offset, wire::bytes body) {
    seen++;
    hex = to_hex(body);
    std::string data = offset < 5 ? "a0026869" : "b000001388" + to_hex(bytes_of(large));
    EXPECT_EQ(hex, before + data) << offset;
  });
  EXPECT_EQ(seen, 8u);
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
}

TEST_F(publish_ways, what_amqp_does_not_allow_is_refused_at_once) {
  open();
  rstream_amqp_properties properties;
  rstream_amqp_properties_init(&properties);
  properties.subject = rstream_amqp_ulong(1);
  rstream_amqp_sections sections;
  rstream_amqp_sections_init(&sections);
  sections.properties = &properties;
  rstream_message m = message("hi");
  m.amqp = &sections;
  EXPECT_EQ(send_message(m), RSTREAM_EINVAL);
  EXPECT_NE(last_error().find("subject"), std::string::npos) << last_error();
  rstream_amqp_value value = rstream_amqp_ulong(1);
  rstream_amqp_sections_init(&sections);
  sections.body_type = RSTREAM_AMQP_BODY_VALUE;
  sections.body_values = &value;
  sections.body_value_count = 1;
  EXPECT_EQ(send_message(m), RSTREAM_EINVAL) << "two bodies";
  m.body_size = 0;
  EXPECT_EQ(send_message(m), 0) << last_error();
  sections.struct_size = 0;
  EXPECT_EQ(send_message(m), RSTREAM_EINVAL);
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(producer_stats().messages_sent, 1u);
}

// ---- many at once

TEST_F(publish_ways, many_are_accepted_as_far_as_there_is_room) {
  rstream_producer_options o = producer_options();
  o.max_messages_in_flight = 3;
  open(o);
  std::vector<rstream_message> all = {message("a"), message("b"), told_message("c"),
                                      message("d")};
  uint64_t first_id = 0;
  EXPECT_EQ(rstream_producer_send_many(p, all.data(), all.size(), &first_id), 3);
  EXPECT_EQ(first_id, 1u);
  EXPECT_EQ(rstream_producer_send_many(p, all.data() + 3, 1, nullptr), RSTREAM_EAGAIN);
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(log->writable, 1);
  EXPECT_EQ(rstream_producer_send_many(p, all.data() + 3, 1, &first_id), 1);
  EXPECT_EQ(first_id, 4u);
  ASSERT_TRUE(wait_for(4));
  EXPECT_EQ(stored(), "0=a 1=b 2=c 3=d");
  EXPECT_EQ(told, "3:0 ");
}

TEST_F(publish_ways, an_array_of_older_structs_has_its_own_stride) {
  open();
  struct old_message {
    size_t struct_size;
    const void *body;
    size_t body_size;
  } old[] = {{sizeof(old_message), "a", 1}, {sizeof(old_message), "bc", 2}};
  auto *messages = reinterpret_cast<const rstream_message *>(old);
  EXPECT_EQ(rstream_producer_send_many(p, messages, 2, nullptr), 2);
  EXPECT_EQ(
      rstream_producer_send_sub_entry(p, messages, 2, RSTREAM_COMPRESSION_NONE, nullptr),
      0);
  ASSERT_TRUE(wait_for(4));
  EXPECT_EQ(stored(), "0=a 1=bc 2=a 3=bc");
}

TEST_F(publish_ways, one_sub_entry_is_made_of_an_array) {
  open();
  std::vector<rstream_message> all = {message("a"), told_message("b"), message("c")};
  send(p, "before");
  uint64_t first_id = 0;
  EXPECT_EQ(rstream_producer_send_sub_entry(p, all.data(), 3, RSTREAM_COMPRESSION_NONE,
                                            &first_id),
            0);
  EXPECT_EQ(first_id, 2u);
  send(p, "after");
  EXPECT_EQ(rstream_producer_send_sub_entry(p, all.data(), 1, RSTREAM_COMPRESSION_GZIP,
                                            &first_id),
            0);
  EXPECT_EQ(first_id, 6u);
  ASSERT_TRUE(wait_for(6));
  EXPECT_EQ(frames, "v1 1=before | v1 4+3 5=after 6+1 | ");
  EXPECT_EQ(log->summary(), "1:0 2:0 3:0 4:0 5:0 6:0");
  EXPECT_EQ(told, "3:0 ");
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
}

TEST_F(publish_ways, a_sub_entry_is_taken_whole_or_not_at_all) {
  rstream_producer_options o = producer_options();
  o.max_messages_in_flight = 4;
  open(o);
  invoices().hold_commits = true;
  std::vector<rstream_message> all(3, message("a"));
  auto send_them = [&](rstream_compression c) {
    return rstream_producer_send_sub_entry(p, all.data(), all.size(), c, nullptr);
  };
  EXPECT_EQ(send_them(RSTREAM_COMPRESSION_NONE), 0);
  EXPECT_EQ(send_them(RSTREAM_COMPRESSION_NONE), RSTREAM_EAGAIN);
  all[1].filter_value = "x";
  all[1].filter_value_size = 1;
  EXPECT_EQ(send_them(RSTREAM_COMPRESSION_NONE), RSTREAM_EINVAL);
  EXPECT_EQ(last_error(), "sub-entries can't have filter values");
  all[1] = message("b");
  EXPECT_EQ(send_them(static_cast<rstream_compression>(7)), RSTREAM_ENOTSUP);
  EXPECT_EQ(send_them(static_cast<rstream_compression>(8)), RSTREAM_EINVAL);
  std::string large(600000, 'x');
  all[0] = all[2] = message(large);
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 3; }));
  fake::stream_commit(invoices());
  invoices().hold_commits = false;
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(send_them(RSTREAM_COMPRESSION_NONE), RSTREAM_EMSGSIZE);
  EXPECT_EQ(producer_stats().messages_sent, 3u);
  EXPECT_EQ(send_them(RSTREAM_COMPRESSION_GZIP), 0) << "packed it does fit";
  ASSERT_TRUE(wait_for(6));
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
}

// ---- ids of the application

TEST_F(publish_ways, given_ids_go_out_and_come_back) {
  rstream_producer_options o = producer_options();
  o.name = "till";
  o.ids_given = 1;
  invoices().sequences["till"] = invoices().committed_sequences["till"] = 20;
  open(o);
  EXPECT_EQ(rstream_producer_stored_sequence(p), 20u);
  EXPECT_EQ(rstream_producer_id_base(p), 0u);
  uint64_t id = 0;
  for (uint64_t given : {10u, 20u, 21u, 35u, 36u}) {
    rstream_message m = told_message("x");
    m.publishing_id = given;
    ASSERT_EQ(send_message(m, &id), 0) << last_error();
    EXPECT_EQ(id, given);
  }
  ASSERT_TRUE(wait_for(5));
  EXPECT_EQ(frames, "v1 10=x 20=x 21=x 35=x 36=x | ");
  EXPECT_EQ(log->summary(), "10:0 20:0 21:0 35:0 36:0");
  EXPECT_EQ(told, "10:0 20:0 21:0 35:0 36:0 ");
  EXPECT_EQ(stored(), "0=x 1=x 2=x") << "10 and 20 were stored before";
  EXPECT_EQ(p->given_ids.count, 0u);
}

TEST_F(publish_ways, given_ids_must_grow) {
  rstream_producer_options o = producer_options();
  o.name = "till";
  o.ids_given = 1;
  open(o);
  rstream_message m = message("x");
  EXPECT_EQ(send_message(m), RSTREAM_EINVAL);
  m.publishing_id = 5;
  EXPECT_EQ(send_message(m), 0);
  EXPECT_EQ(send_message(m), RSTREAM_EINVAL);
  EXPECT_EQ(last_error(), "publishing id 5 is not above 5, the last one");
  EXPECT_EQ(rstream_producer_send_bytes(p, "x", 1, nullptr), RSTREAM_EINVAL);
  std::vector<rstream_message> all(2, m);
  all[0].publishing_id = 7;
  all[1].publishing_id = 7;
  EXPECT_EQ(rstream_producer_send_sub_entry(p, all.data(), 2, RSTREAM_COMPRESSION_NONE,
                                            nullptr),
            RSTREAM_EINVAL);
  all[1].publishing_id = 9;
  EXPECT_EQ(rstream_producer_send_sub_entry(p, all.data(), 2, RSTREAM_COMPRESSION_NONE,
                                            nullptr),
            0);
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(frames, "v1 5=x | v1 9+2 | ");
  EXPECT_EQ(log->summary(), "5:0 7:0 9:0");
}

TEST_F(publish_ways, ids_are_given_only_where_they_are_asked_for) {
  rstream_producer_options o = producer_options();
  o.ids_given = 1;
  rstream_producer *none = nullptr;
  EXPECT_EQ(rstream_producer_open(&none, env, &o), RSTREAM_EINVAL);
  EXPECT_EQ(last_error(), "ids_given needs a name");
  open();
  rstream_message m = message("x");
  m.publishing_id = 1;
  EXPECT_EQ(send_message(m), RSTREAM_EINVAL);
}

// Scenario 9: nothing that the broker knows is mistaken for "nothing stored".
TEST_F(publish_ways, scenario_09_the_first_id_follows_the_stored_one) {
  watch();
  for (uint64_t before : {0u, 1u, 41u}) {
    std::string name = "till" + std::to_string(before);
    if (before > 0)
      invoices().sequences[name] = invoices().committed_sequences[name] = before;
    rstream_producer_options o = producer_options();
    o.name = name.c_str();
    uint64_t stored_before = invoices().next_offset;
    frames.clear();
    rstream_producer *early = nullptr;
    ASSERT_EQ(rstream_producer_open(&early, env, &o), 0);
    p = early;
    send(p, "early");
    ASSERT_TRUE(wait_for(1));
    send(p, "late");
    ASSERT_TRUE(wait_for(2));
    std::string first = std::to_string(before + 1), second = std::to_string(before + 2);
    EXPECT_EQ(frames, "v1 " + first + "=early | v1 " + second + "=late | ");
    EXPECT_EQ(invoices().next_offset, stored_before + 2) << "both are stored";
    EXPECT_EQ(rstream_producer_stored_sequence(p), before);
    renew();
  }
}

// ---- filter values

TEST_F(publish_ways, filter_values_go_out_by_publish_v2) {
  open();
  send(p, "a");
  ASSERT_EQ(send_message(filtered("b", "emea")), 0);
  send(p, "c");
  ASSERT_EQ(send_message(filtered("d", "")), 0);
  ASSERT_EQ(send_message(filtered("e", "apac")), 0);
  ASSERT_TRUE(wait_for(5));
  EXPECT_EQ(frames, "v1 1=a | v2 2[emea]=b 3=c 4=d 5[apac]=e | ");
  EXPECT_EQ(stored(), "0=a 1=b 2=c 3=d 4=e");
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
}

TEST_F(publish_ways, a_callback_finds_the_filter_value) {
  rstream_producer_options o = producer_options();
  o.on_filter_value = [](const rstream_message *m, const char **value, size_t *size,
                         void *) {
    const char *body = static_cast<const char *>(m->body);
    *value = body;
    *size = 1;
    return body[0] == '-' ? 0 : 1;
  };
  open(o);
  send(p, "x1");
  send(p, "-2");
  ASSERT_EQ(send_message(filtered("y3", "own")), 0);
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(frames, "v2 1[x]=x1 2=-2 3[own]=y3 | ");
}

TEST_F(publish_ways, filter_values_and_sub_entries_exclude_each_other) {
  rstream_producer_options o = producer_options();
  o.sub_entry_messages = 10;
  o.on_filter_value = [](const rstream_message *, const char **, size_t *, void *) {
    return 0;
  };
  rstream_producer *none = nullptr;
  EXPECT_EQ(rstream_producer_open(&none, env, &o), RSTREAM_EINVAL);
  o.on_filter_value = nullptr;
  open(o);
  EXPECT_EQ(send_message(filtered("a", "x")), RSTREAM_EINVAL);
  EXPECT_EQ(last_error(), "sub-entries can't have filter values");
  std::string long_value(32768, 'v');
  o.sub_entry_messages = 0;
  p = open_producer(*log, o);
  EXPECT_EQ(send_message(filtered("a", long_value.c_str())), RSTREAM_EINVAL);
}

TEST_F(publish_ways, scenario_87_a_broker_without_filtering_is_told_apart) {
  cluster().options.version = "3.12.0";
  rstream_producer_options o = producer_options();
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  watch();
  ASSERT_EQ(send_message(message("a")), 0);
  ASSERT_EQ(send_message(filtered("b", "x")), 0) << "nobody knows yet";
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log->summary(), "2:-20011 1:0");
  EXPECT_EQ(send_message(filtered("c", "x")), RSTREAM_ENOTSUP);
  EXPECT_EQ(last_error(), "this broker has no filtering");
  EXPECT_EQ(frames, "v1 1=a | ");
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);

  o.on_filter_value = [](const rstream_message *, const char **, size_t *, void *) {
    return 0;
  };
  producer_log &other = new_producer_log();
  o.user = &other;
  rstream_producer *q = nullptr;
  ASSERT_EQ(rstream_producer_open(&q, env, &o), 0);
  ASSERT_TRUE(run_until([&] { return other.ended(); }));
  EXPECT_EQ(other.reason, RSTREAM_ENOTSUP);
}

// ---- limits

TEST_F(publish_ways, a_message_nobody_confirms_times_out_once) {
  rstream_producer_options o = producer_options();
  o.confirm_timeout_ms = 20;
  open(o);
  invoices().hold_commits = true;
  ASSERT_EQ(send_message(told_message("a")), 0);
  send(p, "b");
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log->summary(), "1:-20006 2:-20006");
  EXPECT_EQ(told, "1:-20006 ");
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
  fake::stream_commit(invoices());
  invoices().hold_commits = false;
  send(p, "c");
  ASSERT_TRUE(wait_for(3));
  EXPECT_EQ(log->summary(), "1:-20006 2:-20006 3:0");
  EXPECT_EQ(producer_stats().unknown_confirms, 2u) << "they came too late";
}

TEST_F(publish_ways, messages_also_time_out_before_they_could_be_sent) {
  rstream_producer_options o = producer_options();
  o.confirm_timeout_ms = 20;
  fake::stream_lose_leader(invoices());
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  watch();
  ASSERT_EQ(send_message(message("a")), 0);
  ASSERT_TRUE(wait_for(1));
  fake::stream_elect(invoices(), 0);
  ASSERT_TRUE(run_until([&] { return log->is_open() || log->ended(); }));
  ASSERT_EQ(send_message(message("b")), 0);
  ASSERT_TRUE(wait_for(2));
  EXPECT_EQ(log->summary(), "1:-20006 2:0");
  EXPECT_EQ(frames, "v1 2=b | ");
}

TEST_F(publish_ways, a_producer_can_wait_for_ever) {
  rstream_producer_options o = producer_options();
  o.confirm_timeout_ms = 1;
  o.confirm_timeout_off = 1;
  open(o);
  invoices().hold_commits = true;
  send(p, "a");
  EXPECT_FALSE(p->confirm_timer.active);
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 1; }));
  EXPECT_FALSE(p->confirm_timer.active);
  fake::stream_commit(invoices());
  ASSERT_TRUE(wait_for(1));
  EXPECT_EQ(log->summary(), "1:0");
}

TEST_F(publish_ways, the_budget_of_the_environment_bounds_all_its_producers) {
  options.max_bytes_in_flight = 3000;
  open();
  producer_log &other = new_producer_log();
  rstream_producer_options o = other.options();
  rstream_producer *q = open_producer(other, o);
  invoices().hold_commits = true;
  std::string body(988, 'x');  // 1000 bytes with its header
  EXPECT_EQ(rstream_producer_send_bytes(p, body.data(), body.size(), nullptr), 0);
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 1; }));
  EXPECT_EQ(env->bytes_in_flight, 1000u);
  EXPECT_EQ(rstream_producer_send_bytes(q, body.data(), body.size(), nullptr), 0);
  EXPECT_EQ(rstream_producer_send_bytes(q, body.data(), body.size(), nullptr), 0);
  EXPECT_EQ(rstream_producer_send_bytes(q, "x", 1, nullptr), RSTREAM_EAGAIN);
  EXPECT_EQ(rstream_producer_send_bytes(p, "x", 1, nullptr), RSTREAM_EAGAIN);
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 3; }));
  EXPECT_EQ(env->bytes_in_flight, 3000u);
  EXPECT_EQ(log->writable + other.writable, 0);
  fake::stream_commit(invoices());
  ASSERT_TRUE(run_until([&] { return log->writable + other.writable == 2; }));
  EXPECT_EQ(env->bytes_in_flight, 0u);
  std::string large(5000, 'x');
  EXPECT_EQ(rstream_producer_send_bytes(p, large.data(), large.size(), nullptr), 0)
      << "one always fits";
  EXPECT_EQ(rstream_producer_send_bytes(q, "x", 1, nullptr), RSTREAM_EAGAIN);
  ASSERT_TRUE(run_until([&] { return invoices().next_offset == 4; }));
  fake::stream_commit(invoices());
  ASSERT_TRUE(run_until([&] { return other.writable == 2; }));
  EXPECT_EQ(env->bytes_in_flight, 0u);
}

// ---- frames made before the broker told its limit

// A frame of sub-entries has plain messages too; found by fuzzing, which saw one of them
// taken for a sub-entry of hundreds of megabytes.
TEST_F(publish_ways, a_message_too_large_beside_a_sub_entry_costs_nothing_but_itself) {
  cluster().options.frame_max = 400;
  ASSERT_NO_FATAL_FAILURE(watch());
  rstream_producer_options o = producer_options();
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  std::vector<rstream_message> two(2, message("a"));
  ASSERT_EQ(rstream_producer_send_sub_entry(p, two.data(), 2, RSTREAM_COMPRESSION_NONE,
                                            nullptr),
            0);
  send(p, noise(0x111, 1));
  send(p, noise(0x101, 2));
  send(p, noise(500, 3));
  send(p, "b");
  ASSERT_TRUE(wait_for(6));
  EXPECT_EQ(log->summary(), "5:-20007 1:0 2:0 3:0 4:0 6:0");
  EXPECT_LT(largest_block, 1u << 20);
  EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
}

TEST_F(publish_ways, sub_entries_too_large_for_the_broker_are_cut) {
  cluster().options.frame_max = 400;
  watch();
  for (rstream_compression c : {RSTREAM_COMPRESSION_NONE, RSTREAM_COMPRESSION_GZIP}) {
    rstream_producer_options o = producer_options();
    o.sub_entry_messages = 8;
    o.compression = c;
    ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
    frames.clear();
    std::string expected;
    for (uint32_t i = 0; i < 6; i++) {
      std::string body = noise(i == 4 ? 500 : 100, i);
      send(p, body);
      if (i != 4)
        expected +=
            std::to_string(invoices().next_offset + i - (i > 4)) + '=' + body + ' ';
    }
    uint64_t before = invoices().next_offset;
    ASSERT_TRUE(wait_for(6));
    EXPECT_EQ(log->summary(), "5:-20007 1:0 2:0 3:0 4:0 6:0");
    EXPECT_EQ(frames, "v1 3+3 | v1 4+1 | v1 6+1 | ");
    EXPECT_EQ(producer_stats().bytes_in_flight, 0u);
    std::string now_stored;
    fake::stream_each(invoices(), [&](uint64_t offset, wire::bytes body) {
      if (offset >= before)
        now_stored += std::to_string(offset) + '=' + text_of(body) + ' ';
    });
    EXPECT_EQ(now_stored, expected);
    renew();
  }
}
