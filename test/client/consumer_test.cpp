#include "consumer_fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

using consumer = consumer_test;

chunk_builder bad_crc() {
  chunk_builder b;
  b.message("damaged").message("too");
  b.crc_change = 1;
  return b;
}

}  // namespace

TEST_F(consumer, subscribes_as_asked) {
  rstream_consumer_options o = log.message_options();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 42;
  o.name = "app";
  o.initial_credit = 7;
  open(o);
  auto frames = link->of(key::subscribe);
  auto request = decoded<wire::subscribe>(frames.at(0));
  EXPECT_EQ(request.stream, "invoices");
  EXPECT_EQ(request.spec.type, 4);
  EXPECT_EQ(request.spec.value, 42u);
  EXPECT_EQ(request.credit, 7);
  EXPECT_EQ(request.properties.size(), 1u);
}

TEST_F(consumer, hands_out_messages_in_order_with_their_offsets) {
  open(log.message_options());
  deliver(chunk_builder().message("hi").message("stream").sub_entry({"a", "bb", "ccc"}));
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "100=hi 101=stream 102=a 103=bb 104=ccc");
  EXPECT_EQ(consumer_stats().messages, 5u);
  EXPECT_EQ(consumer_stats().next_offset, 105u);
}

TEST_F(consumer, a_chunk_in_the_same_piece_as_the_answer_to_subscribe_is_not_lost) {
  broker.on_frame = [&](peer_link &l, const peer_frame &f) {
    if (f.key != raw(key::subscribe)) return false;
    byte_vector both =
        encoded(wire::response_frame{f.correlation_id(), 1}, key::subscribe);
    byte_vector frame =
        encoded(wire::deliver{0, 1, 0, chunk_builder().message("early").build()});
    both.insert(both.end(), frame.begin(), frame.end());
    l.send(both);
    return true;
  };
  open(log.message_options());
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "100=early");
}

// Scenario 15.
TEST_F(consumer, gets_the_same_from_a_frame_split_at_every_byte) {
  open(log.message_options());
  byte_vector frame = encoded(wire::deliver{
      0, 2, 0, chunk_builder().message("hi").sub_entry({"a", "b"}).build()});
  std::string expected;
  for (size_t at = 1; at < frame.size(); at++) {
    log.messages.clear();
    uint64_t base = 100 * at;
    wire::store_u64be(frame.data() + 17 + 24, base);
    expected = std::to_string(base) + "=hi " + std::to_string(base + 1) + "=a " +
               std::to_string(base + 2) + "=b";
    auto split = frame.begin() + static_cast<ptrdiff_t>(at);
    uint64_t received = stats().bytes_received;
    link->send(byte_vector(frame.begin(), split));
    ASSERT_TRUE(run_until([&] { return stats().bytes_received - received == at; }));
    EXPECT_EQ(log.messages, "");
    link->send(byte_vector(split, frame.end()));
    ASSERT_TRUE(run_until([&] { return !log.messages.empty() || log.ended(); }));
    ASSERT_EQ(log.messages, expected) << "split at " << at;
  }
}

// Scenario 22.
TEST_F(consumer, takes_a_chunk_far_above_the_negotiated_frame_size) {
  open(log.message_options());
  std::string large(5u << 20, 'x');
  deliver_at(7, {large, "after"});
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages.size(), large.size() + 2 + 8);
}

TEST_F(consumer, a_chunk_above_max_deliver_bytes_breaks_the_protocol) {
  options.max_deliver_bytes = 8192;
  log.recovery = RSTREAM_RECOVERY_NONE;
  open(log.message_options());
  deliver_at(7, {std::string(8192, 'x')});
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_EPROTO);
  EXPECT_EQ(log.text, "a frame's size is below 4 or above 8192 bytes");
}

