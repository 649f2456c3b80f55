// Where an environment begins, what nodes are called, and load balancers: scenarios 64
// and 65.
#include "balancer.h"
#include "scenario.h"

using namespace rstream;
using namespace rstream::test;
using wire::key;

namespace {

// Three nodes; the client's options name none of them.
struct endpoints : client_test {
  fake::uv_cluster *brokers = nullptr;
  std::deque<producer_log> producer_logs;
  std::deque<consumer_log> consumer_logs;
  std::vector<std::string> texts;
  std::vector<const char *> uris;

  fake::cluster &cluster() { return fake::uv_cluster_of(brokers); }
  fake::broker &node(int index) { return fake::node(cluster(), index); }
  uint16_t port(int index) { return fake::uv_cluster_port(brokers, index); }

  void SetUp() override {
    client_test::SetUp();
    brokers = fake::uv_cluster_open(&loop, 3);
    for (int i = 0; i < 3; i++)
      fake::stream_create(cluster(), "on" + std::to_string(i), i);
    options.host = nullptr;
    options.port = 0;
  }
  void TearDown() override {
    close_env();
    fake::uv_cluster_close(brokers);
    client_test::TearDown();
  }
  void renew() {
    close_env();
    env_closed = 0;
    lines.clear();
  }
  void use(std::vector<std::string> list) {
    texts = std::move(list);
    uris.clear();
    for (std::string &text : texts) uris.push_back(text.c_str());
    options.uris = uris.data();
    options.uri_count = uris.size();
  }
  static std::string at(int number) {
    return "rabbitmq-stream://127.0.0.1:" + std::to_string(number);
  }
  // Nobody listens there.
  int dead_port() {
    uv_tcp_t tcp;
    uv_tcp_init(&loop, &tcp);
    sockaddr_in address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&tcp, reinterpret_cast<sockaddr *>(&address), 0);
    int size = sizeof address;
    uv_tcp_getsockname(&tcp, reinterpret_cast<sockaddr *>(&address), &size);
    uv_close(reinterpret_cast<uv_handle_t *>(&tcp), nullptr);
    uv_run(&loop, UV_RUN_NOWAIT);
    return ntohs(address.sin_port);
  }
  int refused() { return rstream_env_create(&env, &loop, &options); }
  size_t connections_of(int index) { return node(index).peers.size(); }
};

struct load_balanced : endpoints {
  balancer front;

  void SetUp() override {
    endpoints::SetUp();
    front.open(&loop);
    front.targets = {port(0), port(1), port(2)};
    options.host = "127.0.0.1";
    options.port = front.port;
    options.load_balancer = 1;
    for (int i = 0; i < 3; i++) {
      node(i).host = "node" + std::to_string(i) + ".hidden";
      node(i).port = 5552;
    }
  }
  void TearDown() override {
    close_env();
    front.close();
    endpoints::TearDown();
  }
};

}  // namespace

TEST_F(endpoints, the_next_one_is_tried_when_one_is_dead) {
  use({at(dead_port()), at(dead_port()), at(port(1))});
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
  EXPECT_EQ(connections_of(1), 1u);
  EXPECT_EQ(stats().connections_lost, 2u);
  // It stays with the one that works.
  fake::peer_reset(*node(1).peers.front());
  ASSERT_TRUE(run_until([&] { return stats().connections_for_locator == 0; }));
  r = {};
  EXPECT_EQ(ask_and_wait(r), RSTREAM_BROKER_STREAM_EXISTS);
  EXPECT_EQ(stats().connections_lost, 3u);
}

TEST_F(endpoints, each_has_one_turn_and_later_requests_begin_anew) {
  int dead = dead_port();
  use({at(dead), at(dead), at(dead)});
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), UV_ECONNREFUSED);
  EXPECT_EQ(stats().connections_lost, 3u);
  r = {};
  EXPECT_EQ(ask_and_wait(r), UV_ECONNREFUSED);
  EXPECT_EQ(stats().connections_lost, 6u);
}

TEST_F(endpoints, a_broker_that_refuses_the_login_speaks_for_all) {
  cluster().options.tarpit_ms = 1;
  use({"rabbitmq-stream://guest:wrong@127.0.0.1:" + std::to_string(port(0)),
       at(port(1))});
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), RSTREAM_BROKER_AUTHENTICATION_FAILURE);
  EXPECT_EQ(stats().connections_lost, 1u);
}

TEST_F(endpoints, later_uris_inherit_from_the_first) {
  cluster().users["alice"] = {.password = "secret"};
  use({"rabbitmq-stream://alice:secret@127.0.0.1:" + std::to_string(dead_port()),
       at(port(0))});
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), 0);
  EXPECT_EQ(node(0).peers.front()->username, "alice");
}

