#pragma once

// What every integration test starts from: a loop of its own, an environment on it, a
// stream with a name of its own, and a check at the end that nothing is left. There are
// no sleeps: tests step the loop until what they wait for has come.

#include <gtest/gtest.h>
#include <uv.h>

#include <deque>
#include <functional>
#include <string>
#include <type_traits>
#include <vector>

#include "broker.h"
#include "memory.h"
#include "probes.h"
#include "rstream/rstream.h"

namespace rstream::test {

using env_settings = std::function<void(rstream_env_options &)>;

struct broker_test : testing::Test {
  uv_loop_t loop;
  counting_allocator memory;
  rstream_env *env = nullptr;
  std::string name;    // of this test's connections
  std::string stream;  // created; deleted at the end
  int release = 0;     // of the broker: 403 is 4.3
  std::deque<std::string> log;
  std::vector<rstream_env *> open_envs;

  void SetUp() override;
  void TearDown() override;

  // Steps the loop until `done()`; at most `seconds`, which no test that passes comes
  // near.
  testing::AssertionResult run_until(const std::function<bool()> &done, int seconds = 30);
  // Steps it while it has something to do at once.
  void run_ready(int turns = 1);

  rstream_env_options env_options();
  rstream_env *open_env(const env_settings &settings = nullptr);
  // What rstream_env_close() returns; env_is_open() tells when it is gone.
  int begin_close_env(rstream_env *e);
  bool env_is_open(const rstream_env *e) const;
  // Closes it and waits.
  void close_env(rstream_env *e);

  // Runs a request to its end: request(&reply). Replies are those of probes.h.
  template <class Reply, class Request>
  Reply ask(Request &&request) {
    Reply reply;
    int rc = request(&reply);
    EXPECT_EQ(rc, 0) << rstream_error_text(rc);
    if (rc < 0) {
      reply.status = rc;
      return reply;
    }
    EXPECT_EQ(reply.calls, 0) << "called back from inside the call";
    EXPECT_TRUE(run_until([&] { return reply.calls > 0; })) << "no answer";
    EXPECT_EQ(reply.calls, 1);
    return reply;
  }

  int create_stream(const std::string &stream,
                    const rstream_stream_options *options = nullptr);
  int delete_stream(const std::string &stream);
  std::string other_stream(const char *suffix) const { return stream + "." + suffix; }

  // Opens a producer, sends `count` numbered bodies, waits until all are confirmed,
  // closes it.
  void publish(const std::string &stream, uint64_t count, uint64_t first = 0);

  // The offset stored under a name on the test's stream.
  value_reply query(const char *reference);
  // A store is never answered, and takes its way through the stream.
  void wait_stored(const char *reference, uint64_t offset);

  rstream_env_stats stats(const rstream_env *e = nullptr) const;
};

}  // namespace rstream::test
