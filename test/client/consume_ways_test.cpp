// What a consumer can be asked for: offsets kept for it, filters, and how much the broker
// may send.
#include "consume_ways.h"

using namespace rstream;
using namespace rstream::test;
using fake::byte_vector;
using wire::key;

// ---- offsets

TEST_F(consume_ways, offsets_are_stored_every_so_many_messages) {
  store_numbers(3);
  rstream_consumer_options o = by_message();
  o.name = "reader";
  o.store_every_messages = 3;
  open(o);
  ASSERT_TRUE(run_until([&] { return stored_for("reader") == "2"; }));
  EXPECT_EQ(stats_of(c).stored_offset, 2u);
  store_numbers(2);
  ASSERT_TRUE(wait_for_offset(5));
  EXPECT_EQ(stats_of(c).stored_offset, 2u);
  close_consumer();
  EXPECT_EQ(stored_for("reader"), "4") << "closing stores the rest";
}

// Scenario 90.
TEST_F(consume_ways, scenario_90_offsets_are_stored_when_the_interval_is_over) {
  store_numbers(2);
  rstream_consumer_options o = by_message();
  o.name = "reader";
  o.store_interval_ms = 10;
  open(o);
  ASSERT_TRUE(run_until([&] { return stored_for("reader") == "1"; }));
  store_numbers(1);
  ASSERT_TRUE(run_until([&] { return stored_for("reader") == "2"; }));
}

// Scenario 88: offset 0 is an offset.
TEST_F(consume_ways, scenario_88_a_named_consumer_goes_on_behind_the_stored_offset) {
  store_numbers(1);
  rstream_consumer_options o = by_message();
  o.name = "reader";
  open(o);
  ASSERT_TRUE(wait_for_offset(1));
  close_consumer();
  EXPECT_EQ(stored_for("reader"), "0");
  store_numbers(1);
  o = by_message();
  o.name = "reader";
  open(o);
  ASSERT_TRUE(wait_for_offset(2));
  EXPECT_EQ(log->messages, "1=1");
  EXPECT_EQ(stats_of(c).has_stored, 1);
}

TEST_F(consume_ways, nothing_is_stored_when_nothing_was_consumed) {
  store_numbers(3);
  rstream_consumer_options o = by_message();
  o.name = "reader";
  o.offset_type = RSTREAM_OFFSET_NEXT;
  open(o);
  close_consumer();
  EXPECT_EQ(stored_for("reader"), "none");
  o = by_message();
  o.name = "reader";
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 3;
  open(o);
  close_consumer();
  EXPECT_EQ(stored_for("reader"), "none");
}

// Scenario 94.
TEST_F(consume_ways, scenario_94_only_the_application_moves_an_offset_backwards) {
  store_numbers(6);
  rstream_consumer_options o = by_message();
  o.name = "reader";
  o.tracking = RSTREAM_TRACKING_MANUAL;
  open(o);
  ASSERT_TRUE(wait_for_offset(6));
  ASSERT_EQ(rstream_consumer_store_offset(c, 4), 0);
  ASSERT_EQ(rstream_consumer_store_offset(c, 2), 0);
  close_consumer();
  EXPECT_EQ(stored_for("reader"), "2");
  // One that finds more stored than it has finished leaves that alone.
  invoices().offsets["other"] = 100;
  o = by_message();
  o.name = "other";
  o.offset_type = RSTREAM_OFFSET_FIRST;
  o.on_update = [](rstream_consumer *consumer, int, void *) {
    EXPECT_EQ(rstream_consumer_update_done(consumer, RSTREAM_OFFSET_DEFAULT, 0), 0);
    return RSTREAM_UPDATE_LATER;
  };
  open(o);
  close_consumer();
  EXPECT_EQ(stored_for("other"), "100");
}

