#include <cstddef>
#include <cstring>

#include "api_fixture.h"

using namespace rstream::test;

namespace {

using api_env = api_fixture;

void ignore_post(rstream_env *, void *) {}

}  // namespace

TEST_F(api_env, null_arguments_are_refused) {
  EXPECT_EQ(rstream_env_create(nullptr, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_close(nullptr, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_run(nullptr, 0), RSTREAM_EINVAL);
  EXPECT_LT(rstream_env_backend_fd(nullptr), 0);
  EXPECT_LT(rstream_env_backend_timeout(nullptr), 0);
  EXPECT_EQ(rstream_env_loop(nullptr), nullptr);
  EXPECT_EQ(rstream_env_user(nullptr), nullptr);
  EXPECT_STREQ(rstream_env_error_text(nullptr), "");
  rstream_env_stats stats;
  stats.struct_size = sizeof stats;
  EXPECT_EQ(rstream_env_stats_get(nullptr, &stats), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_post(nullptr, ignore_post, nullptr), RSTREAM_EINVAL);
  create();
  EXPECT_EQ(rstream_env_post(env, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_env_stats_get(env, nullptr), RSTREAM_EINVAL);
}

TEST_F(api_env, no_options_mean_the_defaults) {
  ASSERT_EQ(rstream_env_create(&env, nullptr, nullptr), 0);
  EXPECT_NE(rstream_env_loop(env), nullptr);
  EXPECT_GE(rstream_env_backend_fd(env), 0);
  EXPECT_STREQ(rstream_env_error_text(env), "");
}

TEST_F(api_env, uninitialised_options_are_refused) {
  rstream_env_options o = options();
  o.struct_size = 0;
  EXPECT_EQ(refused(o), RSTREAM_EINVAL);
  o.struct_size = sizeof(size_t) - 1;
  EXPECT_EQ(refused(o), RSTREAM_EINVAL);
  EXPECT_EQ(env, nullptr);
}

TEST_F(api_env, a_failed_create_leaves_null_that_can_be_closed_without_harm) {
  rstream_env_options o = options();
  o.uri = "nonsense";
  env = reinterpret_cast<rstream_env *>(1);
  EXPECT_EQ(rstream_env_create(&env, nullptr, &o), RSTREAM_EURI);
  EXPECT_EQ(env, nullptr);
  EXPECT_EQ(rstream_env_close(env, nullptr, nullptr), RSTREAM_EINVAL);
}

TEST_F(api_env, a_second_close_is_refused) {
  create();
  EXPECT_EQ(rstream_env_close(env, nullptr, nullptr), 0);
  EXPECT_EQ(rstream_env_close(env, nullptr, nullptr), RSTREAM_ECLOSED);
}

TEST_F(api_env, numbers_out_of_range_are_refused_with_name_and_limits) {
  const struct {
    uint32_t rstream_env_options::*member;
    uint32_t value;
    const char *text;
  } cases[] = {
      {&rstream_env_options::connect_timeout_ms, 86400001,
       "connect_timeout_ms is 86400001, allowed are 1 to 86400000"},
      {&rstream_env_options::request_timeout_ms, UINT32_MAX,
       "request_timeout_ms is 4294967295, allowed are 1 to 86400000"},
      {&rstream_env_options::heartbeat_s, 3601,
       "heartbeat_s is 3601, allowed are 1 to 3600"},
      {&rstream_env_options::max_frame_bytes, 255,
       "max_frame_bytes is 255, allowed are 256 to 1073741824"},
      {&rstream_env_options::max_deliver_bytes, 8191,
       "max_deliver_bytes is 8191, allowed are 8192 to 1073741824"},
  };
  for (const auto &c : cases) {
    rstream_env_options o = options();
    o.*c.member = c.value;
    EXPECT_EQ(refused(o), RSTREAM_EINVAL) << c.text;
    EXPECT_STREQ(text, c.text);
  }
  rstream_env_options o = options();
  o.max_producers_per_connection = 257;
  EXPECT_EQ(refused(o), RSTREAM_EINVAL);
  EXPECT_STREQ(text, "max_producers_per_connection is 257, allowed are 1 to 256");
  o = options();
  o.log_level = static_cast<rstream_log_level>(5);
  EXPECT_EQ(refused(o), RSTREAM_EINVAL);
  EXPECT_STREQ(text, "log_level is 5, allowed are 0 to 4");
}

TEST_F(api_env, texts_may_have_255_bytes_and_passwords_7168) {
  const struct {
    const char *rstream_env_options::*member;
    const char *name;
    size_t most;
  } cases[] = {
      {&rstream_env_options::username, "username", 255},
      {&rstream_env_options::vhost, "vhost", 255},
      {&rstream_env_options::connection_name, "connection_name", 255},
      {&rstream_env_options::host, "host", 255},
      {&rstream_env_options::password, "password", 7168},
  };
  for (const auto &c : cases) {
    std::string longest(c.most, 'x');
    rstream_env_options o = options();
    o.*c.member = longest.c_str();
    EXPECT_EQ(refused(o), 0) << c.name << ": " << text;
    longest += 'x';
    o.*c.member = longest.c_str();
    EXPECT_EQ(refused(o), RSTREAM_EINVAL) << c.name;
    EXPECT_EQ(std::string(text),
              std::string(c.name) + " is " + std::to_string(c.most + 1) +
                  " bytes long, at most " + std::to_string(c.most) + " are allowed");
  }
}

TEST_F(api_env, a_bad_uri_is_refused_with_the_reason) {
  rstream_env_options o = options();
  o.uri = "rabbitmq-stream://host:99999";
  EXPECT_EQ(refused(o), RSTREAM_EURI);
  EXPECT_STREQ(text, "the port is not a number from 1 to 65535");
}

#ifndef RSTREAM_HAS_TLS
TEST_F(api_env, tls_is_refused_where_it_is_not_built_in) {
  rstream_env_options o = options();
  o.uri = "rabbitmq-stream+tls://host";
  EXPECT_EQ(refused(o), RSTREAM_ENOTSUP);
  EXPECT_STREQ(text, "this build of rstream has no TLS");
}
#endif

TEST_F(api_env, an_allocator_needs_all_its_functions) {
  for (int missing = 0; missing < 3; missing++) {
    rstream_allocator partial = allocator;
    if (missing == 0) partial.allocate = nullptr;
    if (missing == 1) partial.resize = nullptr;
    if (missing == 2) partial.release = nullptr;
    rstream_env_options o = options();
    o.allocator = &partial;
    EXPECT_EQ(refused(o), RSTREAM_EINVAL);
    EXPECT_STREQ(text, "an allocator needs all three of its functions");
  }
}

TEST_F(api_env, the_error_text_is_cut_to_fit) {
  rstream_env_options o = options();
  o.uri = "nonsense";
  o.error_text_size = 6;
  EXPECT_EQ(refused(o), RSTREAM_EURI);
  EXPECT_STREQ(text, "it do");
  o.error_text_size = 0;
  EXPECT_EQ(refused(o), RSTREAM_EURI);
  EXPECT_STREQ(text, "untouched");
  o.error_text = nullptr;
  EXPECT_EQ(refused(o), RSTREAM_EURI);
}

TEST_F(api_env, out_of_memory_at_any_point_is_an_error_and_leaks_nothing) {
  bool created = false;
  for (size_t calls = 0; !created; calls++) {
    ASSERT_LT(calls, 100u);
    rstream_env_options o = options();
    o.uri = "rabbitmq-stream://u:p@h/v";
    blocks.calls_left = calls;
    int rc = rstream_env_create(&env, nullptr, &o);
    blocks.calls_left = SIZE_MAX;
    created = rc == 0;
    if (created) break;
    EXPECT_EQ(rc, RSTREAM_ENOMEM) << "with " << calls << " allocations";
    EXPECT_EQ(env, nullptr);
    EXPECT_EQ(blocks.bytes, 0u) << "with " << calls << " allocations";
  }
}

TEST_F(api_env, options_of_an_older_header_are_read_as_far_as_they_go) {
  rstream_env_options o;
  memset(static_cast<void *>(&o), 0xff, sizeof o);
  size_t size = offsetof(rstream_env_options, username);
  rstream_env_options_init_sized(&o, size);
  EXPECT_EQ(o.struct_size, size);
  EXPECT_EQ(o.port, 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(o.username), UINTPTR_MAX);  // not ours to write
  o.host = "127.0.0.1";
  EXPECT_EQ(rstream_env_create(&env, nullptr, &o), 0);
}

TEST_F(api_env, options_of_a_newer_header_are_read_as_far_as_we_know) {
  struct newer {
    rstream_env_options known;
    uint64_t unknown;
  } o;
  rstream_env_options_init_sized(&o.known, sizeof o);
  o.unknown = 99;
  EXPECT_EQ(rstream_env_create(&env, nullptr, &o.known), 0);
}

TEST_F(api_env, statistics_are_cut_to_the_callers_size) {
  create();
  rstream_env_stats stats;
  memset(&stats, 0xff, sizeof stats);
  stats.struct_size = offsetof(rstream_env_stats, frames_received);
  EXPECT_EQ(rstream_env_stats_get(env, &stats), 0);
  EXPECT_EQ(stats.struct_size, offsetof(rstream_env_stats, frames_received));
  EXPECT_EQ(stats.bytes_sent, 0u);
  EXPECT_EQ(stats.frames_received, UINT64_MAX);
  stats.struct_size = 0;
  EXPECT_EQ(rstream_env_stats_get(env, &stats), RSTREAM_EINVAL);
  stats.struct_size = sizeof stats + 100;
  EXPECT_EQ(rstream_env_stats_get(env, &stats), 0);
  EXPECT_EQ(stats.struct_size, sizeof stats);
  EXPECT_EQ(stats.connections_for_locator, 0u);
  EXPECT_GT(stats.bytes_allocated, 0u);
}

TEST_F(api_env, nothing_opens_while_it_closes) {
  create();
  ASSERT_EQ(rstream_env_close(env, nullptr, nullptr), 0);
  rstream_producer_options po;
  rstream_producer_options_init(&po);
  po.stream = "s";
  rstream_producer *producer;
  EXPECT_EQ(rstream_producer_open(&producer, env, &po), RSTREAM_ECLOSED);
  EXPECT_EQ(producer, nullptr);
  EXPECT_EQ(error_text(), "the environment is closing");
  rstream_consumer_options co;
  rstream_consumer_options_init(&co);
  rstream_consumer *consumer;
  EXPECT_EQ(rstream_consumer_open(&consumer, env, &co), RSTREAM_ECLOSED);
  EXPECT_EQ(consumer, nullptr);
  EXPECT_EQ(rstream_stream_exists(
                env, "s", [](rstream_env *, int, int, void *) {}, nullptr),
            RSTREAM_ECLOSED);
}

TEST_F(api_env, the_closed_callback_may_still_ask) {
  create();
  static int calls;
  calls = 0;
  auto on_closed = [](rstream_env *e, void *) {
    calls++;
    rstream_env_stats stats;
    stats.struct_size = sizeof stats;
    EXPECT_EQ(rstream_env_stats_get(e, &stats), 0);
    EXPECT_EQ(stats.bytes_sent, 0u);
    EXPECT_EQ(rstream_env_close(e, nullptr, nullptr), RSTREAM_ECLOSED);
    EXPECT_EQ(rstream_env_run(e, 0), RSTREAM_EBUSY);
    EXPECT_EQ(rstream_env_post(e, ignore_post, nullptr), RSTREAM_ECLOSED);
    EXPECT_NE(rstream_env_loop(e), nullptr);
    EXPECT_STREQ(rstream_env_error_text(e), "");
  };
  ASSERT_EQ(rstream_env_close(env, on_closed, nullptr), 0);
  while (rstream_env_run(env, -1) != RSTREAM_ECLOSED) {
  }
  env = nullptr;
  EXPECT_EQ(calls, 1);
}
