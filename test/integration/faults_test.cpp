// What is refused, what goes away: every handle is told once, every message has one
// outcome, and nobody else is disturbed.
#include "fixture.h"

using namespace rstream::test;

namespace {

struct faults : broker_test {
  // A producer that keeps its window full.
  void keep_busy(producer_probe &p) {
    p.on_writable = [&p] {
      while (p.handle && p.send_number(p.sent) == 0) continue;
    };
    p.on_writable();
  }

  // Ends by itself with this reason; messages sent before fail with it, once.
  void expect_end(producer_probe &p, int reason) {
    ASSERT_TRUE(run_until([&] { return p.ended > 0; }));
    EXPECT_EQ(p.end_reason, reason)
        << rstream_error_name(p.end_reason) << ": " << p.end_text;
    EXPECT_FALSE(p.end_text.empty());
    EXPECT_TRUE(p.all_told()) << "outcomes come before the end is told";
    EXPECT_EQ(rstream_producer_state(p.handle), RSTREAM_STATE_CLOSED);
    EXPECT_EQ(p.send_number(0), RSTREAM_ECLOSED);
    EXPECT_EQ(rstream_producer_flush(p.handle, nullptr, nullptr), RSTREAM_ECLOSED);
    ASSERT_EQ(p.close(), 0);
    ASSERT_TRUE(run_until([&] { return p.closed > 0; }));
    EXPECT_EQ(p.close_status, reason);
    EXPECT_EQ(p.ended, 1);
  }

  void expect_end(consumer_probe &c, int reason) {
    ASSERT_TRUE(run_until([&] { return c.ended > 0; }));
    EXPECT_EQ(c.end_reason, reason)
        << rstream_error_name(c.end_reason) << ": " << c.end_text;
    EXPECT_FALSE(c.end_text.empty());
    EXPECT_EQ(rstream_consumer_state(c.handle), RSTREAM_STATE_CLOSED);
    ASSERT_EQ(c.close(), 0);
    ASSERT_TRUE(run_until([&] { return c.closed > 0; }));
    EXPECT_EQ(c.close_status, reason);
    EXPECT_EQ(c.ended, 1);
  }

  // A producer with messages and a consumer that can't even connect.
  void expect_no_connection(rstream_env *e, int reason, const char *text) {
    producer_probe p;
    consumer_probe c;
    ASSERT_EQ(p.open(e, stream), 0);
    ASSERT_EQ(c.open_first(e, stream), 0);
    for (int i = 0; i < 10; i++) ASSERT_EQ(p.send_number(0), 0);
    auto reply = ask<result_reply>([&](auto *r) {
      return rstream_stream_delete(e, "anything", result_reply::on, r);
    });
    EXPECT_EQ(reply.status, reason) << rstream_error_name(reply.status);
    EXPECT_NE(reply.text.find(text), std::string::npos) << reply.text;
    expect_end(p, reason);
    expect_end(c, reason);
    EXPECT_NE(p.end_text.find(text), std::string::npos) << p.end_text;
    EXPECT_NE(c.end_text.find(text), std::string::npos) << c.end_text;
    EXPECT_EQ(p.with_status(reason), 10u);
    EXPECT_EQ(p.told, 10u);
  }
};

}  // namespace

// ---- refused at the beginning

