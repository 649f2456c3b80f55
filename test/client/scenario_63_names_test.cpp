// Scenario 63 on the real loop, with a resolver that does what a test says and addresses
// that do not answer. When what happens is judged by the clock: test/sim.
#include <netinet/in.h>

#include "descriptors.h"
#include "names.h"
#include "net/uv_net.h"
#include "scenario.h"
#include "unresponsive.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

struct scenario_63 : fake_client {
  void SetUp() override {
    fake_client::SetUp();
    options.host = "broker.test";
  }
  void TearDown() override {
    names_clear();
    fake_client::TearDown();
  }
};

struct world_of_names : testing::Test {
  uv_loop_t loop;
  memory mem{memory_functions_default()};
  net *world = nullptr;
  bool closed = false;

  struct question {
    resolve_request request;
    int calls = 0;
    int status = 1;
    std::string found;  // "4 6 6 "
    uint16_t port = 0;  // of all of them
  };

  void SetUp() override {
    ASSERT_EQ(uv_loop_init(&loop), 0);
    ASSERT_EQ(net_uv_create(&world, &loop, mem, {}), 0);
  }
  void close() {
    auto on_closed = [](void *arg) { *static_cast<bool *>(arg) = true; };
    net_uv_close(world, on_closed, &closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_TRUE(closed);
  }
  void TearDown() override {
    names_clear();
    if (!closed) close();
    EXPECT_EQ(uv_loop_close(&loop), 0);
    EXPECT_EQ(mem.bytes_held, 0u);
  }
  static void on_resolved(resolve_request *request, int status,
                          std::span<const net_address> addresses) {
    question &q = *RSTREAM_OWNER(request, question, request);
    q.calls++;
    q.status = status;
    for (const net_address &a : addresses) {
      sockaddr_in name;  // the port is at the same place in both kinds
      memcpy(&name, a.bytes, sizeof name);
      q.found += name.sin_family == AF_INET6 ? "6 " : "4 ";
      uint16_t port = ntohs(name.sin_port);
      if (&a != &addresses.front()) {
        EXPECT_EQ(port, q.port);
      }
      q.port = port;
    }
  }
  void ask(question &q, const char *name, uint16_t port = 5552) {
    q.request.on_resolved = on_resolved;
    ASSERT_EQ(net_resolve(*world, q.request, name, port), 0);
  }
  void wait_for(question &q) {
    while (q.calls == 0) uv_run(&loop, UV_RUN_ONCE);
  }
  std::string order_of(const std::vector<std::string> &figures) {
    names_set("many.test", {.at = figures});
    question q;
    ask(q, "many.test");
    wait_for(q);
    EXPECT_EQ(q.status, 0);
    EXPECT_EQ(q.port, 5552);
    return q.found;
  }
};

}  // namespace

// ---- what a look-up gives

TEST_F(world_of_names, kinds_of_addresses_take_turns) {
  EXPECT_EQ(order_of({"::2"}), "6 ");
  EXPECT_EQ(order_of({"::2", "::3", "::4", "127.0.0.2"}), "6 4 6 6 ");
  EXPECT_EQ(order_of({"127.0.0.2", "127.0.0.3", "127.0.0.4", "::2", "::3"}),
            "4 6 4 6 4 ");
  EXPECT_EQ(order_of({"127.0.0.2", "::2", "::3"}), "4 6 6 ");
}

TEST_F(world_of_names, many_of_one_kind_do_not_hide_the_other) {
  std::vector<std::string> figures;
  for (int i = 1; i <= 40; i++) figures.push_back("::" + std::to_string(i));
  figures.push_back("127.0.0.2");
  std::string found = order_of(figures);
  EXPECT_EQ(found.size(), 2 * net_max_addresses);
  EXPECT_EQ(found.substr(0, 6), "6 4 6 ");
}

TEST_F(world_of_names, no_address_at_all) {
  names_set("empty.test", {});
  question q;
  ask(q, "empty.test");
  wait_for(q);
  EXPECT_EQ(q.status, UV_EAI_NODATA);
  EXPECT_EQ(q.found, "");
}

