// Chunks that are handed out while they arrive.
#include "codec/chunk.h"
#include "consumer_fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

constexpr size_t prefix_bytes = wire::deliver_prefix_bytes(2);
constexpr size_t entries_at = prefix_bytes + chunk_header_bytes;

struct streaming : consumer_test {
  byte_vector frame;                   // at hand
  size_t sent = 0;                     // of it
  std::vector<peer_frame> unanswered;  // what is answered comes behind the frame
  std::string errors;
  static inline streaming *at_work;

  void SetUp() override {
    consumer_test::SetUp();
    at_work = this;
    broker.on_frame = [this](peer_link &, const peer_frame &f) {
      bool must_wait = f.key == raw(key::unsubscribe) && sent > 0 && sent < frame.size();
      if (must_wait) unanswered.push_back(f);
      return must_wait;
    };
  }

  rstream_consumer_options streamed() {
    rstream_consumer_options o = log.options_for(consume_way::streamed);
    o.on_chunk_error = [](rstream_consumer *, const rstream_chunk_error *e, void *) {
      at_work->errors +=
          std::to_string(e->status) + '@' + std::to_string(e->first_offset) + '+' +
          std::to_string(e->message_count) + '>' + std::to_string(e->action) + ' ';
    };
    return o;
  }

  void begin(const chunk_builder &b) {
    frame = encoded(wire::deliver{0, 2, 900, b.build()});
    sent = 0;
  }
  // On to so many bytes of the frame, and waits until the client has them.
  void send_to(size_t end) {
    uint64_t received = stats().bytes_received;
    size_t n = end - sent;
    link->send(byte_vector(frame.begin() + static_cast<ptrdiff_t>(sent),
                           frame.begin() + static_cast<ptrdiff_t>(end)));
    sent = end;
    ASSERT_TRUE(run_until([&] { return stats().bytes_received - received >= n; }));
    if (sent == frame.size()) answer_all();
  }
  void answer_all() {
    constexpr size_t answer_bytes = 14;
    size_t end = stats().bytes_received + answer_bytes * unanswered.size();
    for (const peer_frame &f : unanswered) broker.answer(*link, f);
    unanswered.clear();
    ASSERT_TRUE(run_until([&] { return stats().bytes_received >= end; }));
  }
  void send_rest() { send_to(frame.size()); }
  // Messages of 3 bytes, so many from 100 on: "m00", "m01" ...
  static chunk_builder numbered(int count, uint64_t first = 100) {
    chunk_builder b;
    b.first_offset = first;
    for (int i = 0; i < count; i++) {
      b.message('m' + std::to_string(i / 10) + std::to_string(i % 10));
    }
    return b;
  }
  void send_messages(int count) { send_to(entries_at + 7 * static_cast<size_t>(count)); }
};

// Pauses the consumer in the callback of a message, or closes it.
template <uint64_t Offset, bool Closes>
void stop_at(rstream_consumer *c, const rstream_message_view *m, void *user) {
  consumer_log::of(user)->add(*m);
  if (m->offset != Offset) return;
  EXPECT_EQ(Closes ? rstream_consumer_close(c, consumer_log::on_closed)
                   : rstream_consumer_pause(c),
            0);
}

}  // namespace

// ---- as they arrive

TEST_F(streaming, messages_come_before_their_chunk_is_there) {
  open(streamed());
  begin(numbered(3));
  send_messages(1);
  EXPECT_EQ(log.messages, "100=m00");
  send_to(sent + 6);
  EXPECT_EQ(log.messages, "100=m00");
  send_to(sent + 1);
  EXPECT_EQ(log.messages, "100=m00 101=m01");
  EXPECT_EQ(consumer_stats().messages, 2u);
  EXPECT_EQ(consumer_stats().chunks, 0u);
  EXPECT_EQ(consumer_stats().has_finished, 0);
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m02");
  EXPECT_EQ(consumer_stats().chunks, 1u);
  EXPECT_EQ(consumer_stats().bytes, frame.size() - prefix_bytes);
  EXPECT_EQ(consumer_stats().next_offset, 103u);
  EXPECT_EQ(consumer_stats().committed_chunk_id, 900u);
  EXPECT_EQ(consumer_stats().finished_offset, 103u);
}

