// Every way to publish, on a real broker: what it stores of it, and what it tells.
#include <atomic>
#include <thread>

#include "publishing.h"

using namespace rstream::test;

namespace {

struct publish_ways : publishing {
  // Stored under that name, says the broker.
  uint64_t sequence(const char *producer) {
    auto reply = ask<value_reply>([&](auto *r) {
      return rstream_query_publisher_sequence(env, producer, stream.c_str(),
                                              value_reply::on, r);
    });
    EXPECT_EQ(reply.status, 0);
    return reply.value;
  }
  std::vector<rstream_compression> compressions() const {
    std::vector<rstream_compression> all;
    for (int c = RSTREAM_COMPRESSION_NONE; c <= RSTREAM_COMPRESSION_ZSTD; c++) {
      if (rstream_env_has_compression(env, c))
        all.push_back(static_cast<rstream_compression>(c));
    }
    return all;
  }
};

std::string data_of(const std::string &message) {
  rstream_amqp_value data;
  int rc = rstream_amqp_find_section(message.data(), message.size(),
                                     RSTREAM_AMQP_SECTION_DATA, &data);
  if (rc != 1) return "no data: " + std::to_string(rc);
  return {static_cast<const char *>(data.as.bytes), data.size};
}

}  // namespace

// ---- scenario 9: names and ids

TEST_F(publish_ways, scenario_09_the_first_message_under_a_fresh_name_is_stored) {
  open_named("app");
  ASSERT_EQ(p->send("a"), 0);  // before it is open
  wait_confirmed();
  EXPECT_EQ(rstream_producer_stored_sequence(p->handle), 0u);
  EXPECT_EQ(rstream_producer_id_base(p->handle), 0u);
  EXPECT_EQ(sequence("app"), 1u);
  close_producer();
  open_named("other", true);
  ASSERT_EQ(p->send(with_id("b", 1)), 0);
  wait_confirmed();
  EXPECT_EQ(joined(stored(2)), "a b");
}

TEST_F(publish_ways, scenario_09_the_first_id_is_the_stored_one_and_1) {
  std::string expected;
  for (uint64_t before : {0u, 3u, 6u}) {
    open_named("app");
    for (int i = 0; i < 3; i++) {
      std::string body = std::to_string(before) + '.' + std::to_string(i);
      expected += (expected.empty() ? "" : " ") + body;
      ASSERT_EQ(p->send(body), 0);
      if (i == 0) wait_open();
    }
    wait_confirmed();
    EXPECT_EQ(rstream_producer_stored_sequence(p->handle), before);
    EXPECT_EQ(rstream_producer_id_base(p->handle), before);
    close_producer();
    EXPECT_EQ(sequence("app"), before + 3);
  }
  EXPECT_EQ(joined(stored(9)), expected);
}

TEST_F(publish_ways, scenario_09_what_was_stored_before_a_restart_is_not_stored_again) {
  open_named("app", true);
  for (uint64_t id : {10u, 20u, 30u}) ASSERT_EQ(p->send(with_id("first", id)), 0);
  wait_confirmed();
  close_producer();
  open_named("app", true);
  ASSERT_EQ(p->send(with_id("again", 10)), 0);
  wait_open();
  EXPECT_EQ(rstream_producer_stored_sequence(p->handle), 30u);
  EXPECT_EQ(rstream_producer_id_base(p->handle), 0u);
  for (uint64_t id : {20u, 30u}) ASSERT_EQ(p->send(with_id("again", id)), 0);
  for (uint64_t id : {31u, 40u}) ASSERT_EQ(p->send(with_id("new", id)), 0);
  wait_confirmed();
  EXPECT_EQ(p->sent, 5u);
  EXPECT_EQ(joined(stored(5)), "first first first new new");
  EXPECT_EQ(sequence("app"), 40u);
}

