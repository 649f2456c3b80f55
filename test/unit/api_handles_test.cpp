// Misuse of producers, consumers, chunks and requests: an error that says why, and no
// harm.
#include "api_fixture.h"

using namespace rstream::test;

namespace {

struct api_handles : api_fixture {
  void SetUp() override { create(); }

  int open_producer(const rstream_producer_options &o) {
    rstream_producer *p = reinterpret_cast<rstream_producer *>(1);
    int rc = rstream_producer_open(&p, env, &o);
    EXPECT_TRUE(rc == 0 || p == nullptr);
    return rc;
  }
  int open_consumer(const rstream_consumer_options &o) {
    rstream_consumer *c = reinterpret_cast<rstream_consumer *>(1);
    int rc = rstream_consumer_open(&c, env, &o);
    EXPECT_TRUE(rc == 0 || c == nullptr);
    return rc;
  }

  static rstream_producer_options producer_options() {
    rstream_producer_options o;
    rstream_producer_options_init(&o);
    o.stream = "s";
    return o;
  }
  static rstream_consumer_options consumer_options() {
    rstream_consumer_options o;
    rstream_consumer_options_init(&o);
    o.stream = "s";
    o.on_message = [](rstream_consumer *, const rstream_message_view *, void *) {};
    return o;
  }
};

void on_result(rstream_env *, int, const char *, void *) {}
void on_exists(rstream_env *, int, int, void *) {}
void on_value(rstream_env *, int, uint64_t, void *) {}
void on_stats(rstream_env *, int, const rstream_stream_statistics *, void *) {}
void on_metadata(rstream_env *, int, const rstream_metadata *, void *) {}

const std::string name_255(255, 'n');
const std::string name_256(256, 'n');

}  // namespace

