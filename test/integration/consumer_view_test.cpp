// What a consumer sees beside messages: chunks and what they tell, lag, where the end is;
// and what a stream tells to those who ask.
#include <chrono>

#include "consuming.h"

using namespace rstream::test;

namespace {

struct consumer_view : consuming {
  value_reply resolve(rstream_offset_type type, uint64_t value = 0) {
    return ask<value_reply>([&](auto *r) {
      return rstream_resolve_offset(env, stream.c_str(), type, value, value_reply::on, r);
    });
  }
  rstream_stream_statistics statistics() {
    auto reply = ask<stats_reply>([&](auto *r) {
      return rstream_stream_stats(env, stream.c_str(), stats_reply::on, r);
    });
    EXPECT_EQ(reply.status, 0);
    return reply.statistics;
  }
  bool resolves() const { return release >= 403; }
};

int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace

TEST_F(consumer_view, chunks_tell_when_and_in_which_term_they_were_written) {
  int64_t before = now_ms();
  publish_more(10);
  int64_t between = now_ms();
  publish_more(20);
  int64_t after = now_ms();
  consumer_probe c;
  c.keep_numbers = true;
  ASSERT_EQ(c.open_first(env, stream, consumer_probe::by_chunk), 0);
  ASSERT_TRUE(wait_for(c, 29));
  uint64_t messages = 0;
  for (const rstream_chunk_info &info : c.infos) {
    EXPECT_EQ(info.first_offset, messages);
    bool early = info.first_offset < 10;
    EXPECT_GE(info.timestamp_ms, early ? before : between);
    EXPECT_LE(info.timestamp_ms, early ? between : after);
    EXPECT_EQ(info.epoch, 1u);
    EXPECT_EQ(info.entry_count, info.message_count);
    messages += info.message_count;
  }
  EXPECT_EQ(messages, 30u);
  rstream_consumer_stats s = c.stats();
  EXPECT_EQ(s.chunks, c.chunks);
  EXPECT_EQ(s.messages, 30u);
  EXPECT_EQ(s.next_offset, 30u);
}

// Each time the leader starts, a new term begins.
TEST_F(consumer_view, a_new_leader_begins_a_new_term) {
  NEEDS_DISTURBANCE();
  publish_more(1);
  EXPECT_EQ(broker_eval("element(1, rabbit_stream_queue:restart_stream(<<\"/\">>, <<\"" +
                        stream + "\">>, #{}))."),
            "{ok, ok}");
  publish_more(1);
  consumer_probe c;
  c.keep_numbers = true;
  ASSERT_EQ(c.open_first(env, stream, consumer_probe::by_chunk), 0);
  ASSERT_TRUE(wait_for(c, 1));
  ASSERT_EQ(c.infos.size(), 2u);
  EXPECT_EQ(c.infos[0].epoch, 1u);
  EXPECT_GT(c.infos[1].epoch, 1u);
}

// Paused, it falls behind by what comes meanwhile: the broker sends ahead what credit
// allows, and tells with each chunk how far the stream was then.
TEST_F(consumer_view, lag_and_catching_up) {
  publish_singly(3);
  consumer_probe c;
  std::vector<uint64_t> seen_when_told;
  c.on_caught_up = [&](uint64_t) { seen_when_told.push_back(c.messages); };
  ASSERT_EQ(c.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return !c.caught_up.empty(); }));
  EXPECT_EQ(c.caught_up, std::vector<uint64_t>({3}));
  EXPECT_EQ(c.messages, 3u);
  EXPECT_EQ(c.stats().messages_behind, 0u);
  EXPECT_EQ(c.stats().committed_chunk_id, 2u);

  ASSERT_EQ(rstream_consumer_pause(c.handle), 0);
  publish_singly(4);
  ASSERT_TRUE(run_until([&] { return c.stats().chunks_held == 4; }));
  EXPECT_EQ(c.messages, 3u);
  EXPECT_EQ(c.stats().committed_chunk_id, 6u);
  EXPECT_EQ(c.stats().messages_behind, 3u)
      << "from offset 3 to the chunk that begins at 6";
  ASSERT_EQ(rstream_consumer_resume(c.handle), 0);
  ASSERT_TRUE(run_until([&] { return c.stats().next_offset == 7; }));
  EXPECT_EQ(c.stats().messages_behind, 0u);
  EXPECT_EQ(c.caught_up.back(), 7u);
  // Never before the last message that was committed has been handed out.
  ASSERT_EQ(seen_when_told.size(), c.caught_up.size());
  for (size_t i = 0; i < seen_when_told.size(); i++)
    EXPECT_EQ(seen_when_told[i], c.caught_up[i]);
}

