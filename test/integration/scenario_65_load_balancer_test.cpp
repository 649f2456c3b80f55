// Scenario 65: three nodes behind HAProxy, reached through it alone.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "fixture.h"

using namespace rstream::test;

namespace {

// In front of all nodes, giving each its turn.
struct haproxy {
  pid_t pid = -1;
  int port = 0;

  static bool installed() { return system("command -v haproxy >/dev/null 2>&1") == 0; }

  bool start(uv_loop_t *loop, const std::vector<int> &targets) {
    uv_tcp_t probe;
    sockaddr_in address;
    uv_tcp_init(loop, &probe);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&probe, reinterpret_cast<sockaddr *>(&address), 0);
    int size = sizeof address;
    uv_tcp_getsockname(&probe, reinterpret_cast<sockaddr *>(&address), &size);
    port = ntohs(address.sin_port);
    uv_close(reinterpret_cast<uv_handle_t *>(&probe), nullptr);
    uv_run(loop, UV_RUN_NOWAIT);
    std::string file = std::string(getenv("RSTREAM_BROKER_DIR")) + "/haproxy.cfg";
    FILE *f = fopen(file.c_str(), "w");
    if (!f) return false;
    fprintf(f,
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n"
            " timeout server 1m\nfrontend streams\n bind 127.0.0.1:%d\n"
            " default_backend nodes\nbackend nodes\n balance roundrobin\n",
            port);
    for (size_t i = 0; i < targets.size(); i++)
      fprintf(f, " server n%zu 127.0.0.1:%d\n", i + 1, targets[i]);
    fclose(f);
    pid = fork();
    if (pid == 0) {
      execlp("haproxy", "haproxy", "-db", "-q", "-f", file.c_str(), nullptr);
      _exit(127);
    }
    return pid > 0;
  }
  ~haproxy() {
    if (pid <= 0) return;
    kill(pid, SIGTERM);
    waitpid(pid, nullptr, 0);
  }
};

struct scenario_65 : broker_test {
  std::vector<int> ports;
  haproxy front;

  void SetUp() override {
    broker_test::SetUp();
    if (IsSkipped()) return;
    NEEDS_DISTURBANCE();
    std::string uris = getenv("RSTREAM_BROKER_URI");
    for (size_t at = 0; at != uris.npos;) {
      size_t end = uris.find(',', at);
      std::string uri = uris.substr(at, end - at);
      ports.push_back(atoi(uri.c_str() + uri.rfind(':') + 1));
      at = end == uris.npos ? end : end + 1;
    }
    if (ports.size() < 3) GTEST_SKIP() << "one node alone: with-broker --nodes 3";
    if (!haproxy::installed()) GTEST_SKIP() << "there is no haproxy";
    ASSERT_TRUE(front.start(&loop, ports));
  }

  rstream_env *open_balanced_env() {
    return open_env([&](rstream_env_options &o) {
      o.uri = nullptr;
      o.host = "127.0.0.1";
      o.port = static_cast<uint16_t>(front.port);
      o.load_balancer = 1;
    });
  }
};

}  // namespace

TEST_F(scenario_65, each_node_is_found_through_the_balancer) {
  rstream_env *e = nullptr;
  int status = -1;
  // The balancer takes a moment to listen.
  for (int i = 0; i < 20 && status < 0; i++) {
    auto never = [] { return false; };
    if (i > 0) EXPECT_FALSE(run_until(never, 1));
    if (e) close_env(e);
    e = open_balanced_env();
    status =
        ask<result_reply>([&](auto *r) {
          return rstream_stream_create(e, name.c_str(), nullptr, result_reply::on, r);
        }).status;
    if (status == RSTREAM_BROKER_STREAM_EXISTS) status = 0;
  }
  ASSERT_EQ(status, 0);
  // Streams with leaders on different nodes.
  std::deque<producer_probe> producers;
  std::vector<std::string> streams;
  for (int i = 0; i < 6; i++) {
    streams.push_back(other_stream(std::to_string(i).c_str()));
    ASSERT_EQ(create_stream(streams.back()), 0);
    producers.emplace_back();
    ASSERT_EQ(producers.back().open(e, streams.back()), 0);
    ASSERT_EQ(producers.back().send_number(0), 0);
  }
  for (producer_probe &p : producers) {
    ASSERT_TRUE(run_until([&] { return p.told == 1; })) << p.end_text;
    EXPECT_EQ(p.confirmed(), 1u) << p.end_text;
  }
  for (std::string &s : streams) {
    consumer_probe c;
    c.numbered = true;
    ASSERT_EQ(c.open_first(e, s), 0);
    ASSERT_TRUE(run_until([&] { return c.messages == 1; })) << c.end_text;
  }
  EXPECT_LE(stats(e).connections_for_producers, 3u);
  // Nothing is left of the tries that led elsewhere.
  auto open_now = [&] {
    rstream_env_stats s = stats(e);
    size_t wanted = s.connections_for_locator + s.connections_for_producers +
                    s.connections_for_consumers;
    std::string count = broker_eval(
        "length(lists:append([rpc:call(N, erlang, apply, "
        "[fun() -> " +
        connections_named(name) + " end, []]) || N <- [node() | nodes()]])).");
    return std::pair{count, "{ok, " + std::to_string(wanted + 1) + "}"};
  };
  bool settled = false;
  for (int i = 0; i < 50 && !settled; i++) {
    auto [count, wanted] = open_now();
    settled = count == wanted;
    run_ready(20);
  }
  auto [count, wanted] = open_now();
  EXPECT_EQ(count, wanted) << "connections at the brokers, and at the client";
  producers.clear();
  for (std::string &s : streams) EXPECT_EQ(delete_stream(s), 0);
}