// Scenario 14.
TEST_F(consumer, a_wrong_crc_ends_it_and_nothing_of_the_chunk_is_handed_out) {
  rstream_consumer_options o = log.message_options();
  o.bad_chunk = RSTREAM_BAD_CHUNK_END;
  open(o);
  deliver_at(90, {"good"});
  deliver(bad_crc());
  deliver_at(200, {"after"});
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_ECHECKSUM);
  ASSERT_EQ(rstream_consumer_close(handle, consumer_log::on_closed), 0);
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.messages, "90=good");
  EXPECT_EQ(link->of(key::unsubscribe).size(), 1u);
}

TEST_F(consumer, a_bad_chunk_ahead_of_the_answer_to_subscribe_is_asked_for_anew) {
  // It is asked until the end, when this function is over.
  broker.on_frame = [first = peer_frame{}](peer_link &l, const peer_frame &f) mutable {
    if (f.key == raw(key::unsubscribe)) l.answer(first, wire::response::ok);
    if (f.key != raw(key::subscribe) || !first.bytes.empty()) return false;
    first = f;
    l.send(encoded(wire::deliver{0, 2, 0, bad_crc().build()}));
    return true;
  };
  open(log.message_options());
  EXPECT_EQ(link->of(key::subscribe).size(), 2u);
  EXPECT_EQ(link->of(key::unsubscribe).size(), 1u);
  deliver_at(100, {"good"});
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "100=good");
}

TEST_F(consumer, a_wrong_crc_hands_out_no_chunk_either) {
  rstream_consumer_options o = log.chunk_options();
  o.bad_chunk = RSTREAM_BAD_CHUNK_END;
  open(o);
  deliver(bad_crc());
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.chunks, 0u);
  EXPECT_EQ(consumer_stats().chunks_bad, 1u);
}

TEST_F(consumer, a_wrong_crc_is_not_looked_at_when_switched_off) {
  rstream_consumer_options o = log.message_options();
  o.crc_off = 1;
  open(o);
  deliver(bad_crc());
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "100=damaged 101=too");
}

TEST_F(consumer, a_malformed_chunk_ends_it) {
  rstream_consumer_options o = log.message_options();
  o.bad_chunk = RSTREAM_BAD_CHUNK_END;
  open(o);
  deliver(from_hex("5000"));
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_EPROTO);
  EXPECT_EQ(log.messages, "");
}

TEST_F(consumer, a_damaged_entry_is_told_and_the_rest_goes_on) {
  open(log.message_options());
  deliver(chunk_builder().message("a").sub_entry_raw(1, 3, "zipped").message("b"));
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "100=a 104=b");
  EXPECT_EQ(log.entry_errors, "101+3 ");
  EXPECT_EQ(consumer_stats().entries_bad, 1u);
}

// Scenario 13.
TEST_F(consumer, messages_below_the_offset_asked_for_are_not_handed_out) {
  rstream_consumer_options o = log.message_options();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 102;
  open(o);
  deliver(chunk_builder().message("a").sub_entry({"b", "c", "d"}));
  deliver_at(104, {"e"});
  ASSERT_TRUE(wait_for_credits(2));
  EXPECT_EQ(log.messages, "102=c 103=d 104=e");
  EXPECT_EQ(consumer_stats().messages_filtered, 2u);
  EXPECT_EQ(consumer_stats().messages, 3u);
}