TEST_F(api_handles, null_producers_are_refused) {
  rstream_producer_options o = producer_options();
  rstream_producer *p;
  EXPECT_EQ(rstream_producer_open(nullptr, env, &o), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_open(&p, nullptr, &o), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_open(&p, env, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "the options are missing or were not initialised");
  rstream_message m;
  rstream_message_init(&m);
  EXPECT_EQ(rstream_producer_send(nullptr, &m, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_send(nullptr, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_send_bytes(nullptr, "x", 1, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_flush(nullptr, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_close(nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_close_within(nullptr, 0, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_state(nullptr), RSTREAM_STATE_CLOSED);
  EXPECT_EQ(rstream_producer_env(nullptr), nullptr);
  EXPECT_EQ(rstream_producer_user(nullptr), nullptr);
  EXPECT_STREQ(rstream_producer_stream(nullptr), "");
  EXPECT_EQ(rstream_producer_id_base(nullptr), 0u);
  rstream_producer_stats stats;
  stats.struct_size = sizeof stats;
  EXPECT_EQ(rstream_producer_stats_get(nullptr, &stats), RSTREAM_EINVAL);
}

TEST_F(api_handles, null_consumers_and_chunks_are_refused) {
  rstream_consumer_options o = consumer_options();
  rstream_consumer *c;
  EXPECT_EQ(rstream_consumer_open(nullptr, env, &o), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_consumer_open(&c, nullptr, &o), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_consumer_open(&c, env, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_consumer_close(nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_consumer_store_offset(nullptr, 0), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_consumer_state(nullptr), RSTREAM_STATE_CLOSED);
  EXPECT_EQ(rstream_consumer_env(nullptr), nullptr);
  EXPECT_EQ(rstream_consumer_user(nullptr), nullptr);
  EXPECT_STREQ(rstream_consumer_stream(nullptr), "");
  rstream_consumer_stats stats;
  stats.struct_size = sizeof stats;
  EXPECT_EQ(rstream_consumer_stats_get(nullptr, &stats), RSTREAM_EINVAL);
  rstream_chunk_info info;
  info.struct_size = sizeof info;
  EXPECT_EQ(rstream_chunk_info_get(nullptr, &info), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_chunk_next(nullptr), nullptr);
  rstream_chunk_rewind(nullptr);
  rstream_chunk_retain(nullptr);
  rstream_chunk_release(nullptr);
}

TEST_F(api_handles, uninitialised_options_are_refused) {
  rstream_producer_options po = producer_options();
  po.struct_size = 0;
  EXPECT_EQ(open_producer(po), RSTREAM_EINVAL);
  rstream_consumer_options co = consumer_options();
  co.struct_size = 0;
  EXPECT_EQ(open_consumer(co), RSTREAM_EINVAL);
  rstream_stream_options so;
  rstream_stream_options_init(&so);
  so.struct_size = 0;
  EXPECT_EQ(rstream_stream_create(env, "s", &so, on_result, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "the options were not initialised");
}

TEST_F(api_handles, a_producers_names_have_1_to_255_bytes) {
  rstream_producer_options o = producer_options();
  o.stream = nullptr;
  EXPECT_EQ(open_producer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "the stream's name is missing or empty");
  o.stream = "";
  EXPECT_EQ(open_producer(o), RSTREAM_EINVAL);
  o.stream = name_256.c_str();
  EXPECT_EQ(open_producer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "the stream's name is 256 bytes long, at most 255 are allowed");
  o.stream = "s";
  o.name = name_256.c_str();
  EXPECT_EQ(open_producer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(),
            "the producer's name is 256 bytes long, at most 255 are allowed");
  o.stream = o.name = name_255.c_str();
  EXPECT_EQ(open_producer(o), 0);
}

TEST_F(api_handles, a_producers_numbers_are_checked) {
  rstream_producer_options o = producer_options();
  o.max_messages_in_flight = (1u << 24) + 1;
  EXPECT_EQ(open_producer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(),
            "max_messages_in_flight is 16777217, allowed are 1 to 16777216");
  o = producer_options();
  o.max_batch_bytes = 255;
  EXPECT_EQ(open_producer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "max_batch_bytes is 255, allowed are 256 to 4194304");
  o.max_batch_bytes = (4u << 20) + 1;
  EXPECT_EQ(open_producer(o), RSTREAM_EINVAL);
  o = producer_options();
  o.linger_ms = 60001;
  EXPECT_EQ(open_producer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "linger_ms is 60001, allowed are 0 to 60000");
}

TEST_F(api_handles, a_second_producer_of_one_name_on_one_stream_is_refused) {
  rstream_producer_options o = producer_options();
  o.name = "p";
  EXPECT_EQ(open_producer(o), 0);
  EXPECT_EQ(open_producer(o), RSTREAM_EBUSY);
  EXPECT_EQ(error_text(), "a producer named p is open on stream s");
  o.stream = "other";
  EXPECT_EQ(open_producer(o), 0);
}

TEST_F(api_handles, a_producer_closes_once_and_takes_nothing_after) {
  rstream_producer_options o = producer_options();
  rstream_producer *p;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  EXPECT_EQ(rstream_producer_state(p), RSTREAM_STATE_OPENING);
  EXPECT_EQ(rstream_producer_env(p), env);
  EXPECT_STREQ(rstream_producer_stream(p), "s");
  EXPECT_EQ(rstream_producer_send_bytes(p, nullptr, 1, nullptr), RSTREAM_EINVAL);
  rstream_message m;
  rstream_message_init(&m);
  m.struct_size = 0;
  EXPECT_EQ(rstream_producer_send(p, &m, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_producer_send_bytes(p, nullptr, 0, nullptr), 0);
  EXPECT_EQ(rstream_producer_close(p, nullptr), 0);
  EXPECT_EQ(rstream_producer_state(p), RSTREAM_STATE_DRAINING);
  EXPECT_EQ(rstream_producer_close(p, nullptr), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_producer_send_bytes(p, "x", 1, nullptr), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_producer_flush(p, nullptr, nullptr), RSTREAM_ECLOSED);
  auto on_closed = [](rstream_producer *, int, void *) {};
  EXPECT_EQ(rstream_producer_close_within(p, 0, on_closed), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_producer_close_within(p, 0, nullptr), 0);
}

TEST_F(api_handles, a_message_larger_than_any_frame_is_refused_at_once) {
  rstream_producer_options o = producer_options();
  rstream_producer *p;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  std::string largest((1 << 20) - 21, 'x');
  EXPECT_EQ(rstream_producer_send_bytes(p, largest.data(), largest.size() + 1, nullptr),
            RSTREAM_EMSGSIZE);
  EXPECT_EQ(error_text(),
            "a message of 1048556 bytes does not fit a frame of 1048580 bytes");
  EXPECT_EQ(rstream_producer_send_bytes(p, largest.data(), SIZE_MAX / 2, nullptr),
            RSTREAM_EMSGSIZE);
  EXPECT_EQ(rstream_producer_send_bytes(p, largest.data(), SIZE_MAX, nullptr),
            RSTREAM_EMSGSIZE);
  uint64_t id = 0;
  EXPECT_EQ(rstream_producer_send_bytes(p, largest.data(), largest.size(), &id), 0);
  EXPECT_EQ(id, 1u);
  rstream_producer_close_within(p, 0, nullptr);
}

TEST_F(api_handles, a_consumer_needs_exactly_one_callback_for_messages) {
  rstream_consumer_options o = consumer_options();
  o.on_chunk = [](rstream_consumer *, rstream_chunk *, void *) {};
  EXPECT_EQ(open_consumer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "exactly one of on_chunk and on_message is needed");
  o.on_chunk = nullptr;
  o.on_message = nullptr;
  EXPECT_EQ(open_consumer(o), RSTREAM_EINVAL);
}

TEST_F(api_handles, a_consumers_options_are_checked) {
  rstream_consumer_options o = consumer_options();
  o.stream = name_256.c_str();
  EXPECT_EQ(open_consumer(o), RSTREAM_EINVAL);
  o.stream = "s";
  o.name = name_256.c_str();
  EXPECT_EQ(open_consumer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(),
            "the consumer's name is 256 bytes long, at most 255 are allowed");
  o.name = "";
  EXPECT_EQ(open_consumer(o), RSTREAM_EINVAL);
  o = consumer_options();
  o.initial_credit = 32768;
  EXPECT_EQ(open_consumer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "initial_credit is 32768, allowed are 1 to 32767");
  o = consumer_options();
  o.offset_type = static_cast<rstream_offset_type>(6);
  EXPECT_EQ(open_consumer(o), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "offset_type is 6, allowed are 1 to 5");
  o = consumer_options();
  o.stream = o.name = name_255.c_str();
  EXPECT_EQ(open_consumer(o), 0);
}

TEST_F(api_handles, a_consumer_closes_once) {
  rstream_consumer_options o = consumer_options();
  rstream_consumer *c;
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  EXPECT_EQ(rstream_consumer_store_offset(c, 1), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "the consumer has no name");
  EXPECT_EQ(rstream_consumer_close(c, nullptr), 0);
  EXPECT_EQ(rstream_consumer_close(c, nullptr), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_consumer_store_offset(c, 1), RSTREAM_ECLOSED);
  auto on_offset = [](rstream_consumer *, int, uint64_t, void *) {};
  EXPECT_EQ(rstream_consumer_query_offset(c, on_offset, nullptr), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_consumer_update_done(c, RSTREAM_OFFSET_FIRST, 0), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_consumer_pause(c), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_consumer_resume(c), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_consumer_grant_credit(c, 1), RSTREAM_ECLOSED);
  EXPECT_EQ(rstream_consumer_reconnect(c), RSTREAM_ECLOSED);
}

TEST_F(api_handles, storing_an_offset_before_the_consumer_is_open_is_not_possible) {
  rstream_consumer_options o = consumer_options();
  o.name = "c";
  rstream_consumer *c;
  ASSERT_EQ(rstream_consumer_open(&c, env, &o), 0);
  EXPECT_EQ(rstream_consumer_store_offset(c, 1), RSTREAM_EBUSY);
}

TEST_F(api_handles, requests_need_an_environment_a_callback_and_names) {
  EXPECT_EQ(rstream_stream_exists(nullptr, "s", on_exists, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_create(env, "s", nullptr, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "the callback is missing");
  EXPECT_EQ(rstream_stream_create(env, nullptr, nullptr, on_result, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_delete(env, "", on_result, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_delete(env, name_256.c_str(), on_result, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_exists(env, "s", nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_stats(env, nullptr, on_stats, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_query_offset(env, nullptr, "s", on_value, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "the name is missing or empty");
  EXPECT_EQ(rstream_query_offset(env, name_256.c_str(), "s", on_value, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_store_offset(env, "n", nullptr, 1, on_result, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_query_publisher_sequence(env, "n", "s", nullptr, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_delete(env, name_255.c_str(), on_result, nullptr), 0);
}

TEST_F(api_handles, metadata_takes_1_to_1000_streams) {
  const char *two[] = {"s", nullptr};
  EXPECT_EQ(rstream_stream_metadata(nullptr, two, 1, on_metadata, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_metadata(env, nullptr, 1, on_metadata, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_metadata(env, two, 0, on_metadata, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "the number of streams is 0, allowed are 1 to 1000");
  EXPECT_EQ(rstream_stream_metadata(env, two, 1001, on_metadata, nullptr),
            RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_metadata(env, two, 2, on_metadata, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_metadata(env, two, 1, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_metadata_count(nullptr), 0u);
  rstream_stream_info info;
  info.struct_size = sizeof info;
  EXPECT_EQ(rstream_metadata_get(nullptr, 0, &info), RSTREAM_EINVAL);
  rstream_node node;
  EXPECT_EQ(rstream_metadata_replica(nullptr, 0, 0, &node), RSTREAM_EINVAL);
}

TEST_F(api_handles, a_new_streams_arguments_are_checked) {
  rstream_stream_options o;
  rstream_stream_options_init(&o);
  for (const char *age : {"", "h", "6", "6x", "6hh", "-6h", "6 h", "1234567890h"}) {
    o.max_age = age;
    EXPECT_EQ(rstream_stream_create(env, "s", &o, on_result, nullptr), RSTREAM_EINVAL)
        << age;
    EXPECT_EQ(error_text(), "max_age is not a number and one of Y M D h m s");
  }
  rstream_stream_options_init(&o);
  o.max_segment_bytes = 3000000001;
  EXPECT_EQ(rstream_stream_create(env, "s", &o, on_result, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "max_segment_bytes is 3000000001, allowed are 0 to 3000000000");
  rstream_stream_options_init(&o);
  o.filter_size_bytes = 15;
  EXPECT_EQ(rstream_stream_create(env, "s", &o, on_result, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(error_text(), "filter_size_bytes is 15, allowed are 16 to 255");
}