TEST_F(consume_ways, without_tracking_a_name_is_but_a_name) {
  store_numbers(2);
  invoices().offsets["reader"] = 0;
  rstream_consumer_options o = by_message();
  o.name = "reader";
  o.tracking = RSTREAM_TRACKING_NONE;
  open(o);
  ASSERT_TRUE(wait_for_offset(2));
  close_consumer();
  EXPECT_EQ(log->messages, "0=0 1=1");
  EXPECT_EQ(stored_for("reader"), "0");
}

TEST_F(consume_ways, offsets_may_be_kept_by_the_application) {
  store_numbers(5);
  rstream_consumer_options o = by_message();
  struct own_store {
    std::string stored;
    uint64_t begin = 2;
  } own;
  o.user = &own;
  o.on_state = nullptr;
  o.on_entry_error = nullptr;
  o.on_message = [](rstream_consumer *, const rstream_message_view *m, void *user) {
    static_cast<own_store *>(user)->stored += "m" + std::to_string(m->offset) + ' ';
  };
  o.store_every_messages = 2;
  o.on_store_offset = [](rstream_consumer *, uint64_t offset, void *user) {
    static_cast<own_store *>(user)->stored += "s" + std::to_string(offset) + ' ';
  };
  o.on_update = [](rstream_consumer *consumer, int active, void *user) {
    EXPECT_EQ(active, 1);
    uint64_t begin = static_cast<own_store *>(user)->begin;
    EXPECT_EQ(rstream_consumer_update_done(consumer, RSTREAM_OFFSET_OFFSET, begin), 0);
    return RSTREAM_UPDATE_LATER;
  };
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0) << last_error();
  ASSERT_TRUE(run_until([&] {
    return own.stored == "m2 m3 s3 m4 " || own.stored == "m2 m3 m4 s4 ";
  })) << own.stored;
  auto closed = [](rstream_consumer *, int, void *user) {
    static_cast<own_store *>(user)->stored += "closed";
  };
  ASSERT_EQ(rstream_consumer_close(c, closed), 0);
  ASSERT_TRUE(run_until([&] { return own.stored.ends_with("closed"); }));
  EXPECT_NE(own.stored.find("s4"), std::string::npos) << own.stored;
  EXPECT_TRUE(invoices().offsets.empty());
}

TEST_F(consume_ways, chunks_may_be_finished_in_any_order_offsets_may_not) {
  store_numbers(4);
  rstream_consumer_options o = by_chunk();
  o.name = "reader";
  o.store_every_messages = 1;
  log->keeps = true;
  open(o);
  ASSERT_TRUE(run_until([&] { return log->kept.size() == 4; }));
  rstream_chunk_release(log->kept[2]);
  rstream_chunk_release(log->kept[1]);
  EXPECT_EQ(stats_of(c).has_finished, 0);
  EXPECT_EQ(stats_of(c).chunks_held, 2u);
  rstream_chunk_release(log->kept[0]);
  EXPECT_EQ(stats_of(c).finished_offset, 3u);
  ASSERT_TRUE(run_until([&] { return stored_for("reader") == "2"; }));
  close_consumer();
  EXPECT_EQ(stored_for("reader"), "2") << "the last one is still being worked on";
  rstream_chunk_release(log->kept[3]);
}

TEST_F(consume_ways, a_stored_offset_can_be_asked_for) {
  store_numbers(1);
  rstream_consumer_options o = by_message();
  o.name = "reader";
  o.tracking = RSTREAM_TRACKING_MANUAL;
  open(o);
  auto on_result = [](rstream_consumer *, int status, uint64_t offset, void *user) {
    *static_cast<std::string *>(user) +=
        std::to_string(status) + '/' + std::to_string(offset) + ' ';
  };
  ASSERT_EQ(rstream_consumer_query_offset(c, on_result, &told), 0);
  ASSERT_TRUE(run_until([&] { return told == "-21019/0 "; })) << told;
  ASSERT_EQ(rstream_consumer_store_offset(c, 7), 0);
  ASSERT_EQ(rstream_consumer_query_offset(c, on_result, &told), 0);
  ASSERT_TRUE(run_until([&] { return told == "-21019/0 0/7 "; })) << told;
  fake::on_frame(node(), key::query_offset, [](fake::peer &, const fake::frame &) {
    return fake::verdict::handled;
  });
  ASSERT_EQ(rstream_consumer_query_offset(c, on_result, &told), 0);
  close_consumer();
  EXPECT_EQ(told, "-21019/0 0/7 -20004/0 ") << "closing answers what is still waiting";
}