TEST_F(streaming, every_split_gives_the_same) {
  open(streamed());
  for (size_t at = 1;; at++) {
    chunk_builder b;
    b.first_offset = 100 * at;
    begin(b.message("hi").sub_entry({"a", "", "bb"}).message("").message("end"));
    if (at == frame.size()) break;
    log.messages.clear();
    send_to(at);
    send_rest();
    std::string expected;
    uint64_t offset = 100 * at;
    for (const char *body : {"hi", "a", "", "bb", "", "end"})
      expected += (expected.empty() ? "" : " ") + std::to_string(offset++) + '=' + body;
    ASSERT_EQ(log.messages, expected) << "split at " << at;
    ASSERT_EQ(consumer_stats().finished_offset, offset);
    ASSERT_EQ(consumer_stats().chunks, at);
  }
  EXPECT_EQ(log.entry_errors + errors, "");
}

TEST_F(streaming, byte_by_byte_with_other_frames_around) {
  open(streamed());
  chunk_builder b = numbered(4);
  b.sub_entry({"x", "y"});
  begin(b);
  byte_vector beat = encoded(wire::heartbeat{});
  frame.insert(frame.end(), beat.begin(), beat.end());
  byte_vector next = encoded(wire::deliver{0, 1, 0, numbered(1, 106).build()});
  frame.insert(frame.end(), next.begin(), next.end());
  for (size_t at = 1; at <= frame.size(); at++) send_to(at);
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m02 103=m03 104=x 105=y 106=m00");
  EXPECT_EQ(consumer_stats().chunks, 2u);
  EXPECT_TRUE(wait_for_credits(2));
}

TEST_F(streaming, a_sub_entry_comes_when_it_is_whole) {
  open(streamed());
  chunk_builder b;
  begin(b.sub_entry({"a", "b"}).message("c"));
  send_to(entries_at + 11 + 9);
  EXPECT_EQ(log.messages, "");
  send_to(sent + 1);
  EXPECT_EQ(log.messages, "100=a 101=b");
  send_rest();
  EXPECT_EQ(log.messages, "100=a 101=b 102=c");
}

TEST_F(streaming, smaller_chunks_are_checked_before_anything_is_handed_out) {
  rstream_consumer_options o = streamed();
  o.streaming_min_bytes = chunk_header_bytes + 21;
  open(o);
  begin(numbered(2));
  send_messages(1);
  EXPECT_EQ(log.messages, "");
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m01");
  begin(numbered(3, 102));
  send_messages(1);
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m00");
  send_rest();
  EXPECT_EQ(consumer_stats().chunks, 2u);
}

TEST_F(streaming, another_consumer_of_the_connection_goes_on_as_ever) {
  open(streamed());
  consumer_log other;
  rstream_consumer *whole = open_consumer(other, other.message_options());
  begin(numbered(2));
  wire::store_u64be(&frame[9], 900);
  frame[8] = 1;  // the subscription
  send_messages(1);
  EXPECT_EQ(other.messages, "");
  send_rest();
  EXPECT_EQ(other.messages, "100=m00 101=m01");
  begin(numbered(1, 200));
  send_rest();
  EXPECT_EQ(log.messages, "200=m00");
  ASSERT_EQ(rstream_consumer_close(whole, nullptr), 0);
  close_env();
}

TEST_F(streaming, needs_messages_to_be_handed_out_one_by_one) {
  create();
  rstream_consumer_options o = log.chunk_options();
  o.streaming_min_bytes = 1;
  rstream_consumer *c;
  EXPECT_EQ(rstream_consumer_open(&c, env, &o), RSTREAM_EINVAL);
  EXPECT_STREQ(
      rstream_env_error_text(env),
      "streaming_min_bytes needs on_message: a chunk that is handed out while it "
      "arrives is never there as a whole");
}

// ---- what is not handed out

TEST_F(streaming, messages_below_the_offset_asked_for_are_passed_over) {
  rstream_consumer_options o = streamed();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 103;
  open(o);
  chunk_builder b = numbered(3);
  begin(b.sub_entry({"a", "b"}).message("c"));
  for (size_t at = 1; at <= frame.size(); at++) send_to(at);
  EXPECT_EQ(log.messages, "103=a 104=b 105=c");
  EXPECT_EQ(consumer_stats().messages_filtered, 3u);
}

TEST_F(streaming, the_filter_of_the_application_decides) {
  rstream_consumer_options o = streamed();
  o.on_filter = [](const rstream_message_view *m, void *) {
    return m->offset % 2 == 0 ? 1 : 0;
  };
  open(o);
  begin(numbered(5));
  send_messages(2);
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 102=m02 104=m04");
  EXPECT_EQ(consumer_stats().messages_filtered, 2u);
  EXPECT_EQ(consumer_stats().finished_offset, 105u);
}

