// The turns of a single active consumer, whatever it has done in the one before.
#include "consumer_fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct consumer_turns : consumer_test {
  std::string updates;  // "+-": asked where to begin, told to stop
  std::string caught_up;
  rstream_update_reply reply = RSTREAM_UPDATE_DEFAULT;
  uint64_t found = 0;  // stored at the broker; 0: nothing is
  static inline consumer_turns *at_work;

  void SetUp() override {
    consumer_test::SetUp();
    at_work = this;
    broker.on_frame = [this](peer_link &l, const peer_frame &f) {
      if (f.key != raw(key::query_offset) || found == 0) return false;
      l.send(encoded(wire::query_offset_response{f.correlation_id(), 1, found}));
      return true;
    };
  }

  // From the first message on, storing when it stops.
  rstream_consumer_options member(rstream_consumer_options o) {
    o.name = "group";
    o.single_active = 1;
    o.offset_type = RSTREAM_OFFSET_FIRST;
    o.on_update = [](rstream_consumer *, int active, void *) {
      at_work->updates += active ? '+' : '-';
      return at_work->reply;
    };
    o.on_caught_up = [](rstream_consumer *, uint64_t next, void *) {
      at_work->caught_up += std::to_string(next) + ' ';
    };
    return o;
  }

  // The broker's questions, numbered, and their answers: "1:none 2:none 3:201 ".
  uint32_t asked = 0;
  void ask(bool active) {
    link->send(encoded(wire::consumer_update{++asked, 0, active}));
  }
  std::vector<peer_frame> answer_frames() const {
    return link->of_raw(wire::response_key(key::consumer_update));
  }
  std::string answers() const {
    std::string text;
    for (auto &f : answer_frames()) {
      auto answer = decoded<wire::consumer_update_response>(f);
      text += std::to_string(answer.correlation_id) + ':';
      text += answer.spec.type == 4 ? std::to_string(answer.spec.value) : "none";
      text += ' ';
    }
    return text;
  }
  bool wait_for_answers() {
    return run_until([&] { return answer_frames().size() >= asked; });
  }
  void begin() {
    ask(true);
    ASSERT_TRUE(wait_for_answers());
  }
  void stop() {
    ask(false);
    ASSERT_TRUE(wait_for_answers());
  }
  bool wait_for_dropped(uint64_t n) {
    return run_until([&] { return consumer_stats().chunks_dropped >= n; });
  }
};

}  // namespace

// ---- stopping

// Scenario 80: from the question on, not from the answer.
TEST_F(consumer_turns, scenario_80_nothing_is_handed_out_until_stopping_is_answered) {
  open(member(log.message_options()));
  begin();
  deliver_at(100, {"a"});
  ASSERT_TRUE(wait_for_credits(1));
  reply = RSTREAM_UPDATE_LATER;
  ask(false);
  deliver_at(101, {"b"});
  ASSERT_TRUE(wait_for_dropped(1));
  EXPECT_EQ(updates, "+-");
  EXPECT_EQ(answers(), "1:none ");
  EXPECT_EQ(rstream_consumer_activity(handle), RSTREAM_ACTIVITY_STANDBY);
  ASSERT_EQ(rstream_consumer_update_done(handle, RSTREAM_OFFSET_DEFAULT, 0), 0);
  ASSERT_TRUE(wait_for_answers());
  deliver_at(102, {"c"});
  ASSERT_TRUE(wait_for_dropped(2));
  EXPECT_TRUE(wait_for_credits(3)) << "what is dropped gives its credit back";
  EXPECT_EQ(log.messages, "100=a");
  EXPECT_EQ(stored(), "100 ");
}

// The answer waits for a chunk that is held; others do not come meanwhile.
TEST_F(consumer_turns, scenario_80_nor_while_chunks_are_held) {
  log.keeps = true;
  open(member(log.chunk_options()));
  begin();
  deliver_at(100, {"a"});
  ASSERT_TRUE(run_until([&] { return log.chunks == 1; }));
  ask(false);
  deliver_at(101, {"b"});
  ASSERT_TRUE(wait_for_dropped(1));
  EXPECT_EQ(answers(), "1:none ");
  release_kept();
  ASSERT_TRUE(wait_for_answers());
  EXPECT_EQ(log.messages, "100=a");
  EXPECT_EQ(stored(), "100 ");
}

// They are for whoever goes on, not for the application to have when it resumes.
TEST_F(consumer_turns, chunks_that_wait_do_not_survive_stopping) {
  open(member(log.message_options()));
  begin();
  deliver_at(100, {"a"});
  ASSERT_TRUE(wait_for_credits(1));
  ASSERT_EQ(rstream_consumer_pause(handle), 0);
  deliver_at(101, {"b"});
  deliver_at(102, {"c"});
  ASSERT_TRUE(run_until([&] { return consumer_stats().chunks_held == 2; }));
  stop();
  EXPECT_EQ(consumer_stats().chunks_held, 0u);
  EXPECT_EQ(consumer_stats().chunks_dropped, 2u);
  EXPECT_TRUE(wait_for_credits(3));
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  found = 200;
  begin();
  EXPECT_EQ(answers(), "1:none 2:none 3:201 ");
  deliver_at(201, {"z"});
  ASSERT_TRUE(wait_for_credits(4));
  EXPECT_EQ(log.messages, "100=a 201=z");
  close_consumer();
  EXPECT_EQ(stored(), "100 201 ");
}

