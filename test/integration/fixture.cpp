#include "fixture.h"

#include <unistd.h>

#include <algorithm>

namespace rstream::test {

namespace {

constexpr size_t log_lines_kept = 60;

void on_log(rstream_log_level level, const char *text, void *user) {
  constexpr const char *names[] = {"error ", "warn  ", "info  ", "debug "};
  auto *t = static_cast<broker_test *>(user);
  t->log.push_back(std::string(names[level]) + text);
  if (t->log.size() > log_lines_kept) t->log.pop_front();
}

// What the broker called itself when it was connected to.
int release_in(const std::deque<std::string> &log) {
  int major = 0;
  int minor = 0;
  for (const std::string &line : log) {
    size_t at = line.find("RabbitMQ ");
    if (at != std::string::npos &&
        sscanf(line.c_str() + at, "RabbitMQ %d.%d", &major, &minor) == 2)
      break;
  }
  return major * 100 + minor;
}

std::string unique_name() {
  static int count = 0;
  const auto *test = testing::UnitTest::GetInstance()->current_test_info();
  return std::string("test.") + test->test_suite_name() + "." + std::to_string(getpid()) +
         "." + std::to_string(count++);
}

}  // namespace

void broker_test::SetUp() {
  if (!broker_uri())
    GTEST_SKIP() << "RSTREAM_BROKER_URI is not set: there is no broker to test with";
  ASSERT_EQ(uv_loop_init(&loop), 0);
  name = unique_name();
  env = open_env();
  ASSERT_NE(env, nullptr);
  ASSERT_EQ(create_stream(name), 0);
  stream = name;
  release = release_in(log);
  ASSERT_GE(release, 400) << "the tests are made for brokers from 4.0 on";
}

void broker_test::TearDown() {
  if (!broker_uri()) return;
  if (!stream.empty()) {
    // The test may have closed its environment, or deleted the stream.
    if (!env) env = open_env();
    int rc = delete_stream(stream);
    EXPECT_TRUE(rc == 0 || rc == RSTREAM_BROKER_STREAM_DOES_NOT_EXIST)
        << rstream_error_text(rc);
  }
  const std::vector<rstream_env *> left = open_envs;
  for (rstream_env *e : left) close_env(e);
  EXPECT_EQ(uv_loop_close(&loop), 0) << "handles are left in the loop";
  EXPECT_EQ(memory.bytes, 0u) << "in " << memory.blocks << " blocks";
  if (!HasFailure()) return;
  for (const std::string &line : log) fprintf(stderr, "    %s\n", line.c_str());
}

testing::AssertionResult broker_test::run_until(const std::function<bool()> &done,
                                                int seconds) {
  struct deadline {
    uv_timer_t timer;
    bool over = false;
    bool closed = false;
  } d;
  d.timer.data = &d;
  uv_timer_init(&loop, &d.timer);
  uv_update_time(&loop);
  uv_timer_start(
      &d.timer, [](uv_timer_t *t) { static_cast<deadline *>(t->data)->over = true; },
      static_cast<uint64_t>(seconds) * 1000, 0);
  while (!done() && !d.over) uv_run(&loop, UV_RUN_ONCE);
  bool over = !done();
  uv_close(reinterpret_cast<uv_handle_t *>(&d.timer),
           [](uv_handle_t *h) { static_cast<deadline *>(h->data)->closed = true; });
  while (!d.closed) uv_run(&loop, UV_RUN_NOWAIT);
  if (over) return testing::AssertionFailure() << "not within " << seconds << " s";
  return testing::AssertionSuccess();
}

void broker_test::run_ready(int turns) {
  for (int i = 0; i < turns; i++) uv_run(&loop, UV_RUN_NOWAIT);
}

rstream_env_options broker_test::env_options() {
  static rstream_allocator functions;
  functions = memory.functions();
  rstream_env_options o;
  rstream_env_options_init(&o);
  o.uri = broker_uri();
  o.connection_name = name.c_str();
  o.allocator = &functions;
  o.on_log = on_log;
  o.log_level = RSTREAM_LOG_DEBUG;
  o.user = this;
  return o;
}

rstream_env *broker_test::open_env(const env_settings &settings) {
  rstream_env_options o = env_options();
  char text[200] = "";
  o.error_text = text;
  o.error_text_size = sizeof text;
  if (settings) settings(o);
  rstream_env *e = nullptr;
  int rc = rstream_env_create(&e, &loop, &o);
  EXPECT_EQ(rc, 0) << rstream_error_text(rc) << ": " << text;
  if (e) open_envs.push_back(e);
  return e;
}

int broker_test::begin_close_env(rstream_env *e) {
  auto on_closed = [](rstream_env *gone, void *user) {
    auto *t = static_cast<broker_test *>(user);
    EXPECT_TRUE(t->env_is_open(gone)) << "closed twice";
    std::erase(t->open_envs, gone);
    if (gone == t->env) t->env = nullptr;
    probes_forget(gone);
  };
  int rc = rstream_env_close(e, on_closed, this);
  EXPECT_TRUE(env_is_open(e)) << "called back from inside the call";
  return rc;
}

bool broker_test::env_is_open(const rstream_env *e) const {
  return std::find(open_envs.begin(), open_envs.end(), e) != open_envs.end();
}

void broker_test::close_env(rstream_env *e) {
  EXPECT_EQ(begin_close_env(e), 0);
  ASSERT_TRUE(run_until([&] { return !env_is_open(e); }))
      << "the environment did not close";
}

int broker_test::create_stream(const std::string &s,
                               const rstream_stream_options *options) {
  return ask<result_reply>([&](auto *r) {
           return rstream_stream_create(env, s.c_str(), options, result_reply::on, r);
         })
      .status;
}

int broker_test::delete_stream(const std::string &s) {
  return ask<result_reply>([&](auto *r) {
           return rstream_stream_delete(env, s.c_str(), result_reply::on, r);
         })
      .status;
}

void broker_test::publish(const std::string &s, uint64_t count, uint64_t first) {
  producer_probe p;
  ASSERT_EQ(p.open(env, s), 0);
  uint64_t next = 0;
  auto fill = [&] {
    while (next < count && p.send_number(first + next) == 0) next++;
  };
  p.on_writable = fill;
  fill();
  ASSERT_TRUE(run_until([&] { return p.told == count || p.ended; }));
  ASSERT_EQ(p.confirmed(), count);
  ASSERT_EQ(p.close(), 0);
  ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  ASSERT_EQ(p.close_status, 0);
}

value_reply broker_test::query(const char *reference) {
  return ask<value_reply>([&](auto *r) {
    return rstream_query_offset(env, reference, stream.c_str(), value_reply::on, r);
  });
}

void broker_test::wait_stored(const char *reference, uint64_t offset) {
  value_reply reply;
  uint64_t deadline = uv_hrtime() + 30000000000u;
  while (uv_hrtime() < deadline) {
    reply = query(reference);
    if (reply.status == 0 && reply.value == offset) return;
  }
  FAIL() << reply.status << ", " << reply.value << " instead of " << offset;
}

rstream_env_stats broker_test::stats(const rstream_env *e) const {
  rstream_env_stats s{};
  s.struct_size = sizeof s;
  EXPECT_EQ(rstream_env_stats_get(e ? e : env, &s), 0);
  return s;
}

}  // namespace rstream::test