TEST_F(streaming, an_entry_that_is_too_large_is_told_and_passed_over) {
  rstream_consumer_options o = streamed();
  o.max_sub_entry_bytes = 40;
  open(o);
  chunk_builder b = numbered(1);
  b.message(std::string(36, 'x')).message(std::string(37, 'y'));
  b.sub_entry({std::string(26, 'z')}).message("tail");
  begin(b);
  for (size_t at = 1; at <= frame.size(); at++) send_to(at);
  EXPECT_EQ(log.messages, "100=m00 101=" + std::string(36, 'x') + " 104=tail");
  EXPECT_EQ(log.entry_errors, "102+1 103+1 ");
  EXPECT_EQ(log.entry_text, "an entry is larger than max_sub_entry_bytes");
  EXPECT_EQ(consumer_stats().chunks, 1u) << "its bytes count for the CRC";
  EXPECT_EQ(consumer_stats().finished_offset, 105u);
}

TEST_F(streaming, max_deliver_bytes_is_for_chunks_that_come_whole) {
  options.max_deliver_bytes = 8192;
  open(streamed());
  chunk_builder b = numbered(1);
  begin(b.message(std::string(20000, 'x')).message("end"));
  send_rest();
  EXPECT_EQ(consumer_stats().chunks, 1u);
  EXPECT_FALSE(log.ended());
}

TEST_F(streaming, chunks_of_the_broker_itself_are_dropped) {
  open(streamed());
  chunk_builder b = numbered(3);
  b.type = 1;
  begin(b);
  send_messages(1);
  send_rest();
  begin(numbered(1, 103));
  send_rest();
  EXPECT_EQ(log.messages, "103=m00");
  EXPECT_TRUE(wait_for_credits(2));
}

// ---- CRC

TEST_F(streaming, a_wrong_crc_is_told_afterwards_and_all_comes_again) {
  rstream_consumer_options o = streamed();
  o.name = "reader";
  open(o);
  chunk_builder bad = numbered(3);
  bad.crc_change = 1;
  begin(bad);
  send_messages(2);
  EXPECT_EQ(errors, "");
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m02");
  EXPECT_EQ(errors, "-20010@100+3>0 ");
  EXPECT_EQ(consumer_stats().has_finished, 0);
  EXPECT_EQ(consumer_stats().chunks_bad, 1u);
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(subscribed(), "none 100 ");
  log.messages.clear();
  begin(numbered(3));
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m02");
  EXPECT_EQ(consumer_stats().finished_offset, 103u);
  close_consumer();
  EXPECT_EQ(stored(), "102 ");
}

TEST_F(streaming, what_was_not_asked_for_does_not_come_again_either) {
  rstream_consumer_options o = streamed();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 102;
  open(o);
  chunk_builder bad = numbered(4);
  bad.crc_change = 1;
  begin(bad);
  send_rest();
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(subscribed(), "102 102 ");
  begin(numbered(4));
  send_rest();
  EXPECT_EQ(log.messages, "102=m02 103=m03 102=m02 103=m03");
}

TEST_F(streaming, a_wrong_crc_may_be_passed_over) {
  rstream_consumer_options o = streamed();
  o.name = "reader";
  o.bad_chunk = RSTREAM_BAD_CHUNK_SKIP;
  open(o);
  begin(numbered(1, 99));
  send_rest();
  chunk_builder bad = numbered(3);
  bad.crc_change = 1;
  begin(bad);
  send_rest();
  EXPECT_EQ(errors, "-20010@100+3>1 ");
  EXPECT_EQ(consumer_stats().finished_offset, 100u);
  EXPECT_TRUE(wait_for_credits(2));
  begin(numbered(1, 103));
  send_rest();
  EXPECT_EQ(log.messages, "99=m00 100=m00 101=m01 102=m02 103=m00");
  EXPECT_EQ(consumer_stats().finished_offset, 104u);
}

TEST_F(streaming, a_wrong_crc_may_end_it) {
  rstream_consumer_options o = streamed();
  o.bad_chunk = RSTREAM_BAD_CHUNK_END;
  open(o);
  chunk_builder bad = numbered(3);
  bad.crc_change = 1;
  begin(bad);
  send_rest();
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_ECHECKSUM);
  EXPECT_EQ(consumer_stats().has_finished, 0);
}