TEST_F(endpoints, uris_that_contradict_each_other) {
  for (const char *other : {"rabbitmq-stream://bob@h", "rabbitmq-stream://guest:x@h",
                            "rabbitmq-stream://h/v", "rabbitmq-stream+tls://h"}) {
    use({"rabbitmq-stream://guest:guest@h", other});
    EXPECT_EQ(refused(), RSTREAM_EURI) << other;
    EXPECT_STREQ(error_text, "the URIs differ in more than host and port");
  }
  use({"rabbitmq-stream://h", "nonsense"});
  EXPECT_EQ(refused(), RSTREAM_EURI);
  use({"rabbitmq-stream://h", "rabbitmq-stream://i"});
  options.host = "j";
  EXPECT_EQ(refused(), RSTREAM_EINVAL);
  options.host = nullptr;
  options.uri = "rabbitmq-stream://h";
  EXPECT_EQ(refused(), RSTREAM_EINVAL);
  options.uri = nullptr;
  options.uri_count = 257;
  EXPECT_EQ(refused(), RSTREAM_EINVAL);
}

TEST_F(endpoints, scenario_64_one_that_is_down_for_ever_and_one_that_dies_later) {
  use({at(dead_port()), at(port(0)), at(port(1))});
  create();
  producer_log &log = producer_logs.emplace_back();
  rstream_producer *p = open_producer(log, log.options("on2"));
  EXPECT_EQ(connections_of(0), 1u) << "the locator";
  fake::broker_crash(node(0));
  ASSERT_TRUE(run_until([&] { return stats().connections_for_locator == 0; }));
  // What finds the stream's node again has to be asked elsewhere.
  fake::peer_reset(*fake::publisher_of(cluster(), "on2")->peer);
  ASSERT_TRUE(run_until([&] { return log.states.size() >= 3 && log.is_open(); }));
  EXPECT_EQ(connections_of(0), 0u);
  EXPECT_EQ(connections_of(1), 1u) << "the locator";
  send(p, "x");
  ASSERT_TRUE(run_until([&] { return log.outcomes.size() == 1; }));
  EXPECT_EQ(log.summary(), "1:0");
}

TEST_F(endpoints, ports_that_are_not_given_are_those_of_the_protocol) {
  struct dialled {
    uint16_t plain = 0, tls = 0;
  } static seen;
  options.on_address = [](rstream_env *, rstream_address *a, void *user) {
    *static_cast<uint16_t *>(user) = a->port;
    a->port = 1;  // nobody is there
  };
  options.uri = "rabbitmq-stream://127.0.0.1";
  options.address_user = &seen.plain;
  create();
  result r;
  EXPECT_EQ(ask_and_wait(r), UV_ECONNREFUSED);
  EXPECT_EQ(seen.plain, 5552);
#ifdef RSTREAM_HAS_TLS
  renew();
  rstream_tls_options tls;
  rstream_tls_options_init(&tls);
  tls.insecure = 1;
  options.tls = &tls;
  options.uri = "rabbitmq-stream+tls://127.0.0.1";
  options.address_user = &seen.tls;
  create();
  result over_tls;
  EXPECT_EQ(ask_and_wait(over_tls), UV_ECONNREFUSED);
  EXPECT_EQ(seen.tls, 5551);
#endif
}

TEST_F(endpoints, addresses_can_be_mapped) {
  static endpoints *test;
  test = this;
  for (int i = 0; i < 3; i++) {
    node(i).host = "node" + std::to_string(i) + ".hidden";
    node(i).port = 5552;
  }
  options.host = "entry.hidden";
  options.port = 1;
  options.address_user = this;
  options.on_address = [](rstream_env *, rstream_address *a, void *user) {
    EXPECT_EQ(user, test);
    EXPECT_EQ(a->host_capacity, 256u);
    std::string host = a->host;
    if (host == "entry.hidden") {
      EXPECT_EQ(a->port, 1);
      a->port = test->port(0);
    } else {
      EXPECT_EQ(host.substr(0, 4), "node");
      EXPECT_EQ(a->port, 5552);
      a->port = test->port(host[4] - '0');
    }
    strcpy(a->host, "127.0.0.1");
  };
  create();
  producer_log &log = producer_logs.emplace_back();
  open_producer(log, log.options("on2"));
  EXPECT_EQ(connections_of(2), 1u);
}

