// Scenarios 15, 16, 22 and 32: chunks of every kind, whole, in pieces and broken.
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

// Chunks are sent behind the answer to Subscribe.
void deliver_after_subscribe(fake::broker &b, std::vector<fake::chunk_parts> chunks) {
  fake::on_frame(b, key::subscribe, [chunks](fake::peer &from, const fake::frame &fr) {
    fake::peer_handle(from, fr);
    for (const fake::chunk_parts &parts : chunks) {
      fake::peer_send(from, fake::deliver_frame(fr.body[4], from.deliver_version, parts));
    }
    return fake::verdict::handled;
  });
}

struct scenario_15 : fake_client {
  consume_way way = consume_way::by_message;

  // Something of everything; what came of it.
  std::string session() {
    std::string told;
    uint64_t updates = frames_of(key::consumer_update);
    create();
    producer_log &plog = new_producer_log();
    rstream_producer_options po = plog.options();
    po.name = "splitter";
    rstream_producer *p = open_producer(plog, po);
    const wire::failed_id unknown[] = {{99, 17}};
    fake::peer_send(publishing_peer(),
                    fake::join({fake::frame_of(wire::heartbeat{}),
                                fake::frame_of(wire::consumer_update{7, 1, true}),
                                fake::frame_of(wire::credit_error{1, 4}),
                                fake::frame_of(wire::metadata_update{6, "others"}),
                                fake::frame_of(wire::publish_error{0, {unknown}})}));
    send(p, "hello");
    send(p, "");
    send(p, "a longer message than the two before");
    EXPECT_TRUE(run_until([&] { return plog.outcomes.size() >= 3 || plog.ended(); }));
    told += plog.summary() + '|';
    consumer_log &clog = new_consumer_log();
    rstream_consumer_options co = clog.options_for(way);
    co.offset_type = RSTREAM_OFFSET_FIRST;
    co.name = "reader";
    rstream_consumer *c = open_consumer(clog, co);
    EXPECT_TRUE(run_until([&] {
      return std::count(clog.messages.begin(), clog.messages.end(), '=') >= 3 ||
             clog.ended();
    }));
    told += clog.messages + '|';
    EXPECT_EQ(rstream_consumer_store_offset(c, 2), 0);
    struct value {
      int calls = 0, status = 1;
      uint64_t number = 0;
    } v;
    auto on_value = [](rstream_env *, int status, uint64_t number, void *user) {
      *static_cast<value *>(user) = {1, status, number};
    };
    EXPECT_EQ(rstream_query_publisher_sequence(env, "splitter", "invoices", on_value, &v),
              0);
    EXPECT_TRUE(run_until([&] { return v.calls > 0; }));
    told += std::to_string(v.status) + ' ' + std::to_string(v.number) + '|';
    told +=
        std::to_string(stats().connections_lost) + std::to_string(stats().frames_ignored);
    rstream_producer_stats ps;
    ps.struct_size = sizeof ps;
    rstream_producer_stats_get(p, &ps);
    told += ' ' + std::to_string(ps.unknown_confirms);
    told += ' ' + std::to_string(frames_of(key::consumer_update) - updates);
    renew();
    fake::stream_delete(cluster(), "invoices");
    fake::stream_create(cluster(), "invoices");
    return told;
  }