TEST_F(consumer_view, columns_hold_what_iterating_tells) {
  for (int i = 0; i < 5; i++) publish_more(100);
  consumer_probe c;
  c.keep_numbers = true;
  uint64_t read = 0;
  c.on_chunk = [&](rstream_chunk *chunk) {
    constexpr size_t most = 37;
    const uint8_t *bodies[most];
    size_t sizes[most];
    uint64_t offsets[most];
    std::vector<std::pair<uint64_t, std::string>> columns;
    while (size_t n = rstream_chunk_read(chunk, bodies, sizes, offsets, most)) {
      ASSERT_LE(n, most);
      for (size_t i = 0; i < n; i++) {
        columns.emplace_back(
            offsets[i], std::string(reinterpret_cast<const char *>(bodies[i]), sizes[i]));
      }
    }
    rstream_chunk_rewind(chunk);
    for (auto &[offset, body] : columns) {
      const rstream_message_view *view = rstream_chunk_next(chunk);
      ASSERT_NE(view, nullptr);
      EXPECT_EQ(view->offset, offset);
      EXPECT_EQ(text_of(view), body);
      EXPECT_EQ(body, body_of(offset).bytes);
      c.saw(view);
      read++;
    }
    EXPECT_EQ(rstream_chunk_next(chunk), nullptr);
  };
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_chunk,
                   [](auto &o) {
                     o.offset_type = RSTREAM_OFFSET_OFFSET;
                     o.offset_value = 150;
                   }),
            0);
  ASSERT_TRUE(wait_for(c, 499));
  EXPECT_EQ(c.first_offset, 150u);
  EXPECT_EQ(read, 350u);
}

// Before 4.3 only subscribing tells.
TEST_F(consumer_view, an_offset_specification_is_resolved_or_honestly_refused) {
  publish_singly(2);
  int64_t between = now_ms();
  while (now_ms() <= between) run_ready();
  publish_singly(1);
  struct expected {
    rstream_offset_type type;
    uint64_t value;
    uint64_t resolved;
  };
  const expected all[] = {
      {RSTREAM_OFFSET_FIRST, 0, 0},
      {RSTREAM_OFFSET_LAST, 0, 2},
      {RSTREAM_OFFSET_NEXT, 0, 3},
      {RSTREAM_OFFSET_OFFSET, 1, 1},
      {RSTREAM_OFFSET_TIMESTAMP, static_cast<uint64_t>(between) + 1, 2},
  };
  for (const expected &e : all) {
    SCOPED_TRACE(e.type);
    value_reply reply = resolve(e.type, e.value);
    EXPECT_EQ(reply.status, resolves() ? 0 : RSTREAM_ENOTSUP);
    EXPECT_EQ(reply.value, resolves() ? e.resolved : 0);
  }
}

TEST_F(consumer_view, an_offset_of_a_missing_stream) {
  auto reply = ask<value_reply>([&](auto *r) {
    return rstream_resolve_offset(env, other_stream("missing").c_str(),
                                  RSTREAM_OFFSET_FIRST, 0, value_reply::on, r);
  });
  EXPECT_EQ(reply.status,
            resolves() ? RSTREAM_BROKER_STREAM_DOES_NOT_EXIST : RSTREAM_ENOTSUP);
}

TEST_F(consumer_view, statistics_tell_the_committed_offset_from_4_3_on) {
  EXPECT_EQ(statistics().committed_offset, -1);
  publish_more(10);
  publish_more(1);
  rstream_stream_statistics s = statistics();
  EXPECT_EQ(s.first_chunk_id, 0);
  EXPECT_EQ(s.last_chunk_id, 10);
  EXPECT_EQ(s.committed_chunk_id, 10);
  EXPECT_EQ(s.committed_offset, resolves() ? 10 : -1);
}