TEST_F(consumer, a_chunk_begins_at_the_offset_asked_for_also_after_a_rewind) {
  rstream_consumer_options o = log.chunk_options();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 101;
  o.on_chunk = [](rstream_consumer *, rstream_chunk *chunk, void *user) {
    for (int i = 0; i < 2; i++) {
      while (const rstream_message_view *m = rstream_chunk_next(chunk)) {
        consumer_log::of(user)->add(*m);
      }
      EXPECT_EQ(rstream_chunk_next(chunk), nullptr);
      rstream_chunk_rewind(chunk);
    }
    rstream_chunk_info info;
    info.struct_size = sizeof info;
    ASSERT_EQ(rstream_chunk_info_get(chunk, &info), 0);
    EXPECT_EQ(info.first_offset, 100u);
    EXPECT_EQ(info.message_count, 3u);
    EXPECT_EQ(info.entry_count, 3u);
    EXPECT_EQ(info.timestamp_ms, 1700000000000);
    EXPECT_EQ(info.epoch, 1u);
    EXPECT_EQ(info.committed_offset, 900u);
    EXPECT_EQ(info.size_bytes, 15u);
  };
  open(o);
  deliver_at(100, {"a", "b", "c"});
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "101=b 102=c 101=b 102=c");
}

TEST_F(consumer, a_whole_chunk_below_the_offset_still_gives_its_credit_back) {
  rstream_consumer_options o = log.message_options();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 500;
  open(o);
  deliver_at(100, {"a"});
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "");
}

TEST_F(consumer, the_brokers_own_chunks_are_passed_over_and_give_their_credit_back) {
  open(log.message_options());
  chunk_builder tracking;
  tracking.message("tracking");
  tracking.type = 1;
  deliver(tracking);
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "");
}

TEST_F(consumer, gives_one_credit_back_for_each_finished_chunk) {
  open(log.chunk_options());
  for (uint64_t i = 0; i < 9; i++) deliver_at(100 + i, {"x"});
  ASSERT_TRUE(wait_for_credits(9));
  deliver_at(109, {"x"});
  ASSERT_TRUE(wait_for_credits(10));
  EXPECT_EQ(credits(), 10);
  EXPECT_EQ(log.chunks, 10u);
}

TEST_F(consumer, a_retained_chunk_keeps_its_credit_and_its_bytes) {
  log.keeps = true;
  open(log.chunk_options());
  for (uint64_t i = 0; i < 3; i++)
    deliver_at(100 + i, {std::string(5000, static_cast<char>('a' + i))});
  ASSERT_TRUE(run_until([&] { return log.chunks == 3; }));
  EXPECT_EQ(consumer_stats().chunks_held, 3u);
  rstream_chunk_retain(log.kept[1]);
  rstream_chunk_release(log.kept[1]);
  rstream_chunk_release(log.kept[2]);
  log.kept.pop_back();
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(credits(), 1);
  rstream_chunk_rewind(log.kept[1]);
  const rstream_message_view *m = rstream_chunk_next(log.kept[1]);
  ASSERT_NE(m, nullptr);
  EXPECT_EQ(text_of({m->body, m->body_size}), std::string(5000, 'b'));
  release_kept();
  ASSERT_TRUE(wait_for_credits(3));
  EXPECT_EQ(credits(), 3);
  EXPECT_EQ(consumer_stats().chunks_held, 0u);
  EXPECT_EQ(consumer_stats().bytes_held, 0u);
}

TEST_F(consumer, a_chunk_may_be_released_after_its_consumer_is_closed) {
  log.keeps = true;
  open(log.chunk_options());
  deliver_at(100, {"kept"});
  ASSERT_TRUE(run_until([&] { return log.chunks == 1; }));
  ASSERT_EQ(rstream_consumer_close(handle, consumer_log::on_closed), 0);
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  rstream_chunk_rewind(log.kept[0]);
  const rstream_message_view *m = rstream_chunk_next(log.kept[0]);
  ASSERT_NE(m, nullptr);
  EXPECT_EQ(text_of({m->body, m->body_size}), "kept");
  release_kept();
  EXPECT_EQ(credits(), 0);
}

