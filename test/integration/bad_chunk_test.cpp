// Chunks that were damaged on the broker's disk: never handed out, and what comes next.
#include "consuming.h"

using namespace rstream::test;

namespace {

struct scenario_14 : consuming {
  consumer_probe c;

  // Flips a bit of the body "message 5" in the stream's file; a second time sets it
  // right.
  void flip() {
    std::string done = broker_eval(
        "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"" + stream +
        "\">>)), #{name := N} = amqqueue:get_type_state(Q), "
        "{ok, D} = application:get_env(osiris, data_dir), "
        "[F | _] = lists:sort(filelib:wildcard(filename:join([D, N, \"*.segment\"]))), "
        "{ok, B} = file:read_file(F), {At, _} = binary:match(B, <<\"essage 5\">>), "
        "{ok, H} = file:open(F, [read, write, raw, binary]), "
        "{ok, <<X>>} = file:pread(H, At - 1, 1), "
        "ok = file:pwrite(H, At - 1, <<(X bxor 1)>>), file:close(H).");
    ASSERT_EQ(done, "{ok, ok}");
  }
  void open(consumer_probe::mode how, rstream_bad_chunk policy, uint8_t crc_off = 0) {
    c.keep_bodies = true;
    ASSERT_EQ(c.open(env, stream, how,
                     [&](auto &o) {
                       o.offset_type = RSTREAM_OFFSET_FIRST;
                       o.bad_chunk = policy;
                       o.crc_off = crc_off;
                     }),
              0);
  }
  // The bodies with these numbers and no others, in order.
  void expect_seen(const std::vector<uint64_t> &expected) {
    std::vector<std::string> bodies;
    for (uint64_t number : expected) bodies.push_back(body_of(number).bytes);
    EXPECT_EQ(c.bodies, bodies);
  }
  void TearDown() override {
    if (c.handle) close(c);
    consuming::TearDown();
  }
};

const std::vector<uint64_t> all_but_5 = {0, 1, 2, 3, 4, 6, 7, 8, 9};

}  // namespace

TEST_F(scenario_14, a_bad_chunk_is_skipped) {
  NEEDS_DISTURBANCE();
  publish_singly(10);
  flip();
  for (auto how : {consumer_probe::by_message, consumer_probe::by_chunk}) {
    open(how, RSTREAM_BAD_CHUNK_SKIP);
    ASSERT_TRUE(run_until([&] { return c.ended || c.last_offset == 9; }));
    expect_seen(all_but_5);
    EXPECT_EQ(c.bad_chunks, "-20010@5+1>1 ");
    EXPECT_EQ(c.stats().chunks_bad, 1u);
    close(c);
    c.bodies.clear();
    c.bad_chunks.clear();
    c.messages = c.last_offset = 0;
    c.closed = c.opened = 0;
  }
}

TEST_F(scenario_14, a_bad_chunk_ends_the_consumer) {
  NEEDS_DISTURBANCE();
  publish_singly(10);
  flip();
  open(consumer_probe::by_message, RSTREAM_BAD_CHUNK_END);
  ASSERT_TRUE(run_until([&] { return c.ended > 0; }));
  EXPECT_EQ(c.end_reason, RSTREAM_ECHECKSUM);
  EXPECT_EQ(c.bad_chunks, "-20010@5+1>2 ");
  expect_seen({0, 1, 2, 3, 4});
}

// The broker is asked for it from the last good offset on. A replica, or a second look at
// the disk, may have it right.
TEST_F(scenario_14, a_bad_chunk_that_is_right_the_second_time) {
  NEEDS_DISTURBANCE();
  publish_singly(10);
  flip();
  c.on_chunk_error = [&](const rstream_chunk_error *) { flip(); };
  open(consumer_probe::by_message, RSTREAM_BAD_CHUNK_RESUBSCRIBE);
  ASSERT_TRUE(run_until([&] { return c.ended || c.last_offset == 9; }));
  expect_seen(numbers(0, 9));
  EXPECT_EQ(c.bad_chunks, "-20010@5+1>0 ");
  EXPECT_EQ(c.stats().resubscribes, 1u);
  EXPECT_EQ(c.opened, 1);
}

TEST_F(scenario_14, a_bad_chunk_that_stays_bad) {
  NEEDS_DISTURBANCE();
  publish_singly(10);
  flip();
  open(consumer_probe::by_chunk, RSTREAM_BAD_CHUNK_RESUBSCRIBE);
  ASSERT_TRUE(run_until([&] { return c.ended > 0; }));
  EXPECT_EQ(c.end_reason, RSTREAM_ECHECKSUM);
  EXPECT_EQ(c.bad_chunks, "-20010@5+1>0 -20010@5+1>0 -20010@5+1>0 -20010@5+1>2 ");
  expect_seen({0, 1, 2, 3, 4});
}

TEST_F(scenario_14, without_the_check_it_comes_as_it_is) {
  NEEDS_DISTURBANCE();
  publish_singly(10);
  flip();
  open(consumer_probe::by_message, RSTREAM_BAD_CHUNK_END, 1);
  ASSERT_TRUE(run_until([&] { return c.ended || c.last_offset == 9; }));
  ASSERT_EQ(c.bodies.size(), 10u);
  EXPECT_EQ(c.bodies[5], "lessage 5");
  EXPECT_EQ(c.bad_chunks, "");
}