// The last id of a sub-entry decides.
TEST_F(publish_ways, sub_entries_are_dropped_or_stored_whole) {
  open_named("app", true);
  ASSERT_EQ(p->send(with_id("a", 10)), 0);
  wait_confirmed();
  ASSERT_EQ(
      send_sub_entry({with_id("b", 11), with_id("c", 15)}, RSTREAM_COMPRESSION_NONE), 0);
  wait_confirmed();
  EXPECT_EQ(sequence("app"), 15u);
  close_producer();
  open_named("app", true);
  ASSERT_EQ(
      send_sub_entry({with_id("d", 14), with_id("e", 15)}, RSTREAM_COMPRESSION_GZIP), 0);
  wait_confirmed();
  ASSERT_EQ(
      send_sub_entry({with_id("f", 16), with_id("g", 20)}, RSTREAM_COMPRESSION_GZIP), 0);
  wait_confirmed();
  EXPECT_EQ(joined(stored(5)), "a b c f g");
}

TEST_F(publish_ways, one_name_is_open_once_on_a_stream) {
  open_named("app");
  producer_probe second;
  auto named = [](rstream_producer_options &o) { o.name = "app"; };
  EXPECT_EQ(second.open(env, stream, named), RSTREAM_EBUSY);
  close_producer();
  EXPECT_EQ(second.open(env, stream, named), 0);
}

// ---- bodies

TEST_F(publish_ways, amqp_bodies_of_every_length_of_header) {
  open([](rstream_producer_options &o) { o.codec = RSTREAM_CODEC_AMQP; });
  const size_t sizes[] = {0, 1, 255, 256, 65535, 65536, 1048576 - 21 - 8};
  for (size_t size : sizes) ASSERT_EQ(p->send(std::string(size, 'x')), 0) << size;
  EXPECT_EQ(p->send(std::string(1048576 - 21 - 7, 'x')), RSTREAM_EMSGSIZE);
  wait_confirmed();
  std::vector<std::string> all = stored(std::size(sizes));
  ASSERT_EQ(all.size(), std::size(sizes));
  for (size_t i = 0; i < all.size(); i++) {
    EXPECT_EQ(all[i].size(), sizes[i] + (sizes[i] < 256 ? 5 : 8));
    EXPECT_EQ(data_of(all[i]), std::string(sizes[i], 'x'));
  }
}

TEST_F(publish_ways, amqp_sections_in_entries_of_each_kind) {
  rstream_amqp_properties properties;
  rstream_amqp_properties_init(&properties);
  rstream_amqp_pair color = {rstream_amqp_string("color"), rstream_amqp_string("red")};
  rstream_amqp_sections sections;
  rstream_amqp_sections_init(&sections);
  sections.properties = &properties;
  sections.application_properties = &color;
  sections.application_property_count = 1;
  rstream_message m = message_of("body");
  m.amqp = &sections;
  uint64_t number = 0;
  auto send_some = [&] {
    for (int i = 0; i < 50; i++) {
      properties.message_id = rstream_amqp_ulong(number++);
      m.filter_value = number % 2 ? "odd" : nullptr;
      m.filter_value_size = number % 2 ? 3 : 0;
      if (number > 50) m.filter_value = nullptr;
      ASSERT_EQ(p->send(m), 0) << rstream_env_error_text(env);
    }
    wait_confirmed();
    close_producer();
  };
  open();
  send_some();
  for (rstream_compression c : compressions()) {
    open([&](rstream_producer_options &o) {
      o.sub_entry_messages = 7;
      o.compression = c;
    });
    send_some();
  }
  std::vector<std::string> all = stored(number);
  for (size_t i = 0; i < all.size(); i++) {
    rstream_amqp_value id, value;
    ASSERT_EQ(rstream_amqp_find_property(all[i].data(), all[i].size(),
                                         RSTREAM_AMQP_MESSAGE_ID, &id),
              1);
    EXPECT_EQ(id.as.u, i);
    ASSERT_EQ(rstream_amqp_find_application_property(all[i].data(), all[i].size(),
                                                     "color", &value),
              1);
    EXPECT_EQ(rstream_amqp_is_text(&value, "red"), 1);
    EXPECT_EQ(data_of(all[i]), "body");
  }
}

// ---- filter values

