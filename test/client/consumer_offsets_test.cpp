// Which offsets a consumer stores, and where.
#include "consumer_fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct consumer_offsets : consumer_test {
  static inline std::string kept;  // in a store of the application's own: "100 101 "

  void SetUp() override {
    consumer_test::SetUp();
    kept.clear();
    options.recovery_first_ms = 5;
    options.recovery_longest_ms = 20;
  }
  // Stores behind each chunk.
  static void storing(rstream_consumer_options &o) {
    o.name = "reader";
    o.store_every_messages = 1;
  }
  bool wait_for_stored(const char *offsets) {
    return run_until([&] { return stored() == offsets; });
  }
};

// By each of the ways, chunks of which the filter of the application wants nothing.
struct filtered_out : consumer_offsets, testing::WithParamInterface<consume_way> {
  void open_filtered() {
    rstream_consumer_options o = log.options_for(GetParam());
    o.name = "reader";
    o.initial_credit = 1;
    o.on_filter = [](const rstream_message_view *m, void *) {
      return m->body[0] == 'w' ? 1 : 0;
    };
    open(o);
  }
};

// Chunks that are streamed never wait.
struct filtered_out_later : filtered_out {};

INSTANTIATE_TEST_SUITE_P(consume_ways, filtered_out, every_consume_way, name_of_param);
INSTANTIATE_TEST_SUITE_P(consume_ways, filtered_out_later,
                         testing::Values(consume_way::by_message, consume_way::by_chunk),
                         name_of_param);

}  // namespace

// ---- never backwards

// Scenario 94.
TEST_F(consumer_offsets, scenario_94_a_lower_one_than_was_stored_by_hand_is_not_stored) {
  rstream_consumer_options o = log.message_options();
  storing(o);
  open(o);
  deliver_at(100, {"a"});
  ASSERT_TRUE(wait_for_stored("100 "));
  ASSERT_EQ(rstream_consumer_store_offset(handle, 500), 0);
  deliver_at(101, {"b"});
  ASSERT_TRUE(wait_for_credits(2));
  EXPECT_EQ(consumer_stats().finished_offset, 102u);
  EXPECT_EQ(consumer_stats().stored_offset, 500u);
  close_consumer();
  EXPECT_EQ(stored(), "100 500 ");
}

TEST_F(consumer_offsets, nor_one_twice) {
  rstream_consumer_options o = log.message_options();
  storing(o);
  open(o);
  deliver_at(100, {"a"});
  ASSERT_TRUE(wait_for_stored("100 "));
  close_consumer();
  EXPECT_EQ(stored(), "100 ");
}

TEST_F(consumer_offsets, storing_goes_on_above_what_was_stored_by_hand) {
  rstream_consumer_options o = log.message_options();
  storing(o);
  open(o);
  ASSERT_EQ(rstream_consumer_store_offset(handle, 100), 0);
  deliver_at(100, {"a"});
  deliver_at(101, {"b"});
  ASSERT_TRUE(wait_for_credits(2));
  close_consumer();
  EXPECT_EQ(stored(), "100 101 ");
}

// ---- in a store of the application's own

TEST_F(consumer_offsets, kept_by_the_application_the_broker_has_nothing_to_do_with_them) {
  rstream_consumer_options o = log.message_options();
  storing(o);
  o.on_store_offset = [](rstream_consumer *, uint64_t offset, void *) {
    kept += std::to_string(offset) + ' ';
  };
  open(o);
  deliver_at(100, {"a"});
  ASSERT_TRUE(run_until([&] { return kept == "100 "; })) << kept;
  link->close();
  ASSERT_TRUE(run_until([&] { return log.states.size() == 3 && log.is_open(); }));
  link = &broker.last();
  deliver_at(101, {"b"});
  ASSERT_TRUE(run_until([&] { return kept == "100 101 "; })) << kept;
  close_consumer();
  EXPECT_EQ(kept, "100 101 ");
  EXPECT_EQ(broker.count(key::store_offset), 0u);
  EXPECT_EQ(broker.count(key::query_offset), 0u);
}

// ---- what is finished although nothing of it was handed out

TEST_P(filtered_out, a_chunk_of_which_nothing_is_wanted_counts_as_finished) {
  open_filtered();
  deliver_at(100, {"a", "b"});
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(consumer_stats().finished_offset, 102u);
  deliver_at(102, {"wanted"});
  deliver_at(103, {"c", "d", "e"});
  ASSERT_TRUE(wait_for_credits(3));
  EXPECT_EQ(consumer_stats().finished_offset, 106u);
  close_consumer();
  EXPECT_EQ(log.messages, "102=wanted");
  EXPECT_EQ(stored(), "105 ");
}

TEST_P(filtered_out_later, a_chunk_that_has_waited_counts_likewise) {
  open_filtered();
  ASSERT_EQ(rstream_consumer_pause(handle), 0);
  deliver_at(100, {"a", "b"});
  ASSERT_TRUE(run_until([&] { return consumer_stats().chunks_held == 1; }));
  EXPECT_EQ(consumer_stats().has_finished, 0);
  ASSERT_EQ(rstream_consumer_resume(handle), 0);
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(consumer_stats().finished_offset, 102u);
  close_consumer();
  EXPECT_EQ(log.messages, "");
  EXPECT_EQ(stored(), "101 ");
}