TEST_F(faults, a_producer_on_a_missing_stream) {
  producer_probe p;
  ASSERT_EQ(p.open(env, other_stream("missing")), 0);
  for (int i = 0; i < 1000; i++) ASSERT_EQ(p.send_number(0), 0);
  expect_end(p, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_EQ(p.with_status(RSTREAM_BROKER_STREAM_DOES_NOT_EXIST), 1000u);
  EXPECT_EQ(p.opened, 0);
  EXPECT_EQ(stats().messages_failed, 1000u);
}

TEST_F(faults, a_named_producer_on_a_missing_stream) {
  producer_probe p;
  ASSERT_EQ(p.open(env, other_stream("missing"), [](auto &o) { o.name = "app"; }), 0);
  expect_end(p, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
}

TEST_F(faults, a_consumer_on_a_missing_stream) {
  consumer_probe c;
  ASSERT_EQ(c.open_first(env, other_stream("missing")), 0);
  expect_end(c, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_EQ(c.opened, 0);
}

// The broker holds its answer back for three seconds.
TEST_F(faults, a_wrong_password) {
  rstream_env *e = open_env([](auto &o) { o.password = "wrong"; });
  uint64_t begin = uv_hrtime();
  expect_no_connection(e, RSTREAM_BROKER_AUTHENTICATION_FAILURE,
                       "authentication failure");
  EXPECT_GT(uv_hrtime() - begin, 2500000000u);
  EXPECT_EQ(rstream_error_is_retriable(RSTREAM_BROKER_AUTHENTICATION_FAILURE), 0);
  for (const std::string &line : log)
    EXPECT_EQ(line.find("wrong"), std::string::npos) << line;
}

TEST_F(faults, a_wrong_vhost) {
  rstream_env *e = open_env([](auto &o) { o.vhost = "/no/such/vhost"; });
  expect_no_connection(e, RSTREAM_BROKER_VHOST_ACCESS, "virtual host");
}

TEST_F(faults, a_port_where_nobody_listens) {
  rstream_env *e = open_env([](auto &o) {
    o.host = "127.0.0.1";
    o.port = 1;
  });
  expect_no_connection(e, UV_ECONNREFUSED, "127.0.0.1:1");
  EXPECT_EQ(stats(e).connections_opened, 0u);
  EXPECT_GT(stats(e).connections_lost, 0u);
}

TEST_F(faults, a_host_that_does_not_exist) {
  rstream_env *e = open_env([](auto &o) { o.host = "no-such-host.invalid"; });
  auto reply = ask<result_reply>(
      [&](auto *r) { return rstream_stream_delete(e, "anything", result_reply::on, r); });
  // Without a network the resolver can't tell.
  EXPECT_TRUE(reply.status == UV_EAI_NONAME || reply.status == UV_EAI_AGAIN)
      << rstream_error_name(reply.status);
  expect_no_connection(e, reply.status, "no-such-host.invalid");
}

TEST_F(faults, a_uri_with_mistakes) {
  for (const char *uri :
       {"http://localhost", "rabbitmq-stream://localhost:0",
        "rabbitmq-stream://localhost:70000", "rabbitmq-stream://%zz@localhost"}) {
    rstream_env_options o = env_options();
    char text[100] = "";
    o.uri = uri;
    o.error_text = text;
    o.error_text_size = sizeof text;
    rstream_env *e = env;
    EXPECT_EQ(rstream_env_create(&e, &loop, &o), RSTREAM_EURI) << uri;
    EXPECT_EQ(e, nullptr);
    EXPECT_STRNE(text, "") << uri;
  }
}

// ---- going away later

// Of the tests that want to see how a handle ends.
constexpr auto ending = [](auto &o) { o.recovery = RSTREAM_RECOVERY_NONE; };

// Scenario 75.
TEST_F(faults, the_stream_is_deleted_while_publishing_and_consuming) {
  producer_probe p;
  consumer_probe c;
  c.numbered = true;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_EQ(c.open_first(env, stream), 0);
  keep_busy(p);
  ASSERT_TRUE(run_until([&] { return p.confirmed() > 20000 && c.messages > 10000; }));
  uint64_t lost = stats().connections_lost;
  EXPECT_EQ(delete_stream(stream), 0);
  expect_end(p, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  expect_end(c, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  EXPECT_EQ(c.wrong_bodies, 0u);
  EXPECT_GT(p.with_status(RSTREAM_BROKER_STREAM_DOES_NOT_EXIST), 0u);
  EXPECT_EQ(stats().connections_lost, lost) << "the connections are not to blame";
}

TEST_F(faults, others_on_the_connections_of_a_deleted_stream_go_on) {
  std::string doomed = other_stream("doomed");
  ASSERT_EQ(create_stream(doomed), 0);
  producer_probe a, b;
  consumer_probe ca, cb;
  ASSERT_EQ(a.open(env, doomed), 0);
  ASSERT_EQ(b.open(env, stream), 0);
  ASSERT_EQ(ca.open_first(env, doomed), 0);
  ASSERT_EQ(cb.open_first(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return a.opened && b.opened && ca.opened && cb.opened; }));
  EXPECT_EQ(delete_stream(doomed), 0);
  expect_end(a, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  expect_end(ca, RSTREAM_BROKER_STREAM_DOES_NOT_EXIST);
  for (int i = 0; i < 100; i++) ASSERT_EQ(b.send_number(0), 0);
  ASSERT_TRUE(run_until([&] { return b.confirmed() == 100 && cb.messages == 100; }));
  // The ids that came free can be given again.
  producer_probe next;
  ASSERT_EQ(next.open(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return next.opened > 0; }));
  EXPECT_EQ(stats().connections_for_producers, 1u);
}

TEST_F(faults, the_connection_of_producers_is_killed) {
  NEEDS_DISTURBANCE();
  rstream_env *other = open_env([](auto &o) { o.connection_name = "test.bystander"; });
  producer_probe a, b, bystander;
  consumer_probe c;
  ASSERT_EQ(a.open(env, stream, ending), 0);
  ASSERT_EQ(b.open(env, stream, ending), 0);
  ASSERT_EQ(bystander.open(other, stream), 0);
  ASSERT_EQ(c.open_first(env, stream), 0);
  keep_busy(a);
  ASSERT_TRUE(
      run_until([&] { return a.confirmed() > 20000 && b.opened && bystander.opened; }));
  ASSERT_EQ(b.send_number(0), 0);
  EXPECT_EQ(kill_connections(name, role::producers), 1);
  expect_end(a, RSTREAM_ECONNLOST);
  expect_end(b, RSTREAM_ECONNLOST);
  EXPECT_EQ(stats().connections_lost, 1u);
  EXPECT_EQ(stats(other).connections_lost, 0u);
  // What was confirmed is there, and neither the consumer nor the others noticed.
  ASSERT_EQ(bystander.send_number(0), 0);
  ASSERT_TRUE(run_until([&] { return bystander.confirmed() == 1; }));
  ASSERT_TRUE(run_until([&] { return c.messages > a.confirmed() + b.confirmed(); }));
  EXPECT_EQ(c.ended, 0);
  publish(stream, 10);
}

TEST_F(faults, the_connection_of_consumers_is_killed) {
  NEEDS_DISTURBANCE();
  producer_probe p;
  consumer_probe a, b;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_EQ(a.open_first(env, stream, consumer_probe::by_message, ending), 0);
  ASSERT_EQ(b.open_first(env, stream, consumer_probe::by_chunk, ending), 0);
  keep_busy(p);
  ASSERT_TRUE(run_until([&] { return a.messages > 10000 && b.messages > 10000; }));
  EXPECT_EQ(kill_connections(name, role::consumers), 1);
  expect_end(a, RSTREAM_ECONNLOST);
  expect_end(b, RSTREAM_ECONNLOST);
  EXPECT_EQ(p.ended, 0);
  uint64_t before = p.confirmed();
  ASSERT_TRUE(run_until([&] { return p.confirmed() > before + 10000; }));
}

TEST_F(faults, the_locator_is_killed_and_found_again) {
  NEEDS_DISTURBANCE();
  producer_probe p;
  ASSERT_EQ(p.open(env, stream), 0);
  ASSERT_TRUE(run_until([&] { return p.opened > 0; }));
  EXPECT_EQ(
      broker_eval("length([exit(P, kill) || P <- " + connections_named(name) +
                  ", rabbit_stream_reader:publishers_info(P, [publisher_id]) =:= []])."),
      "{ok, 1}");
  ASSERT_TRUE(run_until([&] { return stats().connections_lost == 1; }));
  EXPECT_EQ(stats().connections_for_locator, 0u);
  publish(stream, 10);
  EXPECT_EQ(stats().connections_for_locator, 1u);
  EXPECT_EQ(p.ended, 0);
}

// Asking again is what an application does whose request failed.
TEST_F(faults, asking_again_from_the_callback_of_a_request_that_failed) {
  NEEDS_DISTURBANCE();
  result_reply first, second;
  int again = 1;
  first.then = [&] {
    again =
        rstream_stream_create(env, stream.c_str(), nullptr, result_reply::on, &second);
  };
  // The kill is on its way before the request is written, so that nothing answers it.
  ASSERT_EQ(rstream_stream_create(env, stream.c_str(), nullptr, result_reply::on, &first),
            0);
  broker_eval("length([exit(P, kill) || P <- " + connections_named(name) + "]).");
  ASSERT_TRUE(run_until([&] { return first.calls > 0; }));
  EXPECT_EQ(first.status, RSTREAM_ECONNLOST);
  EXPECT_EQ(again, 0) << rstream_error_name(again);
  if (again < 0) return;
  ASSERT_TRUE(run_until([&] { return second.calls > 0; }));
  EXPECT_EQ(second.status, RSTREAM_BROKER_STREAM_EXISTS);
}

// What management's "force close" does. The broker sends no Close then.
TEST_F(faults, the_broker_shuts_a_connection_down) {
  NEEDS_DISTURBANCE();
  producer_probe p;
  ASSERT_EQ(p.open(env, stream, ending), 0);
  keep_busy(p);
  ASSERT_TRUE(run_until([&] { return p.confirmed() > 1000; }));
  broker_eval("length([P ! {shutdown, <<\"test\">>} || P <- " + connections_named(name) +
              "]).");
  expect_end(p, RSTREAM_ECONNLOST);
}