// ---- filters

// Scenario 87.
TEST_F(consume_ways, scenario_87_filters_choose_chunks_and_the_callback_messages) {
  fake::stream_append(invoices(), bytes_of("emea 1"), "emea");
  fake::stream_append(invoices(), bytes_of("apac 2"), "apac");
  fake::stream_append(invoices(), bytes_of("none 3"));
  fake::stream_append(invoices(), bytes_of("emea 4"), "emea");
  rstream_consumer_options o = by_message();
  o.name = "reader";
  std::string value = "emea";
  const char *values[] = {value.c_str()};
  o.filter_values = values;
  o.filter_value_count = 1;
  o.match_unfiltered = 1;
  o.on_filter = [](const rstream_message_view *m, void *) {
    return m->body[0] == 'e' ? 1 : 0;
  };
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  value = "gone";  // the options are copied
  ASSERT_TRUE(wait_for_offset(4));
  EXPECT_EQ(log->messages, "0=emea 1 3=emea 4");
  EXPECT_EQ(stats_of(c).messages_filtered, 1u) << "the broker has left out the other";
  close_consumer();
  EXPECT_EQ(stored_for("reader"), "3");

  o = by_chunk();
  o.on_filter = [](const rstream_message_view *m, void *) {
    return m->body[0] == 'a' ? 1 : 0;
  };
  open(o);
  ASSERT_TRUE(wait_for_offset(4));
  EXPECT_EQ(log->messages, "1=apac 2");
}

TEST_F(consume_ways, scenario_87_a_broker_without_filtering_ends_the_consumer) {
  cluster().options.version = "3.12.0";
  rstream_consumer_options o = by_message();
  const char *values[] = {"emea"};
  o.filter_values = values;
  o.filter_value_count = 1;
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  ASSERT_TRUE(run_until([&] { return log->ended(); }));
  EXPECT_EQ(log->reason, RSTREAM_ENOTSUP);
  const char *none[] = {nullptr};
  o.filter_values = none;
  EXPECT_EQ(rstream_consumer_open(&c, env, &o), RSTREAM_EINVAL);
  o.filter_values = nullptr;
  EXPECT_EQ(rstream_consumer_open(&c, env, &o), RSTREAM_EINVAL);
}

// ---- flow

TEST_F(consume_ways, paused_nothing_is_handed_out_resumed_all_is) {
  rstream_consumer_options o = by_message();
  open(o);
  ASSERT_EQ(rstream_consumer_pause(c), 0);
  store_numbers(3);
  ASSERT_TRUE(run_until([&] { return stats_of(c).chunks_held == 3; }));
  EXPECT_EQ(log->messages, "");
  ASSERT_EQ(rstream_consumer_resume(c), 0);
  ASSERT_TRUE(run_until([&] { return log->messages == "0=0 1=1 2=2"; })) << log->messages;
  EXPECT_EQ(stats_of(c).chunks_held, 0u);
  EXPECT_EQ(stats_of(c).bytes_held, 0u);
}

