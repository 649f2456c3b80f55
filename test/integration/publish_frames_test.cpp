// Scenario 23: a broker that is told a small frame size never sees a larger frame,
// whatever is published.
#include "publishing.h"
#include "unit/noise.h"

using namespace rstream::test;

namespace {

constexpr uint32_t frame_max = 1024;
constexpr size_t largest_content = frame_max + 4 - 13;  // behind the frame's header

struct way {
  const char *name;
  size_t overhead;  // of one message alone in a frame
  publishing::settings settings;
  const char *filter = nullptr;
};

struct publish_frames : publishing {
  std::vector<std::string> expected;

  void SetUp() override {
    broker_test::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    close_env(env);
    env = open_env([](auto &o) { o.max_frame_bytes = frame_max; });
  }
  int send_filtered(const std::string &body, const char *filter) {
    rstream_message m = message_of(body);
    m.filter_value = filter;
    m.filter_value_size = filter ? strlen(filter) : 0;
    int rc = p->send(m);
    if (rc == 0) expected.push_back(body);
    return rc;
  }
  // 70 small ones, one that fills a frame to the last byte, one that is too large.
  void publish_all(const way &w) {
    SCOPED_TRACE(w.name);
    open(w.settings);
    for (bool opened : {false, true}) {
      if (opened) wait_open();
      for (int i = 0; i < 70; i++)
        ASSERT_EQ(send_filtered(std::string(1, static_cast<char>('0' + i)), w.filter), 0);
      std::string largest = noise(largest_content - w.overhead, 1);
      EXPECT_EQ(send_filtered(largest, w.filter), 0) << rstream_env_error_text(env);
      EXPECT_EQ(send_filtered(largest + "x", w.filter), RSTREAM_EMSGSIZE);
      for (int i = 0; i < 70; i++)
        ASSERT_EQ(send_filtered(noise(static_cast<size_t>(i), 2), w.filter), 0);
    }
    wait_confirmed();
    close_producer();
  }
  void expect_all_is_well() {
    EXPECT_EQ(stored(expected.size()), expected);
    EXPECT_EQ(stats().connections_lost, 0u);
    if (!broker_can_be_disturbed()) return;
    std::string text = broker_log();
    EXPECT_NE(text.find("started"), text.npos) << "this is not the log";
    EXPECT_EQ(text.find("Frame size exceeds"), text.npos);
    EXPECT_EQ(text.find("frame_too_large"), text.npos);
  }
};

publishing::settings sub_entries(rstream_compression c) {
  return [c](rstream_producer_options &o) {
    o.sub_entry_messages = 50;
    o.compression = c;
  };
}

}  // namespace

TEST_F(publish_frames, scenario_23_plain_and_filtered) {
  publish_all({"plain", 12, nullptr});
  publish_all({"filtered", 12 + 2 + 3, nullptr, "abc"});
  publish_all({"small batches", 12, [](auto &o) { o.max_batch_messages = 3; }});
  publish_all({"lingering", 12, [](auto &o) { o.linger_ms = 1; }});
  expect_all_is_well();
}

TEST_F(publish_frames, scenario_23_sub_entries) {
  publish_all({"not compressed", 19 + 4, sub_entries(RSTREAM_COMPRESSION_NONE)});
  for (int c = RSTREAM_COMPRESSION_GZIP; c <= RSTREAM_COMPRESSION_ZSTD; c++) {
    if (!rstream_env_has_compression(env, c)) continue;
    publish_all({"compressed", 19 + 4, sub_entries(static_cast<rstream_compression>(c))});
  }
  expect_all_is_well();
}

TEST_F(publish_frames, scenario_23_sub_entries_of_arrays) {
  open();
  wait_open();
  for (rstream_compression c : {RSTREAM_COMPRESSION_NONE, RSTREAM_COMPRESSION_GZIP}) {
    for (size_t size = 1; size < 400; size += 13) {
      std::string body = noise(size, 3);
      std::vector<rstream_message> three(3, message_of(body));
      size_t bytes = 19 + 3 * (4 + size);
      int rc = send_sub_entry(three, c);
      bool packed = c != RSTREAM_COMPRESSION_NONE;  // the same noise three times
      EXPECT_EQ(rc, bytes <= largest_content || packed ? 0 : RSTREAM_EMSGSIZE) << size;
      for (int i = 0; rc == 0 && i < 3; i++) expected.push_back(body);
    }
  }
  wait_confirmed();
  expect_all_is_well();
}

// Cut anew when the broker's limit is smaller than the one asked for.
TEST_F(publish_frames, scenario_23_frames_made_before_the_limit_was_known) {
  NEEDS_DISTURBANCE();
  broker_eval("application:set_env(rabbitmq_stream, frame_max, 1024).");
  close_env(env);
  env = open_env();
  for (rstream_compression c : {RSTREAM_COMPRESSION_NONE, RSTREAM_COMPRESSION_GZIP}) {
    open(sub_entries(c));
    for (int i = 0; i < 300; i++)
      ASSERT_EQ(send_filtered(noise(static_cast<size_t>(i), 4), nullptr), 0);
    wait_confirmed();
    close_producer();
  }
  open();
  for (int i = 0; i < 300; i++)
    ASSERT_EQ(send_filtered(noise(static_cast<size_t>(i), 5), i % 3 ? "x" : nullptr), 0);
  wait_confirmed();
  broker_eval("application:set_env(rabbitmq_stream, frame_max, 1048576).");
  expect_all_is_well();
}
