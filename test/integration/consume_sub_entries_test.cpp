// Sub-entries of a real broker, sound and not, and AMQP messages in them.
#include <zlib.h>

#include "publishing.h"

using namespace rstream::test;

namespace {

// What a broken or malicious producer would have: the number of a compression that it
// does not do. The broker stores what it is given.
struct wrong_compressor {
  const uint8_t *bytes = nullptr;
  size_t size = 0;

  static size_t bound(size_t n, void *user) {
    return std::max(n, static_cast<wrong_compressor *>(user)->size);
  }
  static ptrdiff_t compress(const uint8_t *, size_t, uint8_t *to, size_t capacity,
                            void *user) {
    auto *c = static_cast<wrong_compressor *>(user);
    if (c->size > capacity) return -1;
    memcpy(to, c->bytes, c->size);
    return static_cast<ptrdiff_t>(c->size);
  }
  static ptrdiff_t decompress(const uint8_t *, size_t, uint8_t *, size_t, void *) {
    return -1;
  }
  void register_as(rstream_env *env, uint8_t compression) {
    rstream_compressor c;
    rstream_compressor_init(&c);
    c.compression = compression;
    c.bound = bound;
    c.compress = compress;
    c.decompress = decompress;
    c.user = this;
    ASSERT_EQ(rstream_env_register_compressor(env, &c), 0);
  }
};

struct consume_sub_entries : publishing, testing::WithParamInterface<bool> {
  consumer_probe c;
  std::string errors;  // "3+2: text; "

  consumer_probe::mode how() const {
    return GetParam() ? consumer_probe::by_chunk : consumer_probe::by_message;
  }
  void consume(uint64_t from = 0,
               const std::function<void(rstream_consumer_options &)> &more = nullptr) {
    c.keep_bodies = true;
    static consume_sub_entries *self;
    self = this;
    ASSERT_EQ(c.open(env, stream, how(),
                     [&](rstream_consumer_options &o) {
                       o.offset_type = RSTREAM_OFFSET_OFFSET;
                       o.offset_value = from;
                       o.on_entry_error = [](rstream_consumer *,
                                             const rstream_entry_error *e, void *) {
                         self->errors += std::to_string(e->first_offset) + '+' +
                                         std::to_string(e->message_count) + ": " +
                                         e->text + "; ";
                       };
                       if (more) more(o);
                     }),
              0);
  }
  void send_entry(const std::vector<std::string> &bodies,
                  rstream_compression how_packed) {
    std::vector<rstream_message> messages;
    for (const std::string &body : bodies) messages.push_back(message_of(body));
    ASSERT_EQ(send_sub_entry(messages, how_packed), 0);
  }
};

struct retain_sub_entries : publishing {};

}  // namespace

INSTANTIATE_TEST_SUITE_P(broker, consume_sub_entries, testing::Bool(),
                         [](const auto &way) {
                           return way.param ? "by_chunk" : "by_message";
                         });

TEST_P(consume_sub_entries, from_any_offset_on) {
  open();
  std::vector<std::string> expected;
  for (int i = 0; i < 200; i++) {
    auto compression = static_cast<rstream_compression>(i % 5);
    if (!rstream_env_has_compression(env, compression))
      compression = RSTREAM_COMPRESSION_GZIP;
    std::vector<std::string> bodies;
    for (int k = 0; k <= i % 7; k++)
      bodies.push_back(std::string(static_cast<size_t>(i * k), 'x') + std::to_string(k));
    send_entry(bodies, compression);
    expected.insert(expected.end(), bodies.begin(), bodies.end());
  }
  wait_confirmed();
  constexpr uint64_t from = 397;
  consume(from);
  ASSERT_TRUE(run_until([&] { return c.bodies.size() >= expected.size() - from; }));
  EXPECT_EQ(c.first_offset, from);
  EXPECT_EQ(c.last_offset, expected.size() - 1);
  expected.erase(expected.begin(), expected.begin() + from);
  EXPECT_EQ(c.bodies, expected);
  EXPECT_EQ(errors, "");
}