TEST_F(streaming, one_that_stays_bad_ends_it) {
  open(streamed());
  chunk_builder bad = numbered(1);
  bad.crc_change = 1;
  for (size_t i = 1; i <= 4; i++) {
    begin(bad);
    send_rest();
    if (i < 4) ASSERT_TRUE(wait_for(key::subscribe, i + 1));
  }
  ASSERT_TRUE(run_until([&] { return log.ended(); }));
  EXPECT_EQ(log.reason, RSTREAM_ECHECKSUM);
  EXPECT_EQ(errors, "-20010@100+1>0 -20010@100+1>0 -20010@100+1>0 -20010@100+1>2 ");
}

TEST_F(streaming, without_crc_a_message_is_finished_when_its_callback_returns) {
  rstream_consumer_options o = streamed();
  o.crc_off = 1;
  o.name = "reader";
  open(o);
  chunk_builder bad = numbered(3);
  bad.crc_change = 1;
  begin(bad);
  send_messages(2);
  EXPECT_EQ(consumer_stats().finished_offset, 102u);
  send_rest();
  EXPECT_EQ(errors, "");
  EXPECT_EQ(consumer_stats().finished_offset, 103u);
}

TEST_F(streaming, a_malformed_header_is_told_before_anything_comes) {
  rstream_consumer_options o = streamed();
  o.bad_chunk = RSTREAM_BAD_CHUNK_SKIP;
  open(o);
  chunk_builder longer = numbered(2);
  longer.data_bytes_change = 1;
  begin(longer);
  send_messages(1);
  EXPECT_EQ(errors, "-20008@0+0>1 ");
  send_rest();
  begin(numbered(1));
  frame.resize(entries_at - 1);  // not even a header
  wire::store_u32be(frame.data(), static_cast<uint32_t>(frame.size() - 4));
  for (size_t at = 1; at <= frame.size(); at++) send_to(at);
  EXPECT_EQ(errors, "-20008@0+0>1 -20008@0+0>1 ");
  begin(numbered(1));
  send_rest();
  EXPECT_EQ(log.messages, "100=m00");
}

// ---- pausing

TEST_F(streaming, paused_within_a_chunk_it_goes_on_behind_the_last_message) {
  rstream_consumer_options o = streamed();
  o.on_message = stop_at<101, false>;
  o.name = "reader";
  open(o);
  begin(numbered(4));
  send_messages(3);
  EXPECT_EQ(log.messages, "100=m00 101=m01");
  ASSERT_TRUE(wait_for(key::unsubscribe, 1));
  EXPECT_EQ(consumer_stats().has_finished, 0) << "the CRC is not known yet";
  send_rest();
  EXPECT_EQ(consumer_stats().finished_offset, 102u) << "now it is";
  EXPECT_EQ(consumer_stats().chunks_dropped, 1u);
  EXPECT_EQ(subscribed(), "none ") << "as long as it is paused";
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(subscribed(), "none 102 ");
  begin(numbered(4));
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m02 103=m03");
  EXPECT_EQ(consumer_stats().finished_offset, 104u);
  EXPECT_EQ(consumer_stats().chunks, 1u);
}

TEST_F(streaming, paused_between_two_pieces) {
  open(streamed());
  begin(numbered(4));
  send_messages(2);
  ASSERT_EQ(rstream_consumer_pause(handle), 0);
  send_messages(3);
  EXPECT_EQ(log.messages, "100=m00 101=m01");
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  ASSERT_TRUE(wait_for(key::unsubscribe, 1));
  send_rest();
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(subscribed(), "none 102 ");
}

TEST_F(streaming, paused_and_resumed_between_two_pieces_nothing_is_lost) {
  open(streamed());
  begin(numbered(4));
  send_messages(2);
  ASSERT_EQ(rstream_consumer_pause(handle), 0);
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m02 103=m03");
  EXPECT_EQ(consumer_stats().resubscribes, 0u);
}

TEST_F(streaming, paused_by_the_last_message_nothing_is_dropped) {
  rstream_consumer_options o = streamed();
  o.on_message = stop_at<101, false>;
  open(o);
  begin(numbered(2));
  send_rest();
  EXPECT_EQ(consumer_stats().finished_offset, 102u);
  EXPECT_EQ(consumer_stats().resubscribes, 0u);
  EXPECT_TRUE(wait_for_credits(1));
}

