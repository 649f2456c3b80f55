// RSTREAM_CODEC_AMQP of a consumer: what the body of a view is, and what is still there
// of the message.
#include "consumer_fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

// Sections, see the specification, part 3: body, a property, application properties.
const char data_hi[] = "005375a0026869";
const char data_long_form[] = "005375b0000000026869";
const char properties_then_hi[] = "005373c0060201a1026964 005375a0026869";
const char hi_then_footer[] = "005375a0026869 005378c10100";
const char value_true[] = "00537741";
const char sequence[] = "005376c003015401";
const char two_data_sections[] = "005375a00161 005375a00162";
const char empty_data[] = "005375a000";
const char no_body[] = "005373c0060201a1026964";

struct seen {
  uint64_t offset;
  std::string body;
  std::string encoded;
  int status;
  int type;
  size_t struct_size;
};

struct consume_amqp : consumer_test {};

struct amqp_each : consumer_test, testing::WithParamInterface<consume_way> {
  std::vector<seen> views;

  static void take(amqp_each *t, const rstream_message_view &m) {
    t->views.push_back({m.offset, to_hex({m.body, m.body_size}),
                        to_hex({m.encoded, m.encoded_size}), m.status, m.body_type,
                        m.struct_size});
  }

  rstream_consumer_options taking(rstream_codec codec) {
    rstream_consumer_options o = log.options();
    o.codec = codec;
    o.user = this;
    o.on_state = [](rstream_consumer *, const rstream_state *s, void *user) {
      static_cast<amqp_each *>(user)->log.states.push_back(s->state);
    };
    if (GetParam() == consume_way::streamed) o.streaming_min_bytes = 1;
    if (GetParam() == consume_way::by_chunk) {
      o.on_chunk = [](rstream_consumer *, rstream_chunk *chunk, void *user) {
        while (const rstream_message_view *m = rstream_chunk_next(chunk))
          take(static_cast<amqp_each *>(user), *m);
      };
    } else {
      o.on_message = [](rstream_consumer *, const rstream_message_view *m, void *user) {
        take(static_cast<amqp_each *>(user), *m);
      };
    }
    return o;
  }

  void deliver_all(const std::vector<std::string> &messages) {
    chunk_builder b;
    for (const std::string &hex : messages) b.message(text_of(from_hex(hex)));
    deliver(b);
    ASSERT_TRUE(wait_for_credits(1));
    ASSERT_EQ(views.size(), messages.size());
  }
};

}  // namespace

INSTANTIATE_TEST_SUITE_P(client, amqp_each, every_consume_way, name_of_param);

TEST_P(amqp_each, the_body_is_the_content_of_the_body_sections) {
  struct expectation {
    const char *message;
    const char *body;
    rstream_amqp_body_type type;
  };
  const expectation all[] = {
      {data_hi, "6869", RSTREAM_AMQP_BODY_DATA},
      {value_true, value_true, RSTREAM_AMQP_BODY_VALUE},
      {data_long_form, "6869", RSTREAM_AMQP_BODY_DATA},
      {sequence, sequence, RSTREAM_AMQP_BODY_SEQUENCE},
      {properties_then_hi, "6869", RSTREAM_AMQP_BODY_DATA},
      {two_data_sections, "005375a00161005375a00162", RSTREAM_AMQP_BODY_DATA_LIST},
      {hi_then_footer, "6869", RSTREAM_AMQP_BODY_DATA},
      {no_body, "", RSTREAM_AMQP_BODY_NONE},
      {empty_data, "", RSTREAM_AMQP_BODY_DATA},
  };
  open(taking(RSTREAM_CODEC_AMQP));
  std::vector<std::string> messages;
  for (const expectation &one : all) messages.push_back(one.message);
  deliver_all(messages);
  for (size_t i = 0; i < std::size(all); i++) {
    EXPECT_EQ(views[i].offset, 100 + i);
    EXPECT_EQ(views[i].body, all[i].body) << all[i].message;
    EXPECT_EQ(views[i].encoded, to_hex(from_hex(all[i].message)));
    EXPECT_EQ(views[i].status, 0) << all[i].message;
    EXPECT_EQ(views[i].type, all[i].type) << all[i].message;
    EXPECT_EQ(views[i].struct_size, sizeof(rstream_message_view));
  }
}

// And leaves nothing behind for the next one.
TEST_P(amqp_each, what_can_not_be_read_comes_as_it_is_with_a_status) {
  open(taking(RSTREAM_CODEC_AMQP));
  const char *broken[] = {"6e6f20414d5150", "005375a0036869", "0053",
                          "005375b0ffffffff6869"};
  std::vector<std::string> messages;
  for (const char *one : broken) {
    messages.push_back(one);
    messages.push_back(data_hi);
  }
  deliver_all(messages);
  for (size_t i = 0; i < messages.size(); i++) {
    bool sound = i % 2 == 1;
    EXPECT_EQ(views[i].status, sound ? 0 : RSTREAM_ECODEC) << messages[i];
    EXPECT_EQ(views[i].body, sound ? "6869" : messages[i]);
    EXPECT_EQ(views[i].encoded, messages[i]);
    EXPECT_EQ(views[i].type, RSTREAM_AMQP_BODY_DATA);
  }
  EXPECT_EQ(log.entry_errors, "");
  EXPECT_EQ(consumer_stats().messages, messages.size());
}

TEST_P(amqp_each, raw_bodies_are_all_of_the_message) {
  open(taking(RSTREAM_CODEC_RAW));
  deliver_all({data_hi, value_true, "6e6f20414d5150"});
  for (const seen &v : views) {
    EXPECT_EQ(v.body, v.encoded);
    EXPECT_EQ(v.status, 0);
    EXPECT_EQ(v.type, RSTREAM_AMQP_BODY_DATA);
  }
  EXPECT_EQ(views[1].body, value_true);
}

TEST_P(amqp_each, messages_of_sub_entries_are_read_alike) {
  open(taking(RSTREAM_CODEC_AMQP));
  deliver(chunk_builder().sub_entry(
      {text_of(from_hex(data_hi)), "not AMQP", text_of(from_hex(properties_then_hi))}));
  ASSERT_TRUE(wait_for_credits(1));
  ASSERT_EQ(views.size(), 3u);
  EXPECT_EQ(views[0].body, "6869");
  EXPECT_EQ(views[1].status, RSTREAM_ECODEC);
  EXPECT_EQ(views[2].body, "6869");
}

TEST_F(consume_amqp, a_retained_chunk_keeps_the_codec) {
  log.keeps = true;
  rstream_consumer_options o = log.chunk_options();
  o.codec = RSTREAM_CODEC_AMQP;
  open(o);
  deliver(chunk_builder().message(text_of(from_hex(data_hi))));
  ASSERT_TRUE(run_until([&] { return log.chunks == 1; }));
  close_env();
  rstream_chunk_rewind(log.kept[0]);
  const rstream_message_view *m = rstream_chunk_next(log.kept[0]);
  ASSERT_NE(m, nullptr);
  EXPECT_EQ(text_of({m->body, m->body_size}), "hi");
  release_kept();
}

TEST_F(consume_amqp, what_is_no_codec_is_refused) {
  create();
  rstream_consumer_options o = log.message_options();
  o.codec = static_cast<rstream_codec>(2);
  EXPECT_EQ(rstream_consumer_open(&handle, env, &o), RSTREAM_EINVAL);
  EXPECT_NE(std::string(rstream_env_error_text(env)).find("codec"), std::string::npos);
}