// Scenario 29, with the broker's own chunks.
TEST_P(consume_sub_entries, what_is_no_gzip_or_a_bomb_is_told_and_the_rest_goes_on) {
  std::string zeroes(64 << 20, 0);
  std::vector<uint8_t> bomb(1 << 20);
  z_stream z{};
  ASSERT_EQ(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
  z.next_in = reinterpret_cast<uint8_t *>(zeroes.data());
  z.avail_in = static_cast<unsigned>(zeroes.size());
  z.next_out = bomb.data();
  z.avail_out = static_cast<unsigned>(bomb.size());
  ASSERT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  bomb.resize(z.total_out);
  deflateEnd(&z);
  const uint8_t rubbish[] = "this is no gzip";

  rstream_env *wrong = open_env();
  wrong_compressor compressor{bomb.data(), bomb.size()};
  compressor.register_as(wrong, RSTREAM_COMPRESSION_GZIP);
  rstream_env *right = env;
  env = wrong;
  open();
  ASSERT_EQ(p->send("first"), 0);
  send_entry({std::string(100000, 'a'), "b"}, RSTREAM_COMPRESSION_GZIP);
  ASSERT_EQ(p->send("second"), 0);
  compressor = {rubbish, sizeof rubbish};
  send_entry({"a", "b", "c"}, RSTREAM_COMPRESSION_GZIP);
  ASSERT_EQ(p->send("third"), 0);
  wait_confirmed();
  close_producer();
  env = right;
  consume();
  ASSERT_TRUE(run_until([&] { return c.bodies.size() >= 3; }));
  EXPECT_EQ(joined(c.bodies), "first second third");
  EXPECT_EQ(c.last_offset, 7u);
  EXPECT_EQ(errors,
            "1+2: a sub-entry does not have the size it declares; "
            "4+3: a compressed sub-entry is damaged; ");
  EXPECT_EQ(c.stats().entries_bad, 2u);
  EXPECT_EQ(c.ended, 0);
  EXPECT_LT(memory.bytes, 64u << 20);
}

TEST_P(consume_sub_entries, amqp_messages_and_others_with_the_amqp_codec) {
  rstream_amqp_properties properties;
  rstream_amqp_properties_init(&properties);
  properties.message_id = rstream_amqp_ulong(7);
  rstream_amqp_sections sections;
  rstream_amqp_sections_init(&sections);
  sections.properties = &properties;
  open([](rstream_producer_options &o) {
    o.codec = RSTREAM_CODEC_AMQP;
    o.sub_entry_messages = 10;
    o.compression = RSTREAM_COMPRESSION_GZIP;
  });
  rstream_message with_id = message_of("with an id");
  with_id.amqp = &sections;
  for (int i = 0; i < 15; i++) {
    ASSERT_EQ(p->send("a body"), 0);
    ASSERT_EQ(p->send(with_id), 0);
  }
  wait_confirmed();
  close_producer();
  open();
  ASSERT_EQ(p->send("no AMQP"), 0);
  wait_confirmed();

  uint64_t ids = 0;
  int status = 0;
  auto look = [&](const rstream_message_view *m) {
    status = m->status;
    rstream_amqp_value id;
    int found = rstream_amqp_find_property(m->encoded, m->encoded_size,
                                           RSTREAM_AMQP_MESSAGE_ID, &id);
    if (found == 1 && id.as.u == 7) ids++;
  };
  c.on_message = look;
  if (GetParam()) {
    c.on_chunk = [&](rstream_chunk *chunk) {
      while (const rstream_message_view *m = rstream_chunk_next(chunk)) {
        c.saw(m);
        look(m);
      }
    };
  }
  consume(0, [](rstream_consumer_options &o) { o.codec = RSTREAM_CODEC_AMQP; });
  ASSERT_TRUE(run_until([&] { return c.bodies.size() >= 31; }));
  for (size_t i = 0; i < 30; i++)
    EXPECT_EQ(c.bodies[i], i % 2 ? "with an id" : "a body") << i;
  EXPECT_EQ(c.bodies[30], "no AMQP");
  EXPECT_EQ(status, RSTREAM_ECODEC);
  EXPECT_EQ(ids, 15u);
}

TEST_F(retain_sub_entries, unpacked_bodies_stay_past_the_environment) {
  open([](rstream_producer_options &o) {
    o.sub_entry_messages = 50;
    o.compression = RSTREAM_COMPRESSION_GZIP;
  });
  for (uint64_t i = 0; i < 5000; i++) ASSERT_EQ(p->send_number(i), 0);
  wait_confirmed();
  close_producer();
  std::vector<rstream_chunk *> held;
  uint64_t messages = 0;
  consumer_probe c;
  c.on_chunk = [&](rstream_chunk *chunk) {
    rstream_chunk_retain(chunk);
    held.push_back(chunk);
    rstream_chunk_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(rstream_chunk_info_get(chunk, &info), 0);
    messages += info.message_count;
    // Half of it is unpacked here, half when the environment is gone.
    for (uint32_t i = 0; i < info.message_count / 2; i++) rstream_chunk_next(chunk);
  };
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_chunk,
                   [](auto &o) {
                     o.offset_type = RSTREAM_OFFSET_FIRST;
                     o.initial_credit = 1000;
                   }),
            0);
  ASSERT_TRUE(run_until([&] { return messages == 5000; }));
  close_env(env);
  env = open_env();
  uint64_t number = 0;
  for (rstream_chunk *chunk : held) {
    rstream_chunk_rewind(chunk);
    while (const rstream_message_view *m = rstream_chunk_next(chunk)) {
      fixed_body expected = body_of(number);
      ASSERT_EQ(text_of(m), std::string(expected.bytes, expected.size));
      ASSERT_EQ(m->offset, number);
      number++;
    }
    rstream_chunk_release(chunk);
  }
  EXPECT_EQ(number, 5000u);
}