// The application stopped within the chunk by pausing.
TEST_F(consumer_turns, nor_does_the_rest_of_one) {
  rstream_consumer_options o = log.message_options();
  o.on_message = [](rstream_consumer *c, const rstream_message_view *m, void *user) {
    consumer_log::of(user)->add(*m);
    EXPECT_EQ(rstream_consumer_pause(c), 0);
  };
  open(member(o));
  begin();
  deliver_at(100, {"a", "b"});
  ASSERT_TRUE(run_until([&] { return consumer_stats().chunks_held == 1; }));
  stop();
  EXPECT_EQ(stored(), "100 ");
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  found = 100;
  begin();
  EXPECT_EQ(log.messages, "100=a");
  deliver_at(100, {"a", "b"});
  ASSERT_TRUE(run_until([&] { return log.messages != "100=a"; }));
  EXPECT_EQ(log.messages, "100=a 101=b");
}

// ---- beginning again

// Whoever was active meanwhile may have gone back.
TEST_F(consumer_turns, a_new_turn_knows_nothing_of_what_was_finished_in_the_last_one) {
  open(member(log.message_options()));
  begin();
  deliver_at(100, {"a", "b"});
  ASSERT_TRUE(wait_for_credits(1));
  stop();
  EXPECT_EQ(stored(), "101 ");
  found = 50;
  begin();
  EXPECT_EQ(answers(), "1:none 2:none 3:51 ");
  EXPECT_EQ(consumer_stats().has_finished, 0);
  EXPECT_EQ(consumer_stats().stored_offset, 50u);
  deliver_at(50, {"x", "y", "z"});
  ASSERT_TRUE(wait_for_credits(2));
  EXPECT_EQ(log.messages, "100=a 101=b 51=y 52=z");
  EXPECT_EQ(consumer_stats().finished_offset, 53u);
  close_consumer();
  EXPECT_EQ(stored(), "101 52 ");
}

TEST_F(consumer_turns, nothing_of_it_is_stored_by_one_that_consumed_nothing) {
  open(member(log.message_options()));
  begin();
  deliver_at(100, {"a", "b"});
  ASSERT_TRUE(wait_for_credits(1));
  stop();
  found = 50;
  begin();
  close_consumer();
  EXPECT_EQ(stored(), "101 ");
}

TEST_F(consumer_turns, nor_when_nothing_is_stored_any_more) {
  open(member(log.message_options()));
  begin();
  deliver_at(100, {"a", "b"});
  ASSERT_TRUE(wait_for_credits(1));
  stop();
  begin();
  EXPECT_EQ(answers(), "1:none 2:none 3:none ");
  EXPECT_EQ(consumer_stats().has_finished, 0);
  EXPECT_EQ(consumer_stats().has_stored, 0);
  deliver_at(10, {"x"});
  ASSERT_TRUE(wait_for_credits(2));
  EXPECT_EQ(log.messages, "100=a 101=b 10=x") << "as Subscribe said: from the first";
  close_consumer();
  EXPECT_EQ(stored(), "101 10 ");
}

TEST_F(consumer_turns, nor_where_the_application_says_where_to_begin) {
  open(member(log.message_options()));
  begin();
  deliver_at(100, {"a", "b"});
  ASSERT_TRUE(wait_for_credits(1));
  stop();
  reply = RSTREAM_UPDATE_LATER;
  ask(true);
  ASSERT_TRUE(run_until([&] { return updates == "+-+"; }));
  ASSERT_EQ(rstream_consumer_update_done(handle, RSTREAM_OFFSET_OFFSET, 21), 0);
  ASSERT_TRUE(wait_for_answers());
  EXPECT_EQ(answers(), "1:none 2:none 3:21 ");
  deliver_at(20, {"x", "y"});
  ASSERT_TRUE(wait_for_credits(2));
  EXPECT_EQ(log.messages, "100=a 101=b 21=y");
  close_consumer();
  EXPECT_EQ(stored(), "101 21 ");
}

// Its turn ended without it: the application took too long.
TEST_F(consumer_turns, a_chunk_of_the_last_turn_holds_up_nothing_in_the_next) {
  log.keeps = true;
  rstream_consumer_options o = member(log.chunk_options());
  o.update_timeout_ms = 10;
  open(o);
  begin();
  deliver_at(100, {"a"});
  ASSERT_TRUE(run_until([&] { return log.chunks == 1; }));
  stop();
  EXPECT_EQ(stored(), "");
  log.keeps = false;
  found = 200;
  begin();
  deliver_at(201, {"y"});
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(consumer_stats().finished_offset, 202u);
  release_kept();
  ASSERT_TRUE(wait_for_credits(2));
  EXPECT_EQ(consumer_stats().finished_offset, 202u);
  EXPECT_EQ(consumer_stats().chunks_held, 0u);
  close_consumer();
  EXPECT_EQ(stored(), "201 ");
}

TEST_F(consumer_turns, catching_up_is_told_in_each_turn) {
  open(member(log.message_options()));
  begin();
  deliver_at(900, {"a"});  // the last one that is committed
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(caught_up, "901 ");
  stop();
  begin();
  deliver_at(900, {"a"});
  ASSERT_TRUE(wait_for_credits(2));
  EXPECT_EQ(caught_up, "901 901 ");
}
