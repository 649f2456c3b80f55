// Compressed sub-entries on their way to the application, message by message and in
// chunks that are kept.
#include "consumer_fixture.h"
#include "unit/compression_fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

constexpr uint8_t gzip = RSTREAM_COMPRESSION_GZIP;

struct sub_entries : consumer_test {
  // Larger blocks can't be had.
  static inline size_t refused_above = SIZE_MAX;
  rstream_allocator limited = allocator;

  void SetUp() override {
    consumer_test::SetUp();
    refused_above = SIZE_MAX;
    limited.allocate = [](size_t size, void *user) -> void * {
      return size > refused_above ? nullptr : counting_memory::allocate(size, user);
    };
    options.allocator = &limited;
  }

  // Packs as a producer would, with what this environment has.
  void add(chunk_builder &b, uint8_t compression, const std::vector<std::string> &bodies,
           int64_t uncompressed = -1) {
    chunk_builder inner;
    for (const std::string &body : bodies) inner.message(body);
    counting_memory other;
    slab_pool *pool = slab_pool_create(other.functions());
    compression_set *set = compression_set_create(pool);
    byte_vector packed(compression_bound(*set, compression, inner.entries.size()));
    ptrdiff_t n = compression_pack(*set, compression, inner.entries, packed);
    ASSERT_GT(n, 0);
    packed.resize(static_cast<size_t>(n));
    compression_set_unref(set);
    slab_pool_leave(pool);
    if (uncompressed < 0) uncompressed = static_cast<int64_t>(inner.entries.size());
    b.sub_entry_raw(compression, static_cast<uint32_t>(bodies.size()), text_of(packed),
                    uncompressed);
  }
  void read_again() {
    log.messages.clear();
    log.entry_errors.clear();
    rstream_chunk_rewind(log.kept[0]);
    while (const rstream_message_view *m = rstream_chunk_next(log.kept[0])) log.add(*m);
  }
  void deliver_kept(const chunk_builder &b) {
    log.keeps = true;
    open(log.chunk_options());
    deliver(b);
    ASSERT_TRUE(run_until([&] { return log.chunks == 1; }));
  }
  static rstream_compressor reversing(void *user) {
    rstream_compressor own;
    rstream_compressor_init(&own);
    own.compression = 6;
    own.bound = [](size_t n, void *) { return n; };
    own.compress = [](const uint8_t *, size_t, uint8_t *, size_t, void *) {
      return ptrdiff_t{-1};
    };
    own.decompress = [](const uint8_t *from, size_t n, uint8_t *to, size_t, void *count) {
      ++*static_cast<int *>(count);
      for (size_t i = 0; i < n; i++) to[i] = from[n - 1 - i];
      return static_cast<ptrdiff_t>(n);
    };
    own.user = user;
    return own;
  }
};

struct sub_entries_each : sub_entries, testing::WithParamInterface<consume_way> {
  rstream_consumer_options consumer_options() { return log.options_for(GetParam()); }
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(client, sub_entries_each, every_consume_way, name_of_param);

TEST_P(sub_entries_each, every_compression_that_is_built_in_is_read) {
  open(consumer_options());
  chunk_builder b;
  std::string expected;
  uint64_t offset = 100;
  for (uint8_t compression = 1; compression <= 4; compression++) {
    if (!rstream_env_has_compression(env, compression)) continue;
    for (const char *body : {"plain", "a", "b", ""})
      expected += std::to_string(offset++) + '=' + body + ' ';
    b.message("plain");
    add(b, compression, {"a", "b", ""});
  }
  b.sub_entry({"c", "d"});
  expected += std::to_string(offset) + "=c " + std::to_string(offset + 1) + "=d";
  deliver(b);
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, expected);
  EXPECT_EQ(log.entry_errors, "");
  EXPECT_EQ(consumer_stats().messages, offset + 2 - 100);
  EXPECT_EQ(consumer_stats().entries_bad, 0u);
  EXPECT_EQ(consumer_stats().next_offset, offset + 2);
}

TEST_P(sub_entries_each, what_is_not_there_is_an_entry_error_and_the_rest_goes_on) {
  open(consumer_options());
  deliver(chunk_builder()
              .message("a")
              .sub_entry_raw(5, 3, "whatever it may be")
              .message("b")
              .sub_entry_raw(gzip, 1, "rubbish")
              .message("c"));
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "100=a 104=b 106=c");
  EXPECT_EQ(log.entry_errors, "101+3 105+1 ");
  EXPECT_EQ(log.entry_text, "a compressed sub-entry is damaged");
  EXPECT_EQ(log.entry_status, RSTREAM_ECODEC);
  EXPECT_TRUE(logged("3 messages from offset 101: no codec is registered"));
  EXPECT_EQ(consumer_stats().entries_bad, 2u);
  EXPECT_FALSE(log.ended());
}

