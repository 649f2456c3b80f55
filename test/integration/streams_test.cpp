// Creating, deleting and looking up streams.
#include "fixture.h"

using namespace rstream::test;

namespace {

struct streams : broker_test {
  // Streams made by the test, deleted at its end.
  std::vector<std::string> made;

  int make(const std::string &s, const rstream_stream_options *options = nullptr) {
    int rc = create_stream(s, options);
    if (rc == 0) made.push_back(s);
    return rc;
  }

  void TearDown() override {
    for (const std::string &s : made) delete_stream(s);
    broker_test::TearDown();
  }

  int exists(const std::string &s) {
    auto reply = ask<exists_reply>([&](auto *r) {
      return rstream_stream_exists(env, s.c_str(), exists_reply::on, r);
    });
    EXPECT_EQ(reply.status, 0);
    return reply.exists;
  }

  stats_reply stream_stats(const std::string &s) {
    return ask<stats_reply>([&](auto *r) {
      return rstream_stream_stats(env, s.c_str(), stats_reply::on, r);
    });
  }
};

using set_argument = void (*)(rstream_stream_options &);

struct argument {
  const char *name;
  set_argument set;
  bool compared;  // by every broker, when a stream is created again
};

const argument arguments[] = {
    {"max_length", [](rstream_stream_options &o) { o.max_length_bytes = 5000000000; },
     true},
    {"max_age", [](rstream_stream_options &o) { o.max_age = "6h"; }, true},
    {"segment", [](rstream_stream_options &o) { o.max_segment_bytes = 3000000000; },
     true},
    {"cluster_size", [](rstream_stream_options &o) { o.initial_cluster_size = 1; },
     false},
    {"locator", [](rstream_stream_options &o) { o.leader_locator = "balanced"; }, false},
    {"filter_size", [](rstream_stream_options &o) { o.filter_size_bytes = 255; }, false},
};

}  // namespace

// The broker tells the same arguments (5) from others (17), and so shows that they
// arrived.
TEST_F(streams, create_with_each_argument) {
  for (const argument &a : arguments) {
    SCOPED_TRACE(a.name);
    rstream_stream_options o;
    rstream_stream_options_init(&o);
    a.set(o);
    std::string s = other_stream(a.name);
    EXPECT_EQ(make(s, &o), 0);
    EXPECT_EQ(make(s, &o), RSTREAM_BROKER_STREAM_EXISTS);
    if (a.compared) {
      EXPECT_EQ(make(s), RSTREAM_BROKER_PRECONDITION_FAILED);
    }
    publish(s, 3);
  }
}

TEST_F(streams, create_with_all_arguments) {
  rstream_stream_options o;
  rstream_stream_options_init(&o);
  for (const argument &a : arguments) a.set(o);
  std::string s = other_stream("all");
  EXPECT_EQ(make(s, &o), 0);
  EXPECT_EQ(make(s, &o), RSTREAM_BROKER_STREAM_EXISTS);
  publish(s, 3);
}

TEST_F(streams, every_argument_arrives_at_the_broker) {
  NEEDS_DISTURBANCE();
  rstream_stream_options o;
  rstream_stream_options_init(&o);
  for (const argument &a : arguments) a.set(o);
  std::string s = other_stream("all");
  ASSERT_EQ(make(s, &o), 0);
  std::string found = broker_eval(
      "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"" + s +
      "\">>)), [{binary_to_list(K), case V of _ when is_binary(V) -> binary_to_list(V); "
      "_ -> V end} || {K, _, V} <- amqqueue:get_arguments(Q)].");
  for (const char *expected :
       {"{\"x-max-length-bytes\", 5000000000}", "{\"x-max-age\", \"6h\"}",
        "{\"x-stream-max-segment-size-bytes\", 3000000000}",
        "{\"x-initial-cluster-size\", 1}", "{\"x-queue-leader-locator\", \"balanced\"}",
        "{\"x-stream-filter-size-bytes\", 255}"}) {
    EXPECT_NE(found.find(expected), std::string::npos)
        << expected << " is not in " << found;
  }
}

TEST_F(streams, bad_arguments) {
  rstream_stream_options o;
  auto refused = [&](set_argument set) {
    rstream_stream_options_init(&o);
    set(o);
    return rstream_stream_create(env, other_stream("bad").c_str(), &o, result_reply::on,
                                 nullptr);
  };
  EXPECT_EQ(refused([](auto &bad) { bad.max_age = "six hours"; }), RSTREAM_EINVAL);
  EXPECT_NE(std::string(rstream_env_error_text(env)).find("max_age"), std::string::npos);
  EXPECT_EQ(refused([](auto &bad) { bad.filter_size_bytes = 15; }), RSTREAM_EINVAL);
  EXPECT_EQ(refused([](auto &bad) { bad.max_segment_bytes = 3000000001; }),
            RSTREAM_EINVAL);
  // What the library does not know, the broker refuses.
  rstream_stream_options_init(&o);
  o.leader_locator = "nowhere";
  auto reply = ask<result_reply>([&](auto *r) {
    return rstream_stream_create(env, other_stream("bad").c_str(), &o, result_reply::on,
                                 r);
  });
  EXPECT_EQ(reply.status, RSTREAM_BROKER_PRECONDITION_FAILED);
  EXPECT_EQ(reply.text, "precondition failed");
}

TEST_F(streams, create_again) {
  EXPECT_EQ(create_stream(stream), RSTREAM_BROKER_STREAM_EXISTS);
  rstream_stream_options o;
  rstream_stream_options_init(&o);
  o.max_length_bytes = 1000000;
  EXPECT_EQ(create_stream(stream, &o), RSTREAM_BROKER_PRECONDITION_FAILED);
}