TEST_F(streaming, a_chunk_that_comes_while_it_is_paused_is_dropped) {
  open(streamed());
  begin(numbered(2));
  send_rest();
  ASSERT_EQ(rstream_consumer_pause(handle), 0);
  begin(numbered(2, 102));
  send_messages(1);
  ASSERT_TRUE(wait_for(key::unsubscribe, 1));
  send_rest();
  EXPECT_EQ(consumer_stats().bytes_held, 0u);
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(subscribed(), "none 102 ");
  begin(numbered(2, 102));
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m00 103=m01");
}

TEST_F(streaming, small_chunks_wait_and_are_dropped_with_a_large_one_behind_them) {
  rstream_consumer_options o = streamed();
  o.streaming_min_bytes = chunk_header_bytes + 21;
  open(o);
  ASSERT_EQ(rstream_consumer_pause(handle), 0);
  begin(numbered(1));
  send_rest();
  EXPECT_EQ(consumer_stats().chunks_held, 1u);
  begin(numbered(3, 101));
  send_rest();
  EXPECT_EQ(consumer_stats().chunks_held, 0u);
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(log.messages, "");
}

TEST_F(streaming, small_chunks_that_wait_come_before_a_large_one) {
  rstream_consumer_options o = streamed();
  o.streaming_min_bytes = chunk_header_bytes + 21;
  open(o);
  ASSERT_EQ(rstream_consumer_pause(handle), 0);
  begin(numbered(1));
  send_rest();
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  begin(numbered(3, 101));
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m00 102=m01 103=m02");
  EXPECT_EQ(consumer_stats().resubscribes, 0u);
}

// Resumed and come at once: in one turn of the loop.
TEST_F(streaming, also_when_it_comes_before_they_were_handed_out) {
  rstream_consumer_options o = streamed();
  o.streaming_min_bytes = chunk_header_bytes + 21;
  open(o);
  consumer_log other;
  rstream_consumer_options resuming = other.message_options();
  resuming.on_message = [](rstream_consumer *, const rstream_message_view *, void *) {
    EXPECT_EQ(rstream_consumer_resume(at_work->handle), 0);
  };
  open_consumer(other, resuming);
  ASSERT_EQ(rstream_consumer_pause(handle), 0);
  begin(numbered(1));
  send_rest();
  begin(numbered(1));
  frame[8] = 1;
  byte_vector large = encoded(wire::deliver{0, 2, 0, numbered(3, 101).build()});
  frame.insert(frame.end(), large.begin(), large.end());
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m00 102=m01 103=m02");
  EXPECT_EQ(consumer_stats().resubscribes, 0u);
  close_env();
}

TEST_F(streaming, a_wrong_crc_behind_a_pause_may_be_passed_over) {
  rstream_consumer_options o = streamed();
  o.on_message = stop_at<101, false>;
  o.bad_chunk = RSTREAM_BAD_CHUNK_SKIP;
  open(o);
  chunk_builder bad = numbered(4);
  bad.crc_change = 1;
  begin(bad);
  send_rest();
  EXPECT_EQ(errors, "-20010@100+4>1 ");
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(subscribed(), "none 102 ");
  begin(numbered(4));
  send_rest();
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m02 103=m03");
}

TEST_F(streaming, a_wrong_crc_behind_a_pause_has_all_of_it_come_again) {
  rstream_consumer_options o = streamed();
  o.on_message = stop_at<101, false>;
  open(o);
  chunk_builder bad = numbered(4);
  bad.crc_change = 1;
  begin(bad);
  send_rest();
  EXPECT_EQ(errors, "-20010@100+4>0 ");
  EXPECT_EQ(consumer_stats().has_finished, 0);
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  ASSERT_TRUE(wait_for(key::subscribe, 2));
  EXPECT_EQ(subscribed(), "none 100 ");
}

// ---- closing and ends

TEST_F(streaming, closed_within_a_chunk_nothing_of_it_is_stored) {
  rstream_consumer_options o = streamed();
  o.on_message = stop_at<104, true>;
  o.name = "reader";
  open(o);
  begin(numbered(3));
  send_rest();
  begin(numbered(4, 103));
  send_messages(3);
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m02 103=m00 104=m01");
  ASSERT_TRUE(wait_for(key::unsubscribe, 1));
  send_rest();
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.messages, "100=m00 101=m01 102=m02 103=m00 104=m01");
  EXPECT_EQ(stored(), "102 ");
}

