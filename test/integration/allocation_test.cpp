// In its steady state the library takes no memory, neither for messages published nor for
// messages consumed. Counted twice: by the environment's allocator, and by whoever in the
// process calls malloc, libuv included.
#include "fixture.h"

using namespace rstream::test;

namespace {

constexpr uint64_t warm_up = 300000;
constexpr uint64_t measured = 300000;

constexpr uint32_t per_frame = 100;

// Slabs grow to what the most unlucky turn needed, so a few may come at any time; but far
// fewer than there are frames, confirms or chunks.
constexpr uint64_t tolerated = measured / per_frame / 100;

// Does what the probes do without taking memory itself.
struct allocation : broker_test {
  rstream_producer *producer = nullptr;
  rstream_consumer *consumer = nullptr;
  uint64_t sent = 0;
  uint64_t confirmed = 0;
  uint64_t consumed = 0;
  uint64_t target = 0;

  static allocation *of(void *user) { return static_cast<allocation *>(user); }

  void fill() {
    while (sent < target &&
           rstream_producer_send_bytes(producer, "ten bytes.", 10, nullptr) == 0) {
      sent++;
    }
  }

  void open_producer() {
    rstream_producer_options o;
    rstream_producer_options_init(&o);
    o.stream = stream.c_str();
    o.user = this;
    o.max_batch_messages = per_frame;
    o.on_confirm = [](rstream_producer *, const rstream_confirms *c, void *user) {
      of(user)->confirmed += c->count;
    };
    o.on_writable = [](rstream_producer *, void *user) { of(user)->fill(); };
    ASSERT_EQ(rstream_producer_open(&producer, env, &o), 0);
  }

  void open_consumer(bool by_chunk) {
    rstream_consumer_options o;
    rstream_consumer_options_init(&o);
    o.stream = stream.c_str();
    o.user = this;
    o.offset_type = RSTREAM_OFFSET_FIRST;
    if (by_chunk) {
      o.on_chunk = [](rstream_consumer *, rstream_chunk *chunk, void *user) {
        while (rstream_chunk_next(chunk)) of(user)->consumed++;
      };
    } else {
      o.on_message = [](rstream_consumer *, const rstream_message_view *, void *user) {
        of(user)->consumed++;
      };
    }
    ASSERT_EQ(rstream_consumer_open(&consumer, env, &o), 0);
  }

  void close_handles() {
    if (producer) {
      ASSERT_EQ(rstream_producer_close(producer,
                                       [](rstream_producer *, int, void *user) {
                                         of(user)->producer = nullptr;
                                       }),
                0);
    }
    if (consumer) {
      ASSERT_EQ(rstream_consumer_close(consumer,
                                       [](rstream_consumer *, int, void *user) {
                                         of(user)->consumer = nullptr;
                                       }),
                0);
    }
    ASSERT_TRUE(run_until([&] { return !producer && !consumer; }));
  }

  struct counts {
    uint64_t library;
    uint64_t process;
  };

  counts now() const { return {memory.calls, process_allocations()}; }

  // What is taken while `done()` is not yet true.
  counts count(const std::function<bool()> &done) {
    counts before = now();
    uint64_t deadline = uv_hrtime() + 60000000000u;
    while (!done() && uv_hrtime() < deadline) uv_run(&loop, UV_RUN_ONCE);
    EXPECT_TRUE(done());
    counts after = now();
    return {after.library - before.library, after.process - before.process};
  }

  // Logging allocates, in the fixture.
  void SetUp() override {
    broker_test::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    close_env(env);
    env = open_env([](auto &o) { o.on_log = nullptr; });
  }
};

}  // namespace

TEST_F(allocation, counters_count) {
  uint64_t library = memory.calls;
  uint64_t process = process_allocations();
  rstream_env *e = open_env();
  EXPECT_GT(memory.calls.load(), library);
  EXPECT_GT(process_allocations(), process);
  EXPECT_EQ(stats(e).allocations > 0, true);
}

TEST_F(allocation, none_for_publishing_and_consuming) {
  for (bool by_chunk : {false, true}) {
    SCOPED_TRACE(by_chunk ? "by chunk" : "by message");
    sent = confirmed = consumed = 0;
    std::string s = stream;
    stream = other_stream(by_chunk ? "chunks" : "messages");
    ASSERT_EQ(create_stream(stream), 0);
    open_producer();
    open_consumer(by_chunk);
    // Some may be consumed before their confirm has come.
    auto done = [&] {
      fill();
      return confirmed == target && consumed == target;
    };
    target = warm_up;
    count(done);
    target = warm_up + measured;
    counts taken = count(done);
    EXPECT_LE(taken.library, tolerated);
    EXPECT_LE(taken.process, tolerated);
    close_handles();
    EXPECT_EQ(delete_stream(stream), 0);
    stream = s;
  }
}

// One message at a time: whatever is done for a turn, a frame, a confirm or a chunk would
// show.
TEST_F(allocation, none_for_messages_that_come_singly) {
  open_producer();
  open_consumer(false);
  uint64_t deadline = uv_hrtime() + 60000000000u;
  auto done = [&] { return confirmed == target && consumed == target; };
  auto one = [&] {
    target++;
    fill();
    while (!done() && uv_hrtime() < deadline) uv_run(&loop, UV_RUN_ONCE);
  };
  for (int i = 0; i < 500; i++) one();
  counts before = now();
  for (int i = 0; i < 500; i++) one();
  counts after = now();
  ASSERT_TRUE(done());
  EXPECT_LE(after.library - before.library, 2u);
  EXPECT_LE(after.process - before.process, 2u);
  close_handles();
}