TEST_F(streams, names) {
  EXPECT_EQ(create_stream("amq.of-the-broker"), RSTREAM_BROKER_PRECONDITION_FAILED);
  // The longest name is only asked for: RabbitMQ 4.0 accepts it in Create, and from then
  // on tries for ever to make a folder whose name is too long.
  std::string longest = stream + std::string(255 - stream.size(), 'x');
  EXPECT_EQ(exists(longest), 0);
  EXPECT_EQ(make(longest.substr(0, 200)), 0);
  publish(made.back(), 1);
  EXPECT_EQ(make(other_stream("na\xc3\xafve / %2f \"quoted\"")), 0);
  publish(made.back(), 1);
  auto refused = [&](const char *s) {
    return rstream_stream_create(env, s, nullptr, result_reply::on, nullptr);
  };
  EXPECT_EQ(refused((longest + "x").c_str()), RSTREAM_EINVAL);
  EXPECT_NE(std::string(rstream_env_error_text(env)).find("256"), std::string::npos)
      << rstream_env_error_text(env);
  EXPECT_EQ(refused(""), RSTREAM_EINVAL);
  EXPECT_EQ(refused(nullptr), RSTREAM_EINVAL);
}

TEST_F(streams, delete_and_exists) {
  EXPECT_EQ(exists(stream), 1);
  EXPECT_EQ(delete_stream(stream), 0);
  EXPECT_EQ(exists(stream), 0);
  EXPECT_EQ(delete_stream(stream), RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

TEST_F(streams, an_answer_needs_a_callback) {
  EXPECT_EQ(rstream_stream_create(env, "x", nullptr, nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_delete(env, "x", nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_exists(env, "x", nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_stream_stats(env, "x", nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_query_offset(env, "x", "x", nullptr, nullptr), RSTREAM_EINVAL);
  EXPECT_EQ(rstream_query_publisher_sequence(env, "x", "x", nullptr, nullptr),
            RSTREAM_EINVAL);
}

TEST_F(streams, metadata_of_several_with_a_missing_one) {
  std::string second = other_stream("second");
  std::string missing = other_stream("missing");
  ASSERT_EQ(make(second), 0);
  publish(second, 1);  // it has a leader now
  publish(stream, 1);
  const char *names[] = {stream.c_str(), missing.c_str(), second.c_str()};
  auto reply = ask<metadata_reply>([&](auto *r) {
    return rstream_stream_metadata(env, names, 3, metadata_reply::on, r);
  });
  ASSERT_EQ(reply.status, 0);
  ASSERT_EQ(reply.streams.size(), 3u);
  for (const std::string &s : {stream, second}) {
    const metadata_reply::stream &info = reply.streams[s];
    EXPECT_EQ(info.status, 0);
    EXPECT_TRUE(info.has_leader);
    EXPECT_FALSE(info.host.empty());
    EXPECT_GT(info.port, 0u);
    EXPECT_EQ(info.replicas, 0u);
  }
  EXPECT_EQ(reply.streams[missing].status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_FALSE(reply.streams[missing].has_leader);
  EXPECT_EQ(rstream_stream_metadata(env, names, 0, metadata_reply::on, nullptr),
            RSTREAM_EINVAL);
}

TEST_F(streams, metadata_of_a_thousand) {
  std::vector<std::string> names;
  std::vector<const char *> pointers;
  for (int i = 0; i < 1000; i++) names.push_back(other_stream(std::to_string(i).c_str()));
  names[500] = stream;
  for (const std::string &s : names) pointers.push_back(s.c_str());
  auto reply = ask<metadata_reply>([&](auto *r) {
    return rstream_stream_metadata(env, pointers.data(), pointers.size(),
                                   metadata_reply::on, r);
  });
  ASSERT_EQ(reply.status, 0);
  EXPECT_EQ(reply.streams.size(), 1000u);
  EXPECT_EQ(reply.streams[stream].status, 0);
  EXPECT_EQ(reply.streams[names[501]].status, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

TEST_F(streams, statistics_before_and_after_publishing) {
  stats_reply empty = stream_stats(stream);
  ASSERT_EQ(empty.status, 0);
  EXPECT_EQ(empty.statistics.first_chunk_id, -1);
  EXPECT_EQ(empty.statistics.committed_chunk_id, -1);
  EXPECT_EQ(empty.statistics.last_chunk_id, -1);
  publish(stream, 100);
  publish(stream, 1, 100);
  stats_reply filled = stream_stats(stream);
  ASSERT_EQ(filled.status, 0);
  EXPECT_EQ(filled.statistics.first_chunk_id, 0);
  EXPECT_EQ(filled.statistics.committed_chunk_id, 100);
  EXPECT_EQ(filled.statistics.last_chunk_id, 100);
  EXPECT_EQ(stream_stats(other_stream("missing")).status,
            RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

// Sent in one go; the answers come in order.
TEST_F(streams, many_requests_at_once) {
  std::vector<std::string> names;
  for (int i = 0; i < 20; i++) names.push_back(other_stream(std::to_string(i).c_str()));
  std::vector<result_reply> created(20), deleted(20);
  int done = 0;
  for (size_t i = 0; i < 20; i++) {
    created[i].then = deleted[i].then = [&] { done++; };
    const char *s = names[i].c_str();
    ASSERT_EQ(rstream_stream_create(env, s, nullptr, result_reply::on, &created[i]), 0);
    ASSERT_EQ(rstream_stream_delete(env, s, result_reply::on, &deleted[i]), 0);
  }
  EXPECT_EQ(done, 0);
  ASSERT_TRUE(run_until([&] { return done == 40; }));
  for (size_t i = 0; i < 20; i++) {
    EXPECT_EQ(created[i].status, 0) << created[i].text;
    EXPECT_EQ(deleted[i].status, 0) << deleted[i].text;
  }
}