// The first byte behind "OSIL v0" tells a chunk, its last number the bytes of the filter.
TEST_F(publish_ways, filter_values_reach_the_stream) {
  NEEDS_DISTURBANCE();
  auto filter_bytes = [&] {
    std::string found = broker_eval(
        "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"" + stream +
        "\">>)), #{name := N} = amqqueue:get_type_state(Q), "
        "{ok, D} = application:get_env(osiris, data_dir), "
        "[F | _] = lists:sort(filelib:wildcard(filename:join([D, N, \"*.segment\"]))), "
        "{ok, B} = file:read_file(F), binary:at(B, 8 + 44).");
    return found;
  };
  open();
  rstream_message m = message_of("filtered");
  m.filter_value = "emea";
  m.filter_value_size = 4;
  for (int i = 0; i < 10; i++) ASSERT_EQ(p->send(m), 0);
  wait_confirmed();
  EXPECT_EQ(filter_bytes(), "{ok, 16}");
  close_producer();
  EXPECT_EQ(delete_stream(stream), 0);
  ASSERT_EQ(create_stream(stream), 0);
  open();
  ASSERT_EQ(p->send("plain"), 0);
  wait_confirmed();
  EXPECT_EQ(filter_bytes(), "{ok, 0}");
}

TEST_F(publish_ways, filtered_and_unfiltered_messages_keep_their_order) {
  open([](rstream_producer_options &o) {
    o.on_filter_value = [](const rstream_message *, const char **value, size_t *size,
                           void *user) {
      *value = "region";
      *size = 1 + static_cast<producer_probe *>(user)->sent % 6;
      return static_cast<producer_probe *>(user)->sent % 3 ? 1 : 0;
    };
  });
  std::string expected;
  for (int i = 0; i < 2000; i++) {
    std::string body = std::to_string(i);
    expected += (i ? " " : "") + body;
    ASSERT_EQ(p->send(body), 0);
  }
  wait_confirmed();
  EXPECT_EQ(joined(stored(2000)), expected);
}

// ---- sub-entries

TEST_F(publish_ways, sub_entries_come_back_message_by_message) {
  constexpr size_t each = 5000;
  std::vector<std::string> expected;
  for (rstream_compression c : compressions()) {
    SCOPED_TRACE(static_cast<int>(c));
    open([&](rstream_producer_options &o) {
      o.sub_entry_messages = 100;
      o.compression = c;
    });
    uint64_t next = 0;
    p->on_writable = [&] {
      while (next < each && p->send("message " + std::to_string(expected.size())) == 0) {
        next++;
        expected.push_back("message " + std::to_string(expected.size()));
      }
    };
    p->on_writable();
    ASSERT_TRUE(run_until([&] { return p->told == each; }));
    wait_confirmed();
    close_producer();
  }
  std::vector<rstream_chunk_info> infos;
  EXPECT_EQ(stored(expected.size(), &infos), expected);
  uint64_t entries = 0;
  for (const rstream_chunk_info &info : infos) entries += info.entry_count;
  EXPECT_LT(entries, expected.size() / 20) << "they are stored as sub-entries";
}

TEST_F(publish_ways, sub_entries_of_an_array_among_other_messages) {
  open();
  std::string expected;
  auto add = [&](const std::string &body) {
    expected += (expected.empty() ? "" : " ") + body;
  };
  for (rstream_compression c : compressions()) {
    ASSERT_EQ(p->send("plain"), 0);
    add("plain");
    std::vector<std::string> bodies;
    for (size_t i = 0; i < 300; i++) bodies.push_back(std::to_string(i));
    std::vector<rstream_message> messages;
    for (const std::string &body : bodies) messages.push_back(message_of(body));
    ASSERT_EQ(send_sub_entry(messages, c), 0);
    for (const std::string &body : bodies) add(body);
  }
  wait_confirmed();
  std::vector<rstream_chunk_info> infos;
  EXPECT_EQ(joined(stored(compressions().size() * 301, &infos)), expected);
}

TEST_F(publish_ways, the_largest_sub_entry) {
  open([](rstream_producer_options &o) { o.max_messages_in_flight = 200000; });
  ASSERT_EQ(p->send("small"), 0);
  std::vector<rstream_message> all(65535, message_of("x"));
  ASSERT_EQ(send_sub_entry(all, RSTREAM_COMPRESSION_NONE), 0);
  ASSERT_EQ(send_sub_entry(all, RSTREAM_COMPRESSION_GZIP), 0);
  wait_confirmed();
  EXPECT_EQ(stored(1 + 2 * 65535).size(), size_t{1 + 2 * 65535});
}

// ---- many, one, and waiting

