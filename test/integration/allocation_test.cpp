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

// Every way to publish.
struct publish_way {
  const char *name;
  void (*options)(rstream_producer_options &);
  void (*message)(rstream_message &, uint64_t number) = nullptr;  // nullptr: a bare body
  uint32_t array = 0;  // so many as one explicit sub-entry, of
  rstream_compression compression = RSTREAM_COMPRESSION_NONE;
};

constexpr char filters[][5] = {"emea", "apac", "amer"};

template <rstream_compression compression>
void sub_entries(rstream_producer_options &o) {
  o.sub_entry_messages = 50;
  o.compression = compression;
}
void plain(rstream_producer_options &) {}
void amqp(rstream_producer_options &o) { o.codec = RSTREAM_CODEC_AMQP; }
void given_ids(rstream_producer_options &o) {
  o.name = "app";
  o.ids_given = 1;
}

void with_sections(rstream_message &m, uint64_t number) {
  static rstream_amqp_properties properties;
  static rstream_amqp_sections sections;
  if (!sections.properties) {
    rstream_amqp_properties_init(&properties);
    rstream_amqp_sections_init(&sections);
    sections.properties = &properties;
  }
  properties.message_id = rstream_amqp_ulong(number);
  m.amqp = &sections;
}
void with_filter(rstream_message &m, uint64_t number) {
  m.filter_value = filters[number % 3];
  m.filter_value_size = 4;
}
void with_completion(rstream_message &m, uint64_t) {
  m.on_outcome = [](rstream_producer *, uint64_t, int, void *user) {
    ++*static_cast<uint64_t *>(user);
  };
}
void with_id(rstream_message &m, uint64_t number) { m.publishing_id = 3 * number + 1; }
void with_id_and_completion(rstream_message &m, uint64_t number) {
  with_id(m, number);
  with_completion(m, number);
}

const publish_way publish_ways[] = {
    {"AMQP bodies", amqp},
    {"AMQP sections", plain, with_sections},
    {"filter values", plain, with_filter},
    {"filter values by a callback",
     [](rstream_producer_options &o) {
       o.on_filter_value = [](const rstream_message *, const char **value, size_t *size,
                              void *) {
         *value = "emea";
         *size = 4;
         return 1;
       };
     }},
    {"completions", plain, with_completion},
    {"given ids", given_ids, with_id},
    {"given ids and completions, in sub-entries",
     [](rstream_producer_options &o) {
       given_ids(o);
       sub_entries<RSTREAM_COMPRESSION_GZIP>(o);
     },
     with_id_and_completion},
    {"sub-entries", sub_entries<RSTREAM_COMPRESSION_NONE>},
    {"AMQP sections in sub-entries", sub_entries<RSTREAM_COMPRESSION_NONE>,
     with_sections},
    {"gzip", sub_entries<RSTREAM_COMPRESSION_GZIP>},
    {"lz4", sub_entries<RSTREAM_COMPRESSION_LZ4>},
    {"zstd", sub_entries<RSTREAM_COMPRESSION_ZSTD>},
    {"snappy", sub_entries<RSTREAM_COMPRESSION_SNAPPY>},
    {"arrays", plain, nullptr, 50, RSTREAM_COMPRESSION_NONE},
    {"arrays with gzip", plain, with_completion, 50, RSTREAM_COMPRESSION_GZIP},
};

// Snappy's library takes memory for each block it compresses.
bool takes_memory_itself(const publish_way &way) {
  return way.options == sub_entries<RSTREAM_COMPRESSION_SNAPPY>;
}

// Does what the probes do without taking memory itself.
struct allocation : broker_test {
  rstream_producer *producer = nullptr;
  rstream_consumer *consumer = nullptr;
  uint64_t sent = 0;
  uint64_t confirmed = 0;
  uint64_t consumed = 0;
  uint64_t target = 0;
  uint64_t completed = 0;
  const publish_way *way = nullptr;

  static allocation *of(void *user) { return static_cast<allocation *>(user); }

  void fill() {
    while (sent < target && send() == 0) sent += way && way->array ? way->array : 1;
  }

  int send() {
    if (!way || (!way->message && !way->array))
      return rstream_producer_send_bytes(producer, "ten bytes.", 10, nullptr);
    static rstream_message messages[per_frame];
    uint32_t count = way->array ? way->array : 1;
    for (uint32_t i = 0; i < count; i++) {
      rstream_message_init(&messages[i]);
      messages[i].body = "ten bytes.";
      messages[i].body_size = 10;
      messages[i].outcome_user = &completed;
      if (way->message) way->message(messages[i], sent + i);
    }
    if (!way->array) return rstream_producer_send(producer, messages, nullptr);
    return rstream_producer_send_sub_entry(producer, messages, count, way->compression,
                                           nullptr);
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
    if (way) way->options(o);
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

TEST_F(allocation, none_in_any_way_to_publish) {
  for (const publish_way &each : publish_ways) {
    SCOPED_TRACE(each.name);
    way = &each;
    sent = confirmed = consumed = completed = 0;
    rstream_producer_options o;
    rstream_producer_options_init(&o);
    each.options(o);
    if (!rstream_env_has_compression(env, o.compression)) continue;
    open_producer();
    auto done = [&] {
      fill();
      return confirmed == target;
    };
    target = warm_up;
    count(done);
    target = warm_up + measured;
    counts taken = count(done);
    EXPECT_LE(taken.library, tolerated);
    if (!takes_memory_itself(each)) EXPECT_LE(taken.process, tolerated);
    rstream_message probe{};
    if (each.message) each.message(probe, 0);
    EXPECT_EQ(completed, probe.on_outcome ? target : 0);
    close_handles();
  }
}

// Nothing is published meanwhile: Snappy's library would be counted for it.
TEST_F(allocation, none_for_consuming_sub_entries) {
  for (const publish_way &each : publish_ways) {
    rstream_producer_options o;
    rstream_producer_options_init(&o);
    each.options(o);
    if (o.sub_entry_messages == 0 || !rstream_env_has_compression(env, o.compression))
      continue;
    way = &each;
    std::string s = stream;
    stream = other_stream(each.name);
    ASSERT_EQ(create_stream(stream), 0);
    sent = confirmed = 0;
    target = warm_up + measured;
    open_producer();
    count([&] {
      fill();
      return confirmed == target;
    });
    close_handles();
    for (bool by_chunk : {false, true}) {
      SCOPED_TRACE(std::string(each.name) + (by_chunk ? " by chunk" : " by message"));
      consumed = 0;
      open_consumer(by_chunk);
      count([&] { return consumed >= warm_up; });
      counts taken = count([&] { return consumed == target; });
      EXPECT_LE(taken.library, tolerated);
      EXPECT_LE(taken.process, tolerated);
      close_handles();
    }
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