TEST_F(consume_ways, pausing_inside_a_chunk_stops_behind_the_message_at_hand) {
  fake::chunk_parts parts;
  for (const char *body : {"a", "b", "c"}) fake::chunk_add(parts, body);
  rstream_consumer_options o = by_message();
  o.on_message = [](rstream_consumer *consumer, const rstream_message_view *m,
                    void *user) {
    consumer_log::of(user)->add(*m);
    rstream_consumer_pause(consumer);
  };
  open(o);
  fake::peer_send(subscribed_peer(), fake::deliver_frame(c->member.id, 2, parts));
  ASSERT_TRUE(run_until([&] { return log->messages == "0=a"; }));
  EXPECT_EQ(stats_of(c).finished_offset, 1u);
  EXPECT_EQ(stats_of(c).chunks_held, 1u);
  rstream_consumer_resume(c);
  ASSERT_TRUE(run_until([&] { return log->messages == "0=a 1=b"; }));
  rstream_consumer_resume(c);
  ASSERT_TRUE(run_until([&] { return log->messages == "0=a 1=b 2=c"; }));
  rstream_consumer_resume(c);
  ASSERT_TRUE(run_until([&] { return stats_of(c).chunks_held == 0; }));
  close_consumer();
}

TEST_F(consume_ways, closing_while_paused_drops_what_waits) {
  rstream_consumer_options o = by_chunk();
  open(o);
  ASSERT_EQ(rstream_consumer_pause(c), 0);
  store_numbers(2);
  ASSERT_TRUE(run_until([&] { return stats_of(c).chunks_held == 2; }));
  close_consumer();
  EXPECT_EQ(log->messages, "");
}

TEST_F(consume_ways, manual_credit_never_stalls) {
  store_numbers(5);
  rstream_consumer_options o = by_message();
  o.credit_policy = RSTREAM_CREDIT_MANUAL;
  o.initial_credit = 3;
  open(o);
  ASSERT_TRUE(wait_for_offset(3));
  EXPECT_EQ(fake::subscription_of(cluster(), "invoices")->credit, 0);
  EXPECT_EQ(log->messages, "0=0 1=1 2=2");
  ASSERT_EQ(rstream_consumer_grant_credit(c, 1), 0);
  ASSERT_TRUE(wait_for_offset(4)) << "one is enough";
  ASSERT_EQ(rstream_consumer_grant_credit(c, 1), 0);
  ASSERT_TRUE(wait_for_offset(5));
  EXPECT_EQ(rstream_consumer_grant_credit(c, 0), RSTREAM_EINVAL);
}

TEST_F(consume_ways, credit_on_arrival_does_not_wait_for_the_application) {
  store_numbers(30);
  rstream_consumer_options o = by_chunk();
  o.credit_policy = RSTREAM_CREDIT_ON_ARRIVAL;
  log->keeps = true;
  open(o);
  ASSERT_TRUE(wait_for_offset(30));
  EXPECT_EQ(stats_of(c).chunks_held, 30u);
  EXPECT_EQ(rstream_consumer_grant_credit(c, 1), RSTREAM_EINVAL);
  for (rstream_chunk *chunk : log->kept) rstream_chunk_release(chunk);
}

TEST_F(consume_ways, credits_may_go_back_several_at_a_time) {
  store_numbers(20);
  rstream_consumer_options o = by_message();
  o.initial_credit = 8;
  o.credit_every = 8;
  open(o);
  ASSERT_TRUE(wait_for_offset(20));
  EXPECT_LE(frames_of(key::credit), 4u);
  o.credit_every = 9;
  rstream_consumer *none = nullptr;
  EXPECT_EQ(rstream_consumer_open(&none, env, &o), RSTREAM_EINVAL);
}