TEST_F(publish_ways, many_at_once) {
  open([](rstream_producer_options &o) { o.max_messages_in_flight = 700; });
  wait_open();
  std::vector<std::string> bodies;
  for (int i = 0; i < 3000; i++) bodies.push_back(std::to_string(i));
  std::vector<rstream_message> messages;
  for (size_t i = 0; i < bodies.size(); i++)
    messages.push_back(i == 1000 ? told_message(bodies[i]) : message_of(bodies[i]));
  size_t next = 0;
  p->on_writable = [&] {
    while (next < messages.size()) {
      uint64_t first_id = 0;
      int n = rstream_producer_send_many(p->handle, &messages[next],
                                         messages.size() - next, &first_id);
      if (n == RSTREAM_EAGAIN) return;
      ASSERT_GT(n, 0);
      p->took(first_id, static_cast<size_t>(n));
      next += static_cast<size_t>(n);
    }
  };
  p->on_writable();
  EXPECT_EQ(next, 700u);
  ASSERT_TRUE(run_until([&] { return next == 3000 && p->all_told(); }));
  EXPECT_EQ(told, "1001:0 ");
  wait_confirmed();
  EXPECT_EQ(stored(3000), bodies);
}

// An environment that has its own loop, as a program without one uses it.
TEST_F(publish_ways, sending_and_waiting) {
  rstream_env_options o = env_options();
  rstream_env *own = nullptr;
  ASSERT_EQ(rstream_env_create(&own, nullptr, &o), 0);
  rstream_producer_options po;
  rstream_producer_options_init(&po);
  po.stream = stream.c_str();
  po.linger_ms = 1;
  rstream_producer *producer = nullptr;
  ASSERT_EQ(rstream_producer_open(&producer, own, &po), 0);
  std::string expected;
  for (int i = 0; i < 50; i++) {
    std::string body = "waited" + std::to_string(i);
    expected += (i ? " " : "") + body;
    rstream_message m = told_message(body);
    uint64_t id = 0;
    ASSERT_EQ(rstream_producer_send_wait(producer, &m, 30000, &id), 0);
    EXPECT_EQ(id, static_cast<uint64_t>(i) + 1);
  }
  EXPECT_EQ(told.substr(0, 8), "1:0 2:0 ");
  EXPECT_EQ(std::count(told.begin(), told.end(), ' '), 50);
  bool closed = false;
  auto on_closed = [](rstream_env *, void *user) { *static_cast<bool *>(user) = true; };
  ASSERT_EQ(rstream_env_close(own, on_closed, &closed), 0);
  while (rstream_env_run(own, -1) != RSTREAM_ECLOSED) continue;
  EXPECT_TRUE(closed);
  EXPECT_EQ(joined(stored(50)), expected);
}