  void expect_the_same() {
    std::string whole = session();
    EXPECT_EQ(whole,
              "1:0 2:0 3:0|0=hello 1= 2=a longer message than the two before|0 3|02 1 1");
    // What the broker sends at once is cut behind n bytes, and again behind as many; with
    // each n until there is nothing left to be cut.
    auto pieces_of = [&](size_t n) {
      node().on_open = [n](fake::peer &p) { fake::peer_pace(p, n); };
      uint64_t before = totals(cluster()).pieces_sent;
      EXPECT_EQ(session(), whole) << "in pieces of " << n;
      return totals(cluster()).pieces_sent - before;
    };
    uint64_t uncut = pieces_of(SIZE_MAX);
    EXPECT_GE(uncut, 15u);
    size_t n = 1;
    for (; pieces_of(n) > uncut && n < 1000; n++) ASSERT_FALSE(HasFailure());
    EXPECT_GT(n, 100u);
    EXPECT_LT(n, 1000u);
  }
};
struct scenario_16 : fake_client {
  // What a consumer of that kind is given of a chunk with `entries` entries: a message,
  // and three in a sub-batch, in turns.
  void expect_mixed(int entries, consume_way way) {
    fake::chunk_parts parts = {.first_offset = 1000};
    std::string expected;
    uint64_t offset = 1000;
    auto add = [&](const std::string &body) {
      expected += (expected.empty() ? "" : " ") + std::to_string(offset++) + '=' + body;
    };
    for (int i = 0; i < entries; i++) {
      if (i % 2 == 0) {
        fake::chunk_add(parts, "m" + std::to_string(i));
        add("m" + std::to_string(i));
        continue;
      }
      std::vector<std::string> bodies = {"a", "", "c" + std::to_string(i)};
      fake::chunk_add_batch(parts, bodies);
      for (const std::string &body : bodies) add(body);
    }
    ASSERT_EQ(parts.entry_count, entries);
    node().hooks.clear();
    deliver_after_subscribe(node(), {parts});
    create();
    consumer_log &log = new_consumer_log();
    open_consumer(log, log.options_for(way));
    EXPECT_TRUE(run_until([&] {
      return log.messages.size() >= expected.size() || log.ended() ||
             !log.entry_errors.empty();
    }));
    EXPECT_EQ(log.messages, expected);
    EXPECT_EQ(log.entry_errors, "");
    renew();
  }
};
struct scenario_22 : fake_client {};
struct scenario_32 : fake_client {};

}  // namespace

TEST_F(scenario_15, every_frame_split_at_every_point_gives_the_same) {
  expect_the_same();
}

TEST_F(scenario_15, and_while_chunks_are_handed_out_as_they_arrive) {
  way = consume_way::streamed;
  expect_the_same();
}

TEST_F(scenario_16,
       messages_and_sub_batches_in_one_chunk_come_once_each_with_their_offsets) {
  fake::chunk_parts two = {.first_offset = 98};
  fake::chunk_add(two, "x");
  fake::chunk_add(two, "y");
  fake::chunk_parts mixed = {.first_offset = 100, .trailer_bytes = 77, .bloom_bytes = 16};
  fake::chunk_add(mixed, "a");
  fake::chunk_add_batch(mixed, {"b", "", "c"});
  fake::chunk_add_batch(mixed, {"d"});
  fake::chunk_add(mixed, "e");
  ASSERT_EQ(two.entry_count, 2);
  ASSERT_EQ(mixed.entry_count, 4);
  deliver_after_subscribe(node(), {two, mixed});
  create();
  consumer_log &log = new_consumer_log();
  open_consumer(log, log.message_options());
  EXPECT_TRUE(
      run_until([&] { return totals(cluster()).credits == 10 + 2 || log.ended(); }));
  EXPECT_EQ(log.messages, "98=x 99=y 100=a 101=b 102= 103=c 104=d 105=e");
  EXPECT_EQ(log.entry_errors, "");
}

TEST_F(scenario_16, chunks_of_two_and_of_many_entries_are_read_to_their_end) {
  for (int entries : {1, 2, 3, 1000, 20000}) {
    for (consume_way way : consume_ways_all) {
      SCOPED_TRACE(std::to_string(entries) + ' ' + name_of(way));
      expect_mixed(entries, way);
    }
  }
}

TEST_F(scenario_22, a_chunk_of_five_mib_is_accepted_with_one_mib_negotiated) {
  std::string body(1024, 'b');
  fake::stream_fill(invoices(), 5200, bytes_of(body));
  ASSERT_EQ(invoices().log.size(), 1u);
  ASSERT_GT(invoices().log[0].data_bytes, 5u << 20);
  create();
  struct tally {
    size_t messages = 0, wrong = 0;
  } n;
  consumer_log &log = new_consumer_log();
  rstream_consumer_options o = log.options();
  static tally *at;
  at = &n;
  o.offset_type = RSTREAM_OFFSET_FIRST;
  o.on_message = [](rstream_consumer *, const rstream_message_view *m, void *) {
    if (m->offset != at->messages++ || m->body_size != 1024 || m->body[1023] != 'b')
      at->wrong++;
  };
  open_consumer(log, o);
  EXPECT_TRUE(run_until([&] { return n.messages >= 5200 || log.ended(); }));
  EXPECT_EQ(n.messages, 5200u);
  EXPECT_EQ(n.wrong, 0u);
  EXPECT_FALSE(log.ended()) << log.text;
  ASSERT_NE(fake::subscription_of(cluster(), "invoices"), nullptr);
  EXPECT_EQ(subscribed_peer().frame_max, 1u << 20);
}