TEST_F(consume_ways, chunks_held_are_bounded_in_bytes) {
  std::string body(200000, 'x');
  for (int i = 0; i < 20; i++) store(body);
  rstream_consumer_options o = by_chunk();
  o.max_bytes_held = 1000000;
  o.initial_credit = 20;
  uint64_t most = 0;
  log->keeps = true;
  open(o);
  ASSERT_TRUE(run_until([&] {
    most = std::max(most, stats_of(c).bytes_held);
    return stats_of(c).bytes_held >= 800000;
  }));
  for (size_t i = 0; i < log->kept.size(); i++) {
    most = std::max(most, stats_of(c).bytes_held);
    rstream_chunk_release(log->kept[i]);
    if (log->kept.size() < 20)
      ASSERT_TRUE(run_until([&] { return log->kept.size() > i + 1; }));
  }
  EXPECT_EQ(log->kept.size(), 20u);
  EXPECT_LE(most, 1000000u + 200100u);
  EXPECT_EQ(stats_of(c).bytes_held, 0u);
}

// The sizes so far said nothing about those to come.
TEST_F(consume_ways, what_exceeds_the_bytes_is_asked_for_anew_when_there_is_room) {
  for (int i = 0; i < 10; i++) store("small");
  std::string large(300000, 'x');
  for (int i = 0; i < 6; i++) store(large);
  rstream_consumer_options o = by_chunk();
  o.max_bytes_held = 600000;  // one of the large ones takes 512 KiB
  o.initial_credit = 20;
  log->keeps = true;
  open(o);
  uint64_t most = 0;
  size_t released = 0;
  ASSERT_TRUE(run_until([&] {
    most = std::max(most, c->flow.memory_held);
    if (stats_of(c).bytes_held >= 600000 || log->kept.size() == 16) {
      while (released < log->kept.size()) rstream_chunk_release(log->kept[released++]);
    }
    return released == 16;
  })) << log->kept.size();
  EXPECT_LE(most, 600000u + (512u << 10));
  EXPECT_EQ(log->chunks, 16u) << "each once, in order";
  EXPECT_GE(stats_of(c).resubscribes, 1u);
  EXPECT_EQ(stats_of(c).next_offset, 16u);
}

// ---- what it sees

TEST_F(consume_ways, catching_up_is_told_each_time) {
  store_numbers(3);
  rstream_consumer_options o = by_message();
  struct seen {
    consumer_log *log;
    std::string events;
  } seen{log, ""};
  o.user = &seen;
  o.on_state = nullptr;
  o.on_entry_error = nullptr;
  o.on_message = [](rstream_consumer *, const rstream_message_view *m, void *user) {
    static_cast<struct seen *>(user)->events += std::to_string(m->offset) + ' ';
  };
  o.on_caught_up = [](rstream_consumer *, uint64_t next, void *user) {
    static_cast<struct seen *>(user)->events += "=" + std::to_string(next) + ' ';
  };
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  ASSERT_TRUE(run_until([&] { return seen.events == "0 1 2 =3 "; })) << seen.events;
  EXPECT_EQ(stats_of(c).messages_behind, 0u);
  ASSERT_EQ(rstream_consumer_pause(c), 0);
  store_numbers(3);
  ASSERT_TRUE(run_until([&] { return stats_of(c).chunks_held == 3; }));
  EXPECT_EQ(stats_of(c).messages_behind, 2u);
  ASSERT_EQ(rstream_consumer_resume(c), 0);
  ASSERT_TRUE(run_until([&] { return stats_of(c).next_offset == 6; }));
  EXPECT_EQ(stats_of(c).messages_behind, 0u);
  EXPECT_EQ(seen.events, "0 1 2 =3 3 4 5 =6 ");
}

TEST_F(consume_ways, how_far_it_is_behind_counts_from_the_chunk_at_hand) {
  store_numbers(7);
  rstream_consumer_options o = by_message();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 4;
  std::vector<uint64_t> behind;
  o.user = &behind;
  o.on_state = nullptr;
  o.on_entry_error = nullptr;
  o.on_message = [](rstream_consumer *consumer, const rstream_message_view *,
                    void *user) {
    auto &all = *static_cast<std::vector<uint64_t> *>(user);
    all.push_back(stats_of(consumer).messages_behind);
    if (all.size() == 1) rstream_consumer_pause(consumer);
  };
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  ASSERT_TRUE(run_until([&] { return stats_of(c).chunks == 3; }));
  EXPECT_EQ(stats_of(c).messages_behind, 1u) << "behind the chunk handed out";
  ASSERT_EQ(rstream_consumer_resume(c), 0);
  ASSERT_TRUE(run_until([&] { return behind.size() == 3; }));
  EXPECT_EQ(behind, (std::vector<uint64_t>{2, 1, 0}));
}