TEST_F(publish_ways, waiting_for_a_message_that_the_broker_refuses) {
  rstream_env_options o = env_options();
  rstream_env *own = nullptr;
  ASSERT_EQ(rstream_env_create(&own, nullptr, &o), 0);
  rstream_producer_options po;
  rstream_producer_options_init(&po);
  std::string missing = other_stream("missing");
  po.stream = missing.c_str();
  rstream_producer *producer = nullptr;
  ASSERT_EQ(rstream_producer_open(&producer, own, &po), 0);
  rstream_message m = told_message("x");
  EXPECT_EQ(rstream_producer_send_wait(producer, &m, 30000, nullptr),
            RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_EQ(told, "1:-21002 ");
  EXPECT_EQ(rstream_producer_send_wait(producer, &m, 30000, nullptr), RSTREAM_ECLOSED);
  ASSERT_EQ(rstream_env_close(own, nullptr, nullptr), 0);
  while (rstream_env_run(own, -1) != RSTREAM_ECLOSED) continue;
}

// ---- scenario 10: threads

namespace {

constexpr int threads = 8;
constexpr int posts = 2000;

struct post {
  struct race *race;
  int thread;
  int number;
};

struct race {
  publishing *t;
  rstream_env *env;
  std::vector<std::string> sent;  // by id
  std::vector<post> refused;      // the window was full: later
  std::vector<std::vector<post>> all;

  int send(const post &one) {
    std::string body = std::to_string(one.thread) + ':' + std::to_string(one.number);
    int rc = t->p->send(body);
    if (rc == 0) sent.push_back(body);
    return rc;
  }
  static void run(rstream_env *, void *arg) {
    auto *one = static_cast<post *>(arg);
    race &r = *one->race;
    // Behind those that were refused, so that each thread's messages keep their order.
    if (!r.refused.empty() || r.send(*one) != 0) r.refused.push_back(*one);
  }
};

}  // namespace

TEST_F(publish_ways, scenario_10_eight_threads_publish_in_the_order_of_ids) {
  open([](rstream_producer_options &o) {
    o.name = "app";
    o.max_messages_in_flight = 1000;
  });
  race r{this, env, {}, {}, {}};
  r.all.resize(threads);
  for (int t = 0; t < threads; t++) {
    for (int i = 0; i < posts; i++) r.all[static_cast<size_t>(t)].push_back({&r, t, i});
  }
  p->on_writable = [&] {
    size_t done = 0;
    while (done < r.refused.size() && r.send(r.refused[done]) == 0) done++;
    r.refused.erase(r.refused.begin(), r.refused.begin() + static_cast<ptrdiff_t>(done));
  };
  std::atomic<int> failed{0};
  std::vector<std::thread> running;
  for (auto &mine : r.all) {
    running.emplace_back([&] {
      for (post &one : mine) failed += rstream_env_post(r.env, race::run, &one) != 0;
    });
  }
  constexpr size_t count = threads * posts;
  EXPECT_TRUE(run_until([&] { return r.sent.size() == count && p->all_told(); }));
  for (std::thread &t : running) t.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(p->writable, 0);
  wait_confirmed();
  EXPECT_EQ(p->confirmed(), count);
  // The k-th message stored has id k + 1.
  EXPECT_EQ(stored(count), r.sent);
  EXPECT_EQ(sequence("app"), count);
  std::vector<int> next(threads, 0);
  for (const std::string &body : r.sent) {
    auto thread = static_cast<size_t>(body[0] - '0');
    EXPECT_EQ(body.substr(2), std::to_string(next[thread]++));
  }
}

// ---- scenario 45: asking, sending and flushing from within callbacks

TEST_F(publish_ways, scenario_45_everything_may_be_called_from_callbacks) {
  value_reply first, second;
  int flushed = 0;
  auto on_flushed = [](rstream_producer *, int status, void *user) {
    EXPECT_EQ(status, 0);
    ++*static_cast<int *>(user);
  };
  p->on_state = [&](const rstream_state *) {
    EXPECT_EQ(rstream_query_publisher_sequence(env, "app", stream.c_str(),
                                               value_reply::on, &first),
              0);
    ASSERT_EQ(p->send("from on_state"), 0);
  };
  p->on_confirm = [&](const rstream_confirms *) {
    // The outcome of "a": its own callback came first, and has sent.
    if (p->sent == 3 && p->told == 2) {
      EXPECT_EQ(rstream_query_publisher_sequence(env, "app", stream.c_str(),
                                                 value_reply::on, &second),
                0);
      ASSERT_EQ(p->send("from on_confirm"), 0);
      EXPECT_EQ(rstream_producer_flush(p->handle, on_flushed, &flushed), 0);
      rstream_message m = message_of("never");
      EXPECT_EQ(rstream_producer_send_wait(p->handle, &m, 1000, nullptr), RSTREAM_EBUSY);
    }
  };
  open_named("app");
  ASSERT_TRUE(run_until([&] { return p->opened > 0; }));
  struct sender {
    publish_ways *t;
    static void on(rstream_producer *, uint64_t, int, void *user) {
      auto *s = static_cast<sender *>(user);
      ASSERT_EQ(s->t->p->send("from on_outcome"), 0);
    }
  } own{this};
  rstream_message m = message_of("a");
  m.on_outcome = sender::on;
  m.outcome_user = &own;
  ASSERT_TRUE(run_until([&] { return p->all_told(); }));
  ASSERT_EQ(p->send(m), 0);
  ASSERT_TRUE(
      run_until([&] { return p->all_told() && flushed && first.calls && second.calls; }));
  EXPECT_EQ(first.status, 0);
  EXPECT_EQ(second.status, 0);
  EXPECT_GE(second.value, 1u);
  wait_confirmed();
  EXPECT_EQ(p->sent, 4u);
  EXPECT_EQ(stored(4).size(), 4u);
}