TEST_F(world_of_names, one_look_up_serves_all_that_ask_meanwhile) {
  names_set("slow.test", {.at = {"127.0.0.2"}, .held = true});
  question first, second, other, last;
  ask(first, "slow.test", 1);
  ask(second, "slow.test", 2);
  net_resolve_cancel(*world, first.request);
  names_wait_until_held("slow.test");
  // Whoever gave up does not stop it, and those who come later join it.
  net_resolve_cancel(*world, second.request);
  ask(last, "slow.test", 3);
  names_set("quick.test", {.at = {"127.0.0.3"}});
  ask(other, "quick.test");
  wait_for(other);
  EXPECT_EQ(last.calls, 0);
  names_release("slow.test");
  wait_for(last);
  EXPECT_EQ(last.status, 0);
  EXPECT_EQ(last.port, 3);
  EXPECT_EQ(first.calls + second.calls, 0);
  EXPECT_EQ(names_asked("slow.test"), 1u);
  // What was answered is not kept.
  question again;
  ask(again, "slow.test");
  wait_for(again);
  EXPECT_EQ(names_asked("slow.test"), 2u);
}

TEST_F(world_of_names, one_that_is_told_may_give_up_for_another) {
  names_set("slow.test", {.at = {"127.0.0.2"}, .held = true});
  static question first, second;
  static net *of;
  of = world;
  ask(first, "slow.test");
  ask(second, "slow.test");
  first.request.on_resolved = [](resolve_request *, int, std::span<const net_address>) {
    first.calls++;
    net_resolve_cancel(*of, second.request);
  };
  names_release("slow.test");
  wait_for(first);
  uv_run(&loop, UV_RUN_NOWAIT);
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 0);
}

// libuv lets two look-ups run at a time when its pool has four threads.
TEST_F(world_of_names, a_look_up_that_was_called_off_before_it_began_is_not_joined) {
  names_set("a.test", {.at = {"127.0.0.2"}, .held = true});
  names_set("b.test", {.at = {"127.0.0.2"}, .held = true});
  names_set("c.test", {.at = {"127.0.0.2"}});
  question a, b, never, c;
  ask(a, "a.test");
  ask(b, "b.test");
  names_wait_until_held("a.test");
  names_wait_until_held("b.test");
  ask(never, "c.test");
  net_resolve_cancel(*world, never.request);
  ask(c, "c.test");
  names_release("a.test");
  names_release("b.test");
  for (question *q : {&a, &b, &c}) wait_for(*q);
  EXPECT_EQ(c.status, 0);
  EXPECT_EQ(never.calls, 0);
}

// ---- what becomes of it

TEST_F(scenario_63, a_name_that_fails_and_then_works) {
  names_set("broker.test", {.status = EAI_AGAIN});
  options.recovery_first_ms = 1;
  options.recovery_longest_ms = 20;
  create();
  producer_log &log = new_producer_log();
  rstream_producer_options o = log.options();
  o.retry_opening = 1;
  rstream_producer *p = nullptr;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.states.size() >= 6; }));
  EXPECT_EQ(names_asked("broker.test"), 6u);
  EXPECT_EQ(log.reason, UV_EAI_AGAIN);
  EXPECT_NE(log.text.find("can't resolve broker.test"), log.text.npos) << log.text;
  names_set("broker.test", {.at = {"127.0.0.1"}});
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 1; }));
  EXPECT_EQ(log.summary(), "1:0");
  // Without being asked to, it does not try again.
  names_set("broker.test", {.status = EAI_NONAME});
  renew();
  create();
  producer_log &impatient = new_producer_log();
  rstream_producer_options once = impatient.options();
  ASSERT_EQ(rstream_producer_open(&p, env, &once), 0);
  ASSERT_TRUE(run_until([&] { return impatient.ended(); }));
  EXPECT_EQ(impatient.reason, UV_EAI_NONAME);
}

// One attempt after another is over, but they do not take all of libuv's threads, and
// what comes of the first question in the end is of use.
TEST_F(scenario_63, a_name_that_takes_longer_than_any_attempt) {
  names_set("broker.test", {.at = {"127.0.0.1"}, .held = true});
  options.connect_timeout_ms = 30;
  create();
  for (int attempt = 0; attempt < 5; attempt++) {
    result r;
    EXPECT_EQ(ask_and_wait(r), RSTREAM_ETIMEDOUT);
    EXPECT_EQ(r.text, "not connected within 30 ms: still in state resolving");
    names_wait_until_held("broker.test");
  }
  EXPECT_EQ(names_asked("broker.test"), 1u);
  // The loop has time for others.
  rstream_env *slow = env;
  options.host = "127.0.0.1";
  options.connect_timeout_ms = 0;
  create();
  producer_log &log = new_producer_log();
  rstream_producer *p = open_producer(log, log.options());
  send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 1; }));
  close_env();
  env = slow;
  env_closed = 0;
  EXPECT_TRUE(names_held("broker.test"));
  result last;
  ask(last);
  names_release("broker.test");
  ASSERT_TRUE(run_until([&] { return last.calls > 0; }));
  EXPECT_TRUE(last.status == 0 || last.status == RSTREAM_BROKER_STREAM_EXISTS ||
              last.status == RSTREAM_ETIMEDOUT)
      << last.text;
  EXPECT_EQ(names_asked("broker.test"), 1u);
}

