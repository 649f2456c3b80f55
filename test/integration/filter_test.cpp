// Filters: the broker leaves out chunks, the callback what must be exact.
#include "consuming.h"

using namespace rstream::test;

namespace {

struct filter : consuming {
  // A chunk of its own: one message for each of these values, "" being none. The bodies
  // begin with the value.
  void publish_values(const std::vector<std::string> &values) {
    producer_probe p;
    ASSERT_EQ(p.open(env, stream), 0);
    ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
    for (const std::string &value : values) {
      std::string body = value + ":" + std::to_string(published++);
      rstream_message m = message_of(body);
      m.filter_value = value.empty() ? nullptr : value.data();
      m.filter_value_size = value.size();
      ASSERT_EQ(p.send(m), 0);
    }
    ASSERT_TRUE(run_until([&] { return p.all_told(); }));
    ASSERT_EQ(p.confirmed(), values.size());
    ASSERT_EQ(p.close(), 0);
    ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
  }

  struct wish {
    std::vector<const char *> values;
    bool unfiltered = false;
    rstream_message_filter_cb exact = nullptr;
    const char *name = nullptr;
  };
  // What a consumer with these filters gets, up to the last message, which must be one of
  // them.
  std::string read(consumer_probe &c, const wish &w,
                   consumer_probe::mode how = consumer_probe::by_message) {
    c.keep_bodies = true;
    EXPECT_EQ(c.open(env, stream, how,
                     [&](rstream_consumer_options &o) {
                       o.offset_type = RSTREAM_OFFSET_FIRST;
                       o.filter_values = w.values.data();
                       o.filter_value_count = w.values.size();
                       o.match_unfiltered = w.unfiltered;
                       o.on_filter = w.exact;
                       o.name = w.name;
                       o.store_every_messages = UINT32_MAX;
                     }),
              0);
    std::string last = ":" + std::to_string(published - 1);
    EXPECT_TRUE(run_until([&] {
      return c.ended || (!c.bodies.empty() && c.bodies.back().ends_with(last));
    }));
    std::string text;
    for (const std::string &body : c.bodies) text += (text.empty() ? "" : " ") + body;
    return text;
  }
  std::string read(const wish &w) {
    consumer_probe c;
    return read(c, w);
  }
};

int is_emea(const rstream_message_view *m, void *) {
  return m->body_size >= 5 && memcmp(m->body, "emea:", 5) == 0;
}
int is_emea_or_none(const rstream_message_view *m, void *user) {
  return m->body[0] == ':' || is_emea(m, user);
}

}  // namespace

TEST_F(filter, scenario_87_the_broker_leaves_out_other_chunks) {
  publish_values({"emea", "emea"});
  publish_values({"apac"});
  publish_values({"", ""});
  publish_values({"amer"});
  publish_values({"emea"});
  EXPECT_EQ(read({{"emea"}}), "emea:0 emea:1 emea:6");
  EXPECT_EQ(read({{"emea"}, true}), "emea:0 emea:1 :3 :4 emea:6");
  EXPECT_EQ(read({{"apac", "emea"}}), "emea:0 emea:1 apac:2 emea:6");
  EXPECT_EQ(read({{}}), "emea:0 emea:1 apac:2 :3 :4 amer:5 emea:6");
}

// A chunk is chosen whole: the callback decides about each of its messages.
TEST_F(filter, scenario_87_the_callback_is_exact_within_a_chunk) {
  publish_values({"emea", "apac", "", "emea"});
  publish_values({"apac", ""});
  publish_values({"emea"});
  for (auto how : {consumer_probe::by_message, consumer_probe::by_chunk}) {
    {
      consumer_probe c;
      EXPECT_EQ(read(c, {{"emea"}, false, is_emea}, how), "emea:0 emea:3 emea:6");
    }
    {
      consumer_probe c;
      EXPECT_EQ(read(c, {{"emea"}, true, is_emea_or_none}, how),
                "emea:0 :2 emea:3 :5 emea:6");
    }
  }
}

// A Bloom filter of 16 bytes with forty values in it has most of its bits set; on a busy
// machine the broker may make several chunks of the forty. Five are "emea", all others
// are false positives.
TEST_F(filter, scenario_87_false_positives_are_filtered_out) {
  for (int chunk = 0; chunk < 20; chunk++) {
    std::vector<std::string> values;
    for (int i = 0; i < 40; i++) values.push_back(std::to_string(chunk * 40 + i));
    publish_values(values);
    if (chunk % 5 == 0) publish_values({"emea"});
  }
  publish_values({"emea"});
  consumer_probe all;
  read(all, {{"emea"}});
  EXPECT_GT(all.messages, 5u) << "no false positive: the test shows nothing";
  EXPECT_LT(all.messages, published) << "the broker left out nothing";
  consumer_probe exact;
  EXPECT_EQ(read(exact, {{"emea"}, false, is_emea}),
            "emea:40 emea:241 emea:442 emea:643 emea:804");
  rstream_consumer_stats s = exact.stats();
  EXPECT_EQ(s.messages, 5u);
  EXPECT_EQ(s.messages_filtered + s.messages, all.messages);
}

// Nothing that was left out, by whomever, comes again or is waited for.
TEST_F(filter, scenario_87_stored_offsets_cover_what_was_filtered_out) {
  publish_values({"emea", "apac"});
  publish_values({"apac"});
  publish_values({"apac", "apac", "emea"});
  {
    consumer_probe c;
    EXPECT_EQ(read(c, {{"emea"}, false, is_emea, "app"}), "emea:0 emea:5");
    EXPECT_EQ(c.stats().finished_offset, 6u);
    close(c);
  }
  wait_stored("app", 5);
  publish_values({"apac", "emea"});
  consumer_probe c;
  EXPECT_EQ(read(c, {{"emea"}, false, is_emea, "app"}), "emea:7");
}

// The broker sends it, as without filter values.
TEST_F(filter, scenario_87_a_chunk_of_which_the_callback_wants_nothing_is_finished_too) {
  publish_values({"emea"});
  publish_values({"apac", "apac"});
  consumer_probe c;
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_message,
                   [](rstream_consumer_options &o) {
                     named("app")(o);
                     o.on_filter = is_emea;
                     o.store_every_messages = UINT32_MAX;
                   }),
            0);
  ASSERT_TRUE(run_until([&] { return c.stats().finished_offset == 3; }));
  EXPECT_EQ(c.messages, 1u);
  close(c);
  wait_stored("app", 2);
}

// The last chunk that matches is not the last one that was committed.
TEST_F(filter, messages_behind_count_chunks_that_the_broker_leaves_out) {
  publish_values({"emea"});
  publish_values({"apac"});
  consumer_probe c;
  const char *values[] = {"emea"};
  ASSERT_EQ(c.open(env, stream, consumer_probe::by_message,
                   [&](rstream_consumer_options &o) {
                     o.offset_type = RSTREAM_OFFSET_FIRST;
                     o.filter_values = values;
                     o.filter_value_count = 1;
                   }),
            0);
  ASSERT_TRUE(run_until([&] { return c.messages == 1; }));
  EXPECT_EQ(c.stats().committed_chunk_id, 1u);
  EXPECT_TRUE(c.caught_up.empty());
  publish_values({"emea"});
  ASSERT_TRUE(run_until([&] { return !c.caught_up.empty(); }));
  EXPECT_EQ(c.caught_up, std::vector<uint64_t>({3}));
}
