#include <thread>

#include "fixture.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

using loop_test = client_test;

struct posts {
  std::thread::id thread;
  std::vector<int> order;
};

struct post {
  posts *to;
  int number;
  static void run(rstream_env *, void *arg) {
    auto *p = static_cast<post *>(arg);
    p->to->thread = std::this_thread::get_id();
    p->to->order.push_back(p->number);
  }
};

}  // namespace

TEST_F(loop_test, a_call_posted_from_another_thread_runs_on_the_loops_thread_in_order) {
  create();
  posts all;
  std::vector<post> calls;
  for (int i = 0; i < 100; i++) calls.push_back({&all, i});
  std::thread other([&] {
    for (post &p : calls) EXPECT_EQ(rstream_env_post(env, post::run, &p), 0);
  });
  EXPECT_TRUE(run_until([&] { return all.order.size() == 100; }));
  other.join();
  EXPECT_EQ(all.thread, std::this_thread::get_id());
  for (int i = 0; i < 100; i++) EXPECT_EQ(all.order[static_cast<size_t>(i)], i);
}

TEST_F(loop_test, what_was_posted_before_closing_runs_before_the_closed_callback) {
  create();
  posts all;
  post call{&all, 1};
  ASSERT_EQ(rstream_env_post(env, post::run, &call), 0);
  static posts *seen;
  static int closed;
  seen = &all;
  closed = 0;
  auto on_closed = [](rstream_env *, void *) {
    closed++;
    EXPECT_EQ(seen->order.size(), 1u);
  };
  ASSERT_EQ(rstream_env_close(env, on_closed, nullptr), 0);
  ASSERT_TRUE(run_until([&] { return closed > 0; }));
  env = nullptr;
}

TEST_F(loop_test, a_posted_call_may_close_the_environment) {
  create();
  static client_test *self;
  self = this;
  ASSERT_EQ(rstream_env_post(
                env, [](rstream_env *, void *) { self->start_closing(); }, nullptr),
            0);
  ASSERT_TRUE(run_until([&] { return env_closed > 0; }));
}

TEST_F(loop_test, out_of_memory_for_a_posted_call_is_told) {
  create();
  posts all;
  post call{&all, 1};
  blocks.calls_left = 0;
  EXPECT_EQ(rstream_env_post(env, post::run, &call), RSTREAM_ENOMEM);
  blocks.calls_left = SIZE_MAX;
}

TEST_F(loop_test, stepping_the_loop_from_inside_a_callback_is_refused) {
  create();
  static int codes[3];
  std::fill(codes, codes + 3, 1);
  auto on_result = [](rstream_env *e, int, const char *, void *) {
    codes[0] = rstream_env_run(e, 0);
  };
  ASSERT_EQ(rstream_stream_delete(env, "s", on_result, nullptr), 0);
  auto on_post = [](rstream_env *e, void *) { codes[1] = rstream_env_run(e, -1); };
  ASSERT_EQ(rstream_env_post(env, on_post, nullptr), 0);
  // Told at the end of a turn.
  auto on_stored = [](rstream_env *e, int, const char *, void *) {
    codes[2] = rstream_env_run(e, 1);
  };
  ASSERT_EQ(rstream_store_offset(env, "n", "s", 1, on_stored, nullptr), 0);
  ASSERT_TRUE(run_until([&] { return codes[0] < 1 && codes[1] < 1 && codes[2] < 1; }));
  for (int code : codes) EXPECT_EQ(code, RSTREAM_EBUSY);
}

TEST_F(loop_test, the_callers_loop_may_be_stepped_through_the_environment) {
  create();
  result r;
  ask(r);
  while (r.calls == 0) ASSERT_EQ(rstream_env_run(env, 1000), 0);
  EXPECT_EQ(r.status, 0);
  EXPECT_EQ(rstream_env_loop(env), &loop);
  EXPECT_EQ(rstream_env_backend_fd(env), uv_backend_fd(&loop));
}

TEST_F(loop_test, running_without_a_timeout_returns_when_nothing_happens) {
  create();
  EXPECT_EQ(rstream_env_run(env, 0), 0);
  EXPECT_EQ(rstream_env_run(env, 1), 0);
}

TEST_F(loop_test, an_environment_with_its_own_loop_is_stepped_until_it_is_gone) {
  ASSERT_EQ(rstream_env_create(&env, nullptr, &options), 0) << error_text;
  EXPECT_NE(rstream_env_loop(env), &loop);
  result r;
  ask(r);
  while (r.calls == 0) {
    ASSERT_EQ(rstream_env_run(env, 0), 0);
    uv_run(&loop, UV_RUN_NOWAIT);  // the peer's
  }
  EXPECT_EQ(r.status, 0);
  start_closing();
  int rc;
  while ((rc = rstream_env_run(env, 0)) == 0) uv_run(&loop, UV_RUN_NOWAIT);
  EXPECT_EQ(rc, RSTREAM_ECLOSED);
  EXPECT_EQ(env_closed, 1);
  env = nullptr;
}

TEST_F(loop_test, its_descriptor_can_be_watched_by_another_loop) {
  ASSERT_EQ(rstream_env_create(&env, nullptr, &options), 0) << error_text;
  uv_poll_t watch;
  uv_timer_t limit;
  watch.data = env;
  limit.data = env;
  auto on_ready = [](uv_poll_t *w, int, int) {
    rstream_env_run(static_cast<rstream_env *>(w->data), 0);
  };
  ASSERT_EQ(uv_poll_init(&loop, &watch, rstream_env_backend_fd(env)), 0);
  uv_poll_start(&watch, UV_READABLE, on_ready);
  uv_timer_init(&loop, &limit);
  result r;
  ask(r);
  while (r.calls == 0) {
    ASSERT_EQ(rstream_env_run(env, 0), 0);
    if (r.calls > 0) break;  // nothing more would wake the loop
    int timeout = rstream_env_backend_timeout(env);
    if (timeout >= 0)
      uv_timer_start(
          &limit, [](uv_timer_t *) {}, static_cast<uint64_t>(timeout), 0);
    uv_run(&loop, UV_RUN_ONCE);
  }
  EXPECT_EQ(r.status, 0);
  uv_close(reinterpret_cast<uv_handle_t *>(&watch), nullptr);
  uv_close(reinterpret_cast<uv_handle_t *>(&limit), nullptr);
  start_closing();
  while (rstream_env_run(env, 0) == 0) uv_run(&loop, UV_RUN_NOWAIT);
  env = nullptr;
}