TEST_F(scenario_63, a_name_without_addresses) {
  names_set("broker.test", {});
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), UV_EAI_NODATA);
  EXPECT_EQ(r.text, "can't resolve broker.test: no address");
}

TEST_F(scenario_63, ipv6_that_is_dead_and_ipv4_that_is_alive) {
  names_set("broker.test", {.at = {"::1", "127.0.0.1"}});
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), RSTREAM_BROKER_STREAM_EXISTS) << r.text;
  EXPECT_EQ(stats().connections_lost, 0u);
}

TEST_F(scenario_63, five_addresses_and_only_the_last_is_alive) {
  std::string figures[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"};
  black_hole holes[2];
  ASSERT_TRUE(holes[0].open("127.0.0.3", options.port));
  ASSERT_TRUE(holes[1].open("127.0.0.4", options.port));
  names_set("broker.test",
            {.at = {figures[0], figures[1], figures[2], figures[3], "127.0.0.1"}});
  create();
  size_t before = open_descriptors();
  result r;
  EXPECT_EQ(ask_and_wait(r), RSTREAM_BROKER_STREAM_EXISTS) << r.text;
  EXPECT_EQ(stats().connections_opened, 1u);
  EXPECT_EQ(stats().connections_lost, 0u);
  // This end and the broker's: none is left of those that were tried in vain.
  EXPECT_EQ(open_descriptors(), before + 2);
}

TEST_F(scenario_63, all_are_dead_at_the_deadline) {
  black_hole hole;
  ASSERT_TRUE(hole.open("127.0.0.3", options.port));
  names_set("broker.test", {.at = {"127.0.0.2", "127.0.0.3", "127.0.0.4"}});
  options.connect_timeout_ms = 400;
  create();
  size_t before = open_descriptors();
  result r;
  EXPECT_EQ(ask_and_wait(r), RSTREAM_ETIMEDOUT);
  EXPECT_EQ(r.text, "can't connect to broker.test:" + std::to_string(options.port) +
                        ": the deadline passed");
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(scenario_63, handles_closed_while_a_name_is_looked_up_are_closed_at_once) {
  names_set("broker.test", {.at = {"127.0.0.1"}, .held = true});
  create();
  producer_log &plog = new_producer_log();
  consumer_log &clog = new_consumer_log();
  rstream_producer_options po = plog.options();
  rstream_consumer_options co = clog.message_options();
  rstream_producer *p = nullptr;
  rstream_consumer *c = nullptr;
  ASSERT_EQ(rstream_producer_open(&p, env, &po), 0);
  ASSERT_EQ(rstream_consumer_open(&c, env, &co), 0);
  send(p, "never sent");
  names_wait_until_held("broker.test");
  ASSERT_EQ(rstream_producer_close_within(p, 0, producer_log::on_closed), 0);
  ASSERT_EQ(rstream_consumer_close(c, consumer_log::on_closed), 0);
  ASSERT_TRUE(run_until([&] { return plog.closed > 0 && clog.closed > 0; }));
  EXPECT_TRUE(names_held("broker.test"));
  EXPECT_EQ(plog.summary(), "1:" + std::to_string(RSTREAM_ECLOSED));
  result r;
  ask(r);
  start_closing();
  ASSERT_TRUE(run_until([&] { return r.calls > 0; }));
  EXPECT_EQ(r.status, RSTREAM_ECANCELED);
  // The environment has to wait for the system to let go.
  EXPECT_EQ(env_closed, 0);
  names_release("broker.test");
  ASSERT_TRUE(run_until([&] { return env_closed > 0; }));
  EXPECT_EQ(frames_of(key::peer_properties), 0u);
}

TEST_F(scenario_63, closing_while_several_addresses_are_tried) {
  black_hole holes[2];
  ASSERT_TRUE(holes[0].open("127.0.0.2", options.port));
  ASSERT_TRUE(holes[1].open("127.0.0.3", options.port));
  names_set("broker.test", {.at = {"127.0.0.2", "127.0.0.3"}});
  create();
  size_t before = open_descriptors();
  result r;
  ask(r);
  ASSERT_TRUE(run_until([&] { return open_descriptors() == before + 2; }));
  close_env();
  EXPECT_EQ(r.calls, 1);
  EXPECT_EQ(r.status, RSTREAM_ECANCELED);
  EXPECT_EQ(open_descriptors(), before);
}