TEST_F(endpoints, producers_go_to_the_leader_and_consumers_to_a_replica) {
  const struct {
    rstream_node_choice producer, consumer;
    bool publishes_to_leader, reads_from_leader;
  } cases[] = {
      {RSTREAM_NODE_DEFAULT, RSTREAM_NODE_DEFAULT, true, false},
      {RSTREAM_NODE_LEADER, RSTREAM_NODE_LEADER, true, true},
      {RSTREAM_NODE_REPLICA, RSTREAM_NODE_REPLICA, false, false},
  };
  options.host = "127.0.0.1";
  options.port = port(0);
  for (const auto &c : cases) {
    options.producer_node = c.producer;
    options.consumer_node = c.consumer;
    create();
    producer_log &plog = producer_logs.emplace_back();
    consumer_log &clog = consumer_logs.emplace_back();
    rstream_consumer_options co = clog.message_options();
    co.stream = "on1";
    rstream_producer_options po = plog.options("on1");
    rstream_producer *p = nullptr;
    rstream_consumer *reader = nullptr;
    ASSERT_EQ(rstream_producer_open(&p, env, &po), 0);
    ASSERT_EQ(rstream_consumer_open(&reader, env, &co), 0);
    ASSERT_TRUE(run_until([&] { return clog.is_open() || clog.ended(); })) << clog.text;
    EXPECT_EQ(fake::subscription_of(cluster(), "on1")->peer->broker->index == 1,
              c.reads_from_leader);
    ASSERT_TRUE(run_until([&] { return plog.is_open() || plog.ended(); })) << plog.text;
    EXPECT_EQ(fake::publisher_of(cluster(), "on1")->peer->broker->index == 1,
              c.publishes_to_leader);
    renew();
  }
  options.consumer_node = static_cast<rstream_node_choice>(3);
  EXPECT_EQ(refused(), RSTREAM_EINVAL);
  EXPECT_STREQ(error_text, "consumer_node is 3, allowed are 0 to 2");
}

TEST_F(load_balanced, scenario_65_the_node_that_is_wanted_is_found) {
  create();
  for (const char *stream : {"on0", "on1", "on2"}) {
    producer_log &log = producer_logs.emplace_back();
    rstream_producer *p = open_producer(log, log.options(stream));
    send(p, "x");
    EXPECT_TRUE(run_until([&] { return log.outcomes.size() == 1; }));
    EXPECT_EQ(log.summary(), "1:0");
  }
  for (int i = 0; i < 3; i++) {
    std::string stream = "on" + std::to_string(i);
    EXPECT_EQ(fake::publisher_of(cluster(), stream)->peer->broker->index, i);
  }
  EXPECT_EQ(stats().connections_for_producers, 3u);
  EXPECT_EQ(stats().connections_lost, 0u);
  EXPECT_GT(front.accepted, 4u) << "it never led elsewhere";
  // The wrong ones are gone: a locator, and three for producers.
  EXPECT_TRUE(run_until([&] { return front.pairs.size() == 4; })) << front.pairs.size();
}

TEST_F(load_balanced, many_handles_wait_for_the_same_connection) {
  create();
  std::vector<rstream_producer *> all;
  for (int i = 0; i < 20; i++) {
    producer_log &log = producer_logs.emplace_back();
    rstream_producer_options o = log.options("on2");
    all.push_back(nullptr);
    ASSERT_EQ(rstream_producer_open(&all.back(), env, &o), 0);
  }
  EXPECT_TRUE(run_until([&] {
    return std::all_of(producer_logs.begin(), producer_logs.end(),
                       [](const producer_log &log) { return log.is_open(); });
  }));
  EXPECT_EQ(stats().connections_for_producers, 1u);
  EXPECT_TRUE(run_until([&] { return front.pairs.size() == 2; })) << front.pairs.size();
}

TEST_F(load_balanced, a_node_that_is_never_led_to_is_given_up) {
  front.targets = {port(0)};
  create();
  producer_log &log = producer_logs.emplace_back();
  rstream_producer_options o = log.options("on2");
  rstream_producer *p = nullptr;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  EXPECT_TRUE(run_until([&] {
    return logged("the load balancer did not lead to node2.hidden:5552 in 30 tries");
  }));
  EXPECT_EQ(front.accepted, 31u);
}

TEST_F(load_balanced, closing_between_two_tries) {
  front.targets = {port(0)};
  for (size_t tries : {2, 3, 10}) {
    front.accepted = 0;
    create();
    producer_log &log = producer_logs.emplace_back();
    rstream_producer_options o = log.options("on2");
    rstream_producer *p = nullptr;
    ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
    ASSERT_TRUE(run_until([&] { return front.accepted >= tries; }));
    renew();
    EXPECT_TRUE(run_until([&] { return front.pairs.empty(); }));
  }
}

TEST_F(load_balanced, closing_the_handle_between_two_tries) {
  front.targets = {port(0)};
  create();
  producer_log &log = producer_logs.emplace_back();
  rstream_producer_options o = log.options("on2");
  rstream_producer *p = nullptr;
  ASSERT_EQ(rstream_producer_open(&p, env, &o), 0);
  ASSERT_TRUE(run_until([&] { return front.accepted >= 4; }));
  ASSERT_EQ(rstream_producer_close_within(p, 0, producer_log::on_closed), 0);
  ASSERT_TRUE(run_until([&] { return log.closed > 0; }));
  size_t before = front.accepted;
  result r;
  ask_and_wait(r);
  EXPECT_LE(front.accepted, before + 1);
}