TEST_P(sub_entries_each, the_applications_own_codec_is_used) {
  create();
  int calls = 0;
  rstream_compressor own = reversing(&calls);
  ASSERT_EQ(rstream_env_register_compressor(env, &own), 0);
  open(consumer_options());
  chunk_builder inner;
  inner.message("one").message("two");
  std::string reversed = text_of(inner.entries);
  std::reverse(reversed.begin(), reversed.end());
  deliver(chunk_builder().sub_entry_raw(6, 2, reversed).message("z"));
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "100=one 101=two 102=z");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(rstream_env_register_compressor(env, &own), RSTREAM_EBUSY);
}

TEST_P(sub_entries_each, the_limits_are_those_of_the_options) {
  rstream_consumer_options o = consumer_options();
  o.max_sub_entry_bytes = 100;
  o.max_chunk_decompressed_bytes = 150;
  open(o);
  chunk_builder b;
  add(b, gzip, {std::string(96, 'a')});
  add(b, gzip, {std::string(97, 'b')});
  add(b, gzip, {std::string(46, 'c')});
  add(b, gzip, {""});
  deliver(b);
  b.first_offset = 104;
  deliver(b);
  ASSERT_TRUE(wait_for_credits(2));
  EXPECT_EQ(log.entry_errors, "101+1 103+1 105+1 107+1 ");
  EXPECT_EQ(consumer_stats().messages, GetParam() == consume_way::by_chunk ? 8u : 4u);
}

TEST_P(sub_entries_each, below_the_offset_asked_for_nothing_is_even_unpacked) {
  create();
  int calls = 0;
  rstream_compressor own = reversing(&calls);
  ASSERT_EQ(rstream_env_register_compressor(env, &own), 0);
  rstream_consumer_options o = consumer_options();
  o.offset_type = RSTREAM_OFFSET_OFFSET;
  o.offset_value = 105;
  open(o);
  chunk_builder inner;
  inner.message("x").message("x");
  std::string reversed = text_of(inner.entries);
  std::reverse(reversed.begin(), reversed.end());
  chunk_builder b;
  b.sub_entry_raw(5, 2, "not known").sub_entry_raw(6, 2, reversed);
  add(b, gzip, {"e", "f"});
  deliver(b.sub_entry_raw(6, 2, reversed));
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(log.messages, "105=f 106=x 107=x");
  EXPECT_EQ(log.entry_errors, "");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(consumer_stats().messages_filtered, 5u);
  EXPECT_EQ(consumer_stats().messages, 3u);
}

TEST_P(sub_entries_each, closing_inside_a_sub_entry_ends_it_there) {
  rstream_consumer_options o = consumer_options();
  if (GetParam() == consume_way::by_chunk) {
    o.on_chunk = [](rstream_consumer *c, rstream_chunk *chunk, void *user) {
      consumer_log::of(user)->add(*rstream_chunk_next(chunk));
      consumer_log::of(user)->add(*rstream_chunk_next(chunk));
      EXPECT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
      EXPECT_EQ(rstream_chunk_next(chunk), nullptr);
    };
  } else {
    o.on_message = [](rstream_consumer *c, const rstream_message_view *m, void *user) {
      consumer_log::of(user)->add(*m);
      if (m->offset == 101)
        EXPECT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
    };
  }
  open(o);
  chunk_builder b;
  add(b, gzip, {"a", "b", "c"});
  deliver(b);
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  EXPECT_EQ(log.messages, "100=a 101=b");
}

TEST_P(sub_entries_each, out_of_memory_is_an_entry_error_and_the_rest_goes_on) {
  open(consumer_options());
  chunk_builder b;
  add(b, gzip, {"a"});
  deliver(b);  // zlib's contexts and the smallest slab are there from here on
  ASSERT_TRUE(wait_for_credits(1));
  chunk_builder large;
  large.first_offset = 101;
  add(large, gzip, {std::string(3000000, 'b')});
  large.message("c");
  refused_above = 2000000;
  deliver(large);
  ASSERT_TRUE(wait_for_credits(2));
  EXPECT_EQ(log.messages, "100=a 102=c");
  EXPECT_EQ(log.entry_errors, "101+1 ");
  EXPECT_EQ(log.entry_status, RSTREAM_ENOMEM);
  EXPECT_EQ(log.entry_text, "out of memory for a sub-entry");
}

