// Other ways to drive an environment: its own loop, a foreign loop that watches the
// descriptor, and calls from other threads.
#include <poll.h>

#include <atomic>
#include <thread>

#include "fixture.h"

using namespace rstream::test;

namespace {

struct embedding : broker_test {
  // An environment with a loop of its own, which the fixture knows nothing of.
  rstream_env *open_own(counting_allocator &own_memory) {
    rstream_allocator functions = own_memory.functions();
    rstream_env_options o = env_options();
    o.allocator = &functions;
    rstream_env *e = nullptr;
    EXPECT_EQ(rstream_env_create(&e, nullptr, &o), 0);
    EXPECT_NE(rstream_env_loop(e), nullptr);
    EXPECT_NE(rstream_env_loop(e), &loop);
    return e;
  }
};

struct post : broker_test {};

uint64_t seconds_from_now(uint64_t seconds) { return uv_hrtime() + seconds * 1000000000; }

}  // namespace

TEST_F(embedding, a_loop_of_its_own) {
  counting_allocator own_memory;
  rstream_env *e = open_own(own_memory);
  uint64_t deadline = seconds_from_now(30);
  auto step_until = [&](const std::function<bool()> &done) {
    while (!done() && uv_hrtime() < deadline) EXPECT_EQ(rstream_env_run(e, 1000), 0);
    EXPECT_TRUE(done());
  };
  producer_probe p;
  consumer_probe c;
  c.numbered = true;
  c.on_message = [&](const rstream_message_view *) {
    if (c.messages == 1) {
      EXPECT_EQ(rstream_env_run(e, 0), RSTREAM_EBUSY);
    }
  };
  ASSERT_EQ(p.open(e, stream), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  for (uint64_t i = 0; i < 5000; i++) ASSERT_EQ(p.send_number(i), 0);
  step_until([&] { return p.all_told() && c.messages == 5000; });
  EXPECT_EQ(c.wrong_bodies, 0u);
  EXPECT_EQ(p.confirmed(), 5000u);

  // It sleeps until there is something to do.
  producer_probe lingering;
  ASSERT_EQ(lingering.open(e, stream, [](auto &o) { o.linger_ms = 50; }), 0);
  step_until([&] { return lingering.opened > 0; });
  ASSERT_EQ(lingering.send_number(0), 0);
  int steps = 0;
  step_until([&] { return steps++, lingering.all_told(); });
  EXPECT_EQ(lingering.confirmed(), 1u);
  EXPECT_LT(steps, 100);

  // Without anything to do it comes back in time.
  EXPECT_EQ(rstream_env_run(e, 0), 0);
  EXPECT_EQ(rstream_env_run(e, 20), 0);

  ASSERT_EQ(rstream_env_close(e, nullptr, nullptr), 0);
  int rc = 0;
  while (rc == 0 && uv_hrtime() < deadline) rc = rstream_env_run(e, 1000);
  EXPECT_EQ(rc, RSTREAM_ECLOSED);
  probes_forget(e);
  EXPECT_EQ(own_memory.bytes, 0u);
}

TEST_F(embedding, stepping_the_callers_loop) {
  result_reply reply;
  ASSERT_EQ(rstream_stream_create(env, stream.c_str(), nullptr, result_reply::on, &reply),
            0);
  uint64_t deadline = seconds_from_now(30);
  while (reply.calls == 0 && uv_hrtime() < deadline)
    EXPECT_EQ(rstream_env_run(env, 1000), 0);
  EXPECT_EQ(reply.status, RSTREAM_BROKER_STREAM_EXISTS);
}

// What a program does that has poll(2), epoll or asyncio for a loop.
TEST_F(embedding, watched_by_poll) {
  counting_allocator own_memory;
  rstream_env *e = open_own(own_memory);
  int fd = rstream_env_backend_fd(e);
  ASSERT_GE(fd, 0);
  uint64_t deadline = seconds_from_now(30);
  uint64_t waits = 0;
  auto watch_until = [&](const std::function<bool()> &done) {
    while (!done() && uv_hrtime() < deadline) {
      pollfd watched{fd, POLLIN, 0};
      int timeout = rstream_env_backend_timeout(e);
      if (timeout < 0 || timeout > 5000) timeout = 5000;
      waits++;
      ASSERT_GE(poll(&watched, 1, timeout), 0);
      int rc = rstream_env_run(e, 0);
      if (rc == RSTREAM_ECLOSED) return;
      ASSERT_EQ(rc, 0);
      ASSERT_EQ(rstream_env_backend_fd(e), fd);
    }
  };
  producer_probe p;
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(p.open(e, stream), 0);
  ASSERT_EQ(c.open_first(e, stream), 0);
  for (uint64_t i = 0; i < 5000; i++) ASSERT_EQ(p.send_number(i), 0);
  watch_until([&] { return p.all_told() && c.messages == 5000; });
  EXPECT_EQ(p.confirmed(), 5000u);
  EXPECT_EQ(c.wrong_bodies, 0u);
  EXPECT_LT(waits, 20000u) << "it sleeps while there is nothing to do";

  bool gone = false;
  ASSERT_EQ(
      rstream_env_close(
          e, [](rstream_env *, void *user) { *static_cast<bool *>(user) = true; }, &gone),
      0);
  watch_until([&] { return gone; });
  EXPECT_TRUE(gone);
  probes_forget(e);
  EXPECT_EQ(own_memory.bytes, 0u);
}

TEST_F(post, from_other_threads_while_traffic_flows) {
  constexpr int threads = 3;
  constexpr int calls = 20000;
  struct sender {
    uint64_t last = 0;
    uint64_t ran = 0;
    bool in_order = true;
    std::thread::id loop_thread;
    bool on_loop = true;
  } senders[threads];
  struct call {
    sender *from;
    uint64_t number;
  };
  std::vector<std::vector<call>> all(threads);
  for (int t = 0; t < threads; t++) {
    senders[t].loop_thread = std::this_thread::get_id();
    for (int i = 1; i <= calls; i++) {
      all[static_cast<size_t>(t)].push_back({&senders[t], static_cast<uint64_t>(i)});
    }
  }
  auto run = [](rstream_env *, void *arg) {
    auto *c = static_cast<call *>(arg);
    c->from->in_order &= c->number == c->from->last + 1;
    c->from->on_loop &= std::this_thread::get_id() == c->from->loop_thread;
    c->from->last = c->number;
    c->from->ran++;
  };
  producer_probe p;
  consumer_probe c;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_EQ(c.open_first(env, stream), 0);
  p.on_writable = [&] {
    while (p.handle && p.send_number(0) == 0) continue;
  };
  p.on_writable();
  ASSERT_TRUE(run_until([&] { return c.messages > 0; }));

  std::atomic<int> refused{0};
  std::vector<std::thread> running;
  for (auto &mine : all) {
    running.emplace_back([&, e = env] {
      for (call &one : mine) refused += rstream_env_post(e, run, &one) != 0;
    });
  }
  uint64_t before = c.messages;
  auto all_ran = [&] {
    for (sender &s : senders) {
      if (s.ran < calls) return false;
    }
    return c.messages > before;
  };
  EXPECT_TRUE(run_until(all_ran));
  for (std::thread &t : running) t.join();
  EXPECT_EQ(refused, 0);
  for (sender &s : senders) {
    EXPECT_TRUE(s.in_order);
    EXPECT_TRUE(s.on_loop);
    EXPECT_EQ(s.ran, static_cast<uint64_t>(calls));
  }
}

TEST_F(post, wakes_a_loop_that_sleeps) {
  std::atomic<int> ran{0};
  auto run = [](rstream_env *, void *arg) { ++*static_cast<std::atomic<int> *>(arg); };
  std::thread other([&, e = env] { EXPECT_EQ(rstream_env_post(e, run, &ran), 0); });
  EXPECT_TRUE(run_until([&] { return ran == 1; }));
  other.join();
}

TEST_F(post, runs_what_was_posted_before_the_end) {
  int ran = 0;
  auto run = [](rstream_env *, void *arg) { ++*static_cast<int *>(arg); };
  for (int i = 0; i < 100; i++) ASSERT_EQ(rstream_env_post(env, run, &ran), 0);
  ASSERT_EQ(begin_close_env(env), 0);
  ASSERT_EQ(rstream_env_post(env, run, &ran), 0);
  rstream_env *e = env;
  ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
  EXPECT_EQ(ran, 101);
}

TEST_F(post, a_function_that_closes_the_environment) {
  auto close = [](rstream_env *, void *arg) {
    auto *t = static_cast<broker_test *>(arg);
    EXPECT_EQ(t->begin_close_env(t->env), 0);
  };
  rstream_env *e = env;
  ASSERT_EQ(rstream_env_post(env, close, static_cast<broker_test *>(this)), 0);
  ASSERT_TRUE(run_until([&] { return !env_is_open(e); }));
}