TEST_F(consume_ways, a_consumer_that_waits_from_the_start_is_behind_its_first_chunk) {
  store_numbers(7);
  rstream_consumer_options o = by_message();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 4;
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  ASSERT_EQ(rstream_consumer_pause(c), 0);
  ASSERT_TRUE(run_until([&] { return stats_of(c).chunks == 3; }));
  EXPECT_EQ(stats_of(c).next_offset, 4u);
  EXPECT_EQ(stats_of(c).messages_behind, 2u);
}

TEST_F(consume_ways, a_chunk_is_read_many_messages_at_a_time) {
  fake::chunk_parts parts = {.first_offset = 10};
  fake::chunk_add(parts, "a");
  fake::chunk_add_batch(parts, {"bb", "", "dddd"});
  fake::chunk_add(parts, "e");
  rstream_consumer_options o = by_chunk();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 11;
  o.on_chunk = [](rstream_consumer *, rstream_chunk *chunk, void *user) {
    const uint8_t *bodies[3];
    size_t sizes[3];
    uint64_t offsets[3];
    std::string &text = consumer_log::of(user)->messages;
    while (size_t n = rstream_chunk_read(chunk, bodies, sizes, offsets, 3)) {
      for (size_t i = 0; i < n; i++)
        text += std::to_string(offsets[i]) + '=' + text_of({bodies[i], sizes[i]}) + ' ';
      text += "| ";
    }
    rstream_chunk_rewind(chunk);
    EXPECT_EQ(rstream_chunk_read(chunk, nullptr, nullptr, nullptr, 100), 4u);
    EXPECT_EQ(rstream_chunk_read(nullptr, bodies, sizes, offsets, 3), 0u);
  };
  open(o);
  fake::peer_send(subscribed_peer(), fake::deliver_frame(c->member.id, 2, parts));
  ASSERT_TRUE(run_until([&] { return !log->messages.empty(); }));
  EXPECT_EQ(log->messages, "11=bb 12= 13=dddd | 14=e | ");
}

TEST_F(consume_ways, an_offset_is_resolved_where_the_broker_can) {
  store_numbers(4);
  create();
  auto on_result = [](rstream_env *, int status, uint64_t offset, void *user) {
    *static_cast<std::string *>(user) +=
        std::to_string(status) + '/' + std::to_string(offset) + ' ';
  };
  auto resolve = [&](rstream_offset_type type, uint64_t value) {
    size_t before = told.size();
    EXPECT_EQ(rstream_resolve_offset(env, "invoices", type, value, on_result, &told), 0);
    EXPECT_TRUE(run_until([&] { return told.size() > before; }));
  };
  resolve(RSTREAM_OFFSET_FIRST, 0);
  resolve(RSTREAM_OFFSET_OFFSET, 2);
  resolve(RSTREAM_OFFSET_NEXT, 0);
  EXPECT_EQ(told, "0/0 0/2 0/4 ");
  EXPECT_EQ(rstream_resolve_offset(env, "invoices", RSTREAM_OFFSET_DEFAULT, 0, on_result,
                                   nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(
      rstream_resolve_offset(env, "invoices", RSTREAM_OFFSET_FIRST, 0, nullptr, nullptr),
      RSTREAM_EINVAL);
  renew();
  told.clear();
  cluster().options.version = "4.0.5";
  create();
  resolve(RSTREAM_OFFSET_FIRST, 0);
  EXPECT_EQ(told, "-20011/0 ");
}