TEST_F(sub_entries, a_rewound_chunk_gives_the_same_bodies_without_unpacking_again) {
  create();
  int calls = 0;
  rstream_compressor own = reversing(&calls);
  ASSERT_EQ(rstream_env_register_compressor(env, &own), 0);
  chunk_builder inner;
  inner.message("x").message("yy");
  std::string reversed = text_of(inner.entries);
  std::reverse(reversed.begin(), reversed.end());
  chunk_builder b;
  b.message("a").sub_entry_raw(6, 2, reversed).sub_entry_raw(5, 1, "?");
  add(b, gzip, {"c", "d"});
  deliver_kept(b);
  const std::string all = "100=a 101=x 102=yy 104=c 105=d";
  EXPECT_EQ(log.messages, all);
  rstream_chunk_rewind(log.kept[0]);
  rstream_chunk_next(log.kept[0]);
  const uint8_t *body = rstream_chunk_next(log.kept[0])->body;
  for (int i = 0; i < 3; i++) {
    read_again();
    EXPECT_EQ(log.messages, all);
    EXPECT_EQ(log.entry_errors, "103+1 ");
  }
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(text_of({body, 1}), "x");
  release_kept();
  ASSERT_TRUE(wait_for_credits(1));
}

TEST_F(sub_entries, bodies_of_a_retained_chunk_stay_while_others_come_and_go) {
  log.keeps = true;
  open(log.chunk_options());
  std::string expected;
  for (uint64_t i = 0; i < 8; i++) {
    chunk_builder b;
    b.first_offset = 100 + 2 * i;
    std::string body = prose(2000 + 500 * i);
    add(b, gzip, {body, "end"});
    deliver(b);
    ASSERT_TRUE(run_until([&] { return log.chunks == i + 1; }));
    if (i % 2 == 0) continue;
    rstream_chunk_release(log.kept.back());  // its memory is used for the next
    log.kept.pop_back();
  }
  for (size_t i = 0; i < 4; i++) {
    rstream_chunk_rewind(log.kept[i]);
    const rstream_message_view *m = rstream_chunk_next(log.kept[i]);
    ASSERT_NE(m, nullptr);
    EXPECT_EQ(text_of({m->body, m->body_size}), prose(2000 + 1000 * i));
  }
  release_kept();
}

TEST_F(sub_entries, a_chunk_kept_past_its_environment_is_unpacked_there) {
  chunk_builder b;
  b.message("kept");
  add(b, gzip, {"zipped", "too"});
  b.sub_entry_raw(5, 1, "?").message("end");
  log.keeps = true;
  rstream_consumer_options o = log.chunk_options();
  // Nothing of it is read in the callback.
  o.on_chunk = [](rstream_consumer *, rstream_chunk *chunk, void *user) {
    rstream_chunk_retain(chunk);
    consumer_log::of(user)->kept.push_back(chunk);
  };
  open(o);
  deliver(b);
  ASSERT_TRUE(run_until([&] { return !log.kept.empty(); }));
  close_env();
  for (int i = 0; i < 2; i++) {
    read_again();
    EXPECT_EQ(log.messages, "100=kept 101=zipped 102=too 104=end");
  }
  release_kept();
  EXPECT_EQ(blocks.bytes, 0u);
}

TEST_F(sub_entries, a_chunk_may_be_given_up_when_told_that_an_entry_is_bad) {
  chunk_builder b;
  add(b, gzip, {"a"});
  b.sub_entry_raw(5, 1, "?").message("b");
  log.keeps = true;
  rstream_consumer_options o = log.chunk_options();
  o.on_chunk = [](rstream_consumer *, rstream_chunk *chunk, void *user) {
    rstream_chunk_retain(chunk);
    consumer_log::of(user)->kept.push_back(chunk);
  };
  o.on_entry_error = [](rstream_consumer *, const rstream_entry_error *, void *user) {
    rstream_chunk_release(consumer_log::of(user)->kept[0]);
    consumer_log::of(user)->kept.clear();
  };
  open(o);
  deliver(b);
  ASSERT_TRUE(run_until([&] { return !log.kept.empty(); }));
  rstream_chunk *chunk = log.kept[0];
  EXPECT_NE(rstream_chunk_next(chunk), nullptr);
  EXPECT_EQ(rstream_chunk_next(chunk), nullptr);
  ASSERT_TRUE(wait_for_credits(1));
  EXPECT_EQ(consumer_stats().chunks_held, 0u);
}

TEST_F(sub_entries, limits_out_of_range_are_refused) {
  create();
  rstream_consumer_options o = log.message_options();
  o.max_sub_entry_bytes = (1u << 30) + 1;
  EXPECT_EQ(rstream_consumer_open(&handle, env, &o), RSTREAM_EINVAL);
  EXPECT_NE(std::string(rstream_env_error_text(env)).find("max_sub_entry_bytes"),
            std::string::npos);
}