TEST_F(streaming, closed_by_the_last_message_all_of_it_is_stored) {
  rstream_consumer_options o = streamed();
  o.on_message = stop_at<102, true>;
  o.name = "reader";
  open(o);
  begin(numbered(3));
  send_messages(2);
  send_rest();
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(stored(), "102 ");
}

TEST_F(streaming, closed_by_the_last_message_a_wrong_crc_is_not_told) {
  rstream_consumer_options o = streamed();
  o.on_message = stop_at<102, true>;
  o.name = "reader";
  open(o);
  chunk_builder bad = numbered(3);
  bad.crc_change = 1;
  begin(bad);
  send_rest();
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(errors, "");
  EXPECT_EQ(stored(), "");
}

TEST_F(streaming, closed_within_a_chunk_without_crc_what_was_seen_is_stored) {
  rstream_consumer_options o = streamed();
  o.on_message = stop_at<101, true>;
  o.name = "reader";
  o.crc_off = 1;
  open(o);
  begin(numbered(4));
  send_messages(3);
  send_rest();
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.messages, "100=m00 101=m01");
  EXPECT_EQ(stored(), "101 ");
}

// The broker does not answer: the consumer is gone before its chunk has ended.
TEST_F(streaming, the_rest_of_a_chunk_whose_consumer_is_gone_needs_no_memory) {
  broker.on_frame = [](peer_link &, const peer_frame &f) {
    return f.key == raw(key::unsubscribe);
  };
  open(streamed());
  consumer_log other;
  open_consumer(other, other.message_options());
  chunk_builder b = numbered(2);
  b.message(std::string(3u << 20, 'x'));
  begin(b);
  send_messages(1);
  close_consumer();
  uint64_t ignored = stats().frames_ignored;
  uint64_t held = stats().bytes_allocated;
  while (sent + 60000 < frame.size()) {
    send_to(sent + 60000);
    ASSERT_LE(stats().bytes_allocated, held + (600u << 10));
  }
  send_rest();
  begin(numbered(1));  // another one
  frame[8] = 0;
  send_rest();
  EXPECT_EQ(stats().frames_ignored, ignored + 1);
  begin(numbered(1));
  frame[8] = 1;
  send_rest();
  EXPECT_EQ(other.messages, "100=m00") << "the connection is as good as ever";
  close_env();
}

TEST_F(streaming, the_connection_ends_within_a_chunk) {
  rstream_consumer_options o = streamed();
  o.name = "reader";
  o.recovery = RSTREAM_RECOVERY_NONE;
  open(o);
  begin(numbered(3));
  send_messages(2);
  link->close();
  ASSERT_TRUE(run_until([&] { return log.ended() || consumer_stats().has_finished; }));
  EXPECT_EQ(log.messages, "100=m00 101=m01");
  EXPECT_EQ(consumer_stats().has_finished, 0);
}

// ---- credit

TEST_F(streaming, the_credit_goes_back_at_the_chunks_end) {
  open(streamed());
  begin(numbered(3));
  send_messages(2);
  EXPECT_EQ(credits(), 0);
  send_rest();
  EXPECT_TRUE(wait_for_credits(1));
}

TEST_F(streaming, or_when_it_begins) {
  rstream_consumer_options o = streamed();
  o.credit_policy = RSTREAM_CREDIT_ON_ARRIVAL;
  open(o);
  begin(numbered(3));
  send_messages(1);
  EXPECT_TRUE(wait_for_credits(1));
  send_rest();
  begin(numbered(3, 103));
  send_messages(1);
  EXPECT_TRUE(wait_for_credits(2));
  send_rest();
  EXPECT_EQ(credits(), 2);
}

// ---- memory

TEST_F(streaming, a_chunk_of_16_mib_takes_the_memory_of_an_entry_and_a_buffer) {
  open(streamed());
  chunk_builder b;
  for (int i = 0; i < 160; i++) b.message(std::string(100 << 10, 'x'));
  begin(b);
  ASSERT_GT(frame.size(), 15u << 20);
  uint64_t before = stats().bytes_allocated, most = 0;
  log.messages.reserve(17u << 20);
  while (sent < frame.size()) {
    send_to(std::min(sent + 50000, frame.size()));
    most = std::max(most, stats().bytes_allocated);
  }
  EXPECT_EQ(consumer_stats().messages, 160u);
  EXPECT_EQ(consumer_stats().chunks, 1u);
  // Free slabs of the sizes it went through are among it.
  EXPECT_LE(most - before, 800u << 10);
}