TEST_F(scenario_22, a_chunk_above_the_limit_of_our_own_is_refused) {
  std::string body(1024, 'b');
  fake::stream_fill(invoices(), 5200, bytes_of(body));
  options.max_deliver_bytes = 4u << 20;
  create();
  consumer_log &log = new_consumer_log();
  log.recovery = RSTREAM_RECOVERY_NONE;
  rstream_consumer_options o = log.message_options();
  o.offset_type = RSTREAM_OFFSET_FIRST;
  rstream_consumer *c;
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  EXPECT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_EPROTO);
  EXPECT_EQ(log.messages, "");
  EXPECT_LT(largest_block, 4u << 20);
}

TEST_F(scenario_32,
       chunks_that_contradict_themselves_are_errors_and_read_nothing_outside) {
  struct broken_chunk {
    const char *what;
    void (*damage)(fake::chunk_parts &parts);
    const char *messages;  // what may come out of it at most
    bool ends = false;     // the consumer: nothing of the chunk can be believed
  };
  const char *all = "10=one 11=two 12=three 13=four";
  const broken_chunk cases[] = {
      {"more records", [](fake::chunk_parts &c) { c.record_count++; }, all},
      {"most records", [](fake::chunk_parts &c) { c.record_count = UINT32_MAX; }, all},
      {"fewer records", [](fake::chunk_parts &c) { c.record_count--; }, all},
      {"no records", [](fake::chunk_parts &c) { c.record_count = 0; }, ""},
      {"more entries", [](fake::chunk_parts &c) { c.entry_count++; }, all},
      {"fewer entries", [](fake::chunk_parts &c) { c.entry_count--; }, all},
      {"no entries", [](fake::chunk_parts &c) { c.entry_count = 0; }, ""},
      {"size past the data", [](fake::chunk_parts &c) { c.entries[1] = 1; }, ""},
      {"largest size",
       [](fake::chunk_parts &c) { wire::store_u32be(&c.entries[0], 0x7fffffff); }, ""},
      {"negative size",
       [](fake::chunk_parts &c) { wire::store_u32be(&c.entries[0], 0xffffffff); }, ""},
      {"sub-batch past the data", [](fake::chunk_parts &c) { c.entries[14 + 7] = 0x7f; },
       "10=one 11=two"},
      {"sub-batch of 65535",
       [](fake::chunk_parts &c) { wire::store_u16be(&c.entries[15], 65535); },
       "10=one 11=two"},
      {"message past its sub-batch",
       [](fake::chunk_parts &c) { c.entries[14 + 11 + 1] = 1; }, "10=one 11=two"},
      {"data longer than the frame", [](fake::chunk_parts &c) { c.data_bytes_off = 1; },
       "", true},
      {"largest data", [](fake::chunk_parts &c) { c.data_bytes_off = INT32_MAX; }, "",
       true},
      {"negative data", [](fake::chunk_parts &c) { c.data_bytes_off = -1000; }, "", true},
      {"offsets that wrap", [](fake::chunk_parts &c) { c.first_offset = UINT64_MAX - 1; },
       "", true},
  };
  for (size_t i = 0; i < 3 * std::size(cases); i++) {
    const broken_chunk &one = cases[i / 3];
    consume_way way = consume_ways_all[i % 3];
    SCOPED_TRACE(std::string(one.what) + ", " + name_of(way));
    node().hooks.clear();
    fake::chunk_parts parts = {.first_offset = 10};
    fake::chunk_add(parts, "one");
    fake::chunk_add(parts, "two");
    fake::chunk_add_batch(parts, {"three", "four"});
    one.damage(parts);
    deliver_after_subscribe(node(), {parts});
    create();
    consumer_log &log = new_consumer_log();
    rstream_consumer_options o = log.options_for(way);
    rstream_consumer *c;
    ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
    EXPECT_TRUE(run_until([&] { return log.ended() || !log.entry_errors.empty(); }));
    EXPECT_EQ(log.ended(), one.ends) << log.text;
    if (one.ends) EXPECT_EQ(log.reason, RSTREAM_EPROTO);
    // Damaged as it is, what it still tells is a beginning of the truth.
    EXPECT_EQ(std::string(one.messages).compare(0, log.messages.size(), log.messages), 0)
        << log.messages;
    EXPECT_LT(largest_block, 4u << 20);
    renew();
  }
}