TEST_F(consumer, a_chunk_may_be_released_after_its_environment_is_closed) {
  log.keeps = true;
  open(log.chunk_options());
  deliver(chunk_builder().message("kept").sub_entry_raw(1, 1, "zipped").message("too"));
  ASSERT_TRUE(run_until([&] { return log.chunks == 1; }));
  close_env();
  EXPECT_GT(blocks.bytes, 0u);
  log.messages.clear();
  rstream_chunk_rewind(log.kept[0]);
  while (const rstream_message_view *m = rstream_chunk_next(log.kept[0])) log.add(*m);
  EXPECT_EQ(log.messages, "100=kept 102=too");
  release_kept();
  EXPECT_EQ(blocks.bytes, 0u);
}

// Scenario 42.
TEST_F(consumer, closing_from_the_message_callback_ends_the_chunk_there) {
  rstream_consumer_options o = log.message_options();
  o.on_message = [](rstream_consumer *c, const rstream_message_view *m, void *user) {
    consumer_log::of(user)->add(*m);
    EXPECT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
  };
  open(o);
  deliver_at(100, {"a", "b", "c"});
  deliver_at(103, {"d"});
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.messages, "100=a");
}

TEST_F(consumer, closing_from_the_chunk_callback_ends_the_iteration) {
  rstream_consumer_options o = log.chunk_options();
  o.on_chunk = [](rstream_consumer *c, rstream_chunk *chunk, void *user) {
    consumer_log::of(user)->add(*rstream_chunk_next(chunk));
    EXPECT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
    EXPECT_EQ(rstream_chunk_next(chunk), nullptr);
  };
  open(o);
  deliver_at(100, {"a", "b"});
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.messages, "100=a");
}

// Scenario 34.
TEST_F(consumer, a_deliver_after_unsubscribe_is_dropped_and_gives_no_credit) {
  broker.on_frame = [&](peer_link &, const peer_frame &f) {
    if (f.key != raw(key::unsubscribe)) return false;
    deliver_at(100, {"late"});
    return false;
  };
  open(log.message_options());
  ASSERT_EQ(rstream_consumer_close(handle, consumer_log::on_closed), 0);
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  uint64_t before = stats().frames_ignored;
  deliver_at(101, {"later still"});
  ASSERT_TRUE(run_until([&] { return stats().frames_ignored == before + 1; }));
  EXPECT_EQ(log.messages, "");
  EXPECT_EQ(link->of(key::credit).size(), 0u);
}

TEST_F(consumer, a_refused_subscription_ends_it_with_the_brokers_code) {
  broker.on_frame = [](peer_link &l, const peer_frame &f) {
    if (f.key == raw(key::subscribe)) l.answer(f, wire::response::access_refused);
    return f.key == raw(key::subscribe);
  };
  create();
  rstream_consumer_options o = log.message_options();
  ASSERT_EQ(rstream_consumer_open(&handle, env, &o), 0);
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_BROKER_ACCESS_REFUSED);
}

TEST_F(consumer, a_lost_connection_ends_it_if_it_shall_not_recover) {
  log.recovery = RSTREAM_RECOVERY_NONE;
  open(log.message_options());
  link->close();
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_ECONNLOST);
}

TEST_F(consumer, stores_an_offset_under_its_name) {
  rstream_consumer_options o = log.message_options();
  o.name = "app";
  open(o);
  ASSERT_EQ(rstream_consumer_store_offset(handle, 100), 0);
  ASSERT_TRUE(run_until([&] { return link->has(key::store_offset); }));
  EXPECT_EQ(to_hex(link->of(key::store_offset).at(0).bytes),
            "0000001b000a000100036170700008696e766f696365730000000000000064");
}

TEST_F(consumer, a_second_one_shares_the_connection_with_an_id_of_its_own) {
  open(log.message_options());
  consumer_log other;
  open_consumer(other, other.message_options());
  ASSERT_EQ(broker.links.size(), 2u);
  link->send(
      encoded(wire::deliver{1, 1, 0, chunk_builder().message("for the other").build()}));
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "");
  EXPECT_EQ(other.messages, "100=for the other");
  EXPECT_EQ(decoded<wire::credit>(link->of(key::credit).at(0)).subscription_id, 1);
}
