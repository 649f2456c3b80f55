// The proxy of the tests with faults does what it is asked to.
#include "chaos/proxy.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "noise.h"

using namespace rstream::test;

namespace {

struct chaos_proxy_unit : testing::Test {
  uv_loop_t loop;
  chaos_proxy proxy;
  uv_tcp_t echo, client, server;
  uv_connect_t connecting;
  bool connected = false;
  bool server_there = false;
  std::string heard;  // by the client, of what comes back
  std::string server_heard;
  int client_end = 0;  // how its reading ended
  int server_end = 0;
  size_t reads = 0;

  void SetUp() override {
    ASSERT_EQ(uv_loop_init(&loop), 0);
    uv_tcp_init(&loop, &echo);
    echo.data = this;
    sockaddr_in address = local(0);
    uv_tcp_bind(&echo, reinterpret_cast<sockaddr *>(&address), 0);
    ASSERT_EQ(uv_listen(reinterpret_cast<uv_stream_t *>(&echo), 16, on_server), 0);
    int size = sizeof address;
    uv_tcp_getsockname(&echo, reinterpret_cast<sockaddr *>(&address), &size);
    ASSERT_EQ(chaos_open(proxy, &loop, ntohs(address.sin_port), 7), 0);
  }
  void TearDown() override {
    for (uv_tcp_t *tcp : {&echo, &client, &server}) {
      auto *handle = reinterpret_cast<uv_handle_t *>(tcp);
      bool used = tcp == &echo || (tcp == &client ? connected : server_there);
      if (used && !uv_is_closing(handle)) uv_close(handle, nullptr);
    }
    chaos_close(proxy);
    uv_run(&loop, UV_RUN_NOWAIT);
    EXPECT_EQ(uv_loop_close(&loop), 0);
  }

  static sockaddr_in local(int port) {
    sockaddr_in address;
    uv_ip4_addr("127.0.0.1", port, &address);
    return address;
  }
  static void allocate(uv_handle_t *, size_t, uv_buf_t *buffer) {
    static char space[1 << 16];
    *buffer = uv_buf_init(space, sizeof space);
  }
  static void on_server(uv_stream_t *listener, int) {
    auto *t = static_cast<chaos_proxy_unit *>(listener->data);
    uv_tcp_init(&t->loop, &t->server);
    t->server.data = t;
    t->server_there = true;
    auto *stream = reinterpret_cast<uv_stream_t *>(&t->server);
    ASSERT_EQ(uv_accept(listener, stream), 0);
    uv_read_start(stream, allocate, [](uv_stream_t *s, ssize_t n, const uv_buf_t *b) {
      auto *test = static_cast<chaos_proxy_unit *>(s->data);
      if (n < 0) {
        test->server_end = static_cast<int>(n);
        uv_read_stop(s);
        return;
      }
      test->server_heard.append(b->base, static_cast<size_t>(n));
      test->write(test->server, std::string(b->base, static_cast<size_t>(n)));
    });
  }
  void write(uv_tcp_t &tcp, const std::string &bytes) {
    struct request {
      uv_write_t uv;
      std::string bytes;
    };
    auto *w = new request{{}, bytes};
    uv_buf_t buffer = uv_buf_init(w->bytes.data(), static_cast<unsigned>(bytes.size()));
    uv_write(&w->uv, reinterpret_cast<uv_stream_t *>(&tcp), &buffer, 1,
             [](uv_write_t *uv, int) { delete reinterpret_cast<request *>(uv); });
  }
  void connect() {
    uv_tcp_init(&loop, &client);
    client.data = this;
    sockaddr_in address = local(proxy.port);
    uv_tcp_connect(&connecting, &client, reinterpret_cast<sockaddr *>(&address),
                   [](uv_connect_t *c, int status) {
                     auto *t = static_cast<chaos_proxy_unit *>(c->handle->data);
                     ASSERT_EQ(status, 0);
                     t->connected = true;
                     uv_read_start(c->handle, allocate, on_client_bytes);
                   });
    ASSERT_TRUE(run_until([&] { return connected && server_there; }));
  }
  static void on_client_bytes(uv_stream_t *s, ssize_t n, const uv_buf_t *b) {
    auto *t = static_cast<chaos_proxy_unit *>(s->data);
    if (n < 0) {
      t->client_end = static_cast<int>(n);
      uv_read_stop(s);
      return;
    }
    t->reads++;
    t->heard.append(b->base, static_cast<size_t>(n));
  }
  // At most so many turns of the loop, which no test that passes comes near.
  bool run_until(const std::function<bool()> &done) {
    for (int i = 0; i < 10000000 && !done(); i++) uv_run(&loop, UV_RUN_ONCE);
    return done();
  }
  void close_client() {
    uv_close(reinterpret_cast<uv_handle_t *>(&client), nullptr);
    ASSERT_TRUE(run_until([&] { return server_end != 0; }));
  }
  // How much the server hears of `bytes` before the connection is cut.
  size_t heard_until_cut(const std::string &bytes) {
    connect();
    write(client, bytes);
    EXPECT_TRUE(run_until([&] { return client_end != 0; }));
    return server_heard.size();
  }
};

}  // namespace

TEST_F(chaos_proxy_unit, bytes_come_as_they_were_late_and_in_pieces) {
  proxy.options.delay_ms = 2;
  proxy.options.jitter_ms = 5;
  proxy.options.piece = 100;
  std::string bytes = noise(30000, 1);
  connect();
  write(client, bytes);
  ASSERT_TRUE(run_until([&] { return heard.size() == bytes.size(); }));
  EXPECT_EQ(heard, bytes);
  EXPECT_GE(proxy.counts.pieces, 600u);
  EXPECT_EQ(proxy.counts.bytes, 60000u);
}

TEST_F(chaos_proxy_unit, one_byte_at_a_time) {
  proxy.options.piece = 1;
  connect();
  write(client, "stream");
  ASSERT_TRUE(run_until([&] { return heard == "stream"; }));
  EXPECT_EQ(proxy.counts.pieces, 12u);
  EXPECT_GE(reads, 2u) << "they arrived together";
}

TEST_F(chaos_proxy_unit, a_slow_link_holds_no_more_than_its_bound) {
  proxy.options.bytes_per_second = 20000000;
  std::string bytes = noise(4 << 20, 2);
  connect();
  write(client, bytes);
  ASSERT_TRUE(run_until([&] { return heard.size() == bytes.size(); }));
  EXPECT_EQ(heard, bytes);
  EXPECT_LE(proxy.counts.most_held, (1u << 20) + (1u << 16));
  EXPECT_GE(proxy.counts.most_held, 1u << 16) << "nothing had to wait";
}

TEST_F(chaos_proxy_unit, an_end_is_passed_on_behind_the_bytes) {
  proxy.options.delay_ms = 5;
  connect();
  write(client, "last words");
  close_client();
  EXPECT_EQ(server_heard, "last words");
  EXPECT_EQ(server_end, UV_EOF);
}

TEST_F(chaos_proxy_unit, a_reset_and_an_end) {
  connect();
  chaos_cut_all(proxy, chaos_cut::reset);
  ASSERT_TRUE(run_until([&] { return client_end && server_end; }));
  EXPECT_EQ(client_end, UV_ECONNRESET);
  EXPECT_EQ(server_end, UV_ECONNRESET);
  EXPECT_EQ(proxy.counts.cuts, 1u);
}

TEST_F(chaos_proxy_unit, an_end_to_both) {
  connect();
  chaos_cut_all(proxy, chaos_cut::fin);
  ASSERT_TRUE(run_until([&] { return client_end && server_end; }));
  EXPECT_EQ(client_end, UV_EOF);
  EXPECT_EQ(server_end, UV_EOF);
}

TEST_F(chaos_proxy_unit, a_half_open_connection_is_silent_and_stays) {
  connect();
  write(client, "before");
  ASSERT_TRUE(run_until([&] { return heard == "before"; }));
  chaos_half_open_all(proxy);
  write(client, "after");
  ASSERT_TRUE(run_until([&] { return proxy.counts.dropped == 5; }));
  write(server, "from the other side");
  ASSERT_TRUE(run_until([&] { return proxy.counts.dropped == 5 + 19; }));
  // Its end is kept from the other side as well.
  uv_close(reinterpret_cast<uv_handle_t *>(&client), nullptr);
  write(server, "again");
  ASSERT_TRUE(run_until([&] { return proxy.counts.dropped == 5 + 19 + 5; }));
  EXPECT_EQ(heard, "before");
  EXPECT_EQ(server_heard, "before");
  EXPECT_EQ(server_end, 0);
  EXPECT_EQ(proxy.counts.cuts, 0u);
}

TEST_F(chaos_proxy_unit, cuts_are_made_where_the_seed_says) {
  proxy.options.cut_after = 1000;
  size_t expected = rstream::sim::random_between(proxy.random, 1, 1999) - 1;
  proxy.random = rstream::sim::random_of(7, 0);
  // A byte at a time: a reset takes what waits with it.
  proxy.options.piece = 1;
  EXPECT_LE(heard_until_cut(noise(4000, 3)), expected);
  EXPECT_EQ(proxy.counts.cuts, 1u);
  EXPECT_LE(proxy.counts.bytes, expected);
  EXPECT_GE(proxy.counts.bytes + 1, expected / 2);
}

TEST_F(chaos_proxy_unit, half_open_after_so_many_bytes) {
  proxy.options.half_open_after = 1000;
  connect();
  write(client, noise(4000, 4));
  ASSERT_TRUE(run_until([&] { return proxy.counts.half_opened == 1; }));
  EXPECT_LT(server_heard.size(), 2000u);
  EXPECT_EQ(client_end, 0);
}

TEST_F(chaos_proxy_unit, bits_are_changed_on_the_way_back_alone) {
  proxy.options.flip_one_in_down = 500;
  std::string bytes = noise(50000, 5);
  connect();
  write(client, bytes);
  ASSERT_TRUE(run_until([&] { return heard.size() == bytes.size(); }));
  EXPECT_EQ(server_heard, bytes);
  size_t changed = 0;
  for (size_t i = 0; i < bytes.size(); i++) changed += heard[i] != bytes[i];
  EXPECT_EQ(changed, proxy.counts.flipped);
  EXPECT_GT(changed, 60u);
  EXPECT_LT(changed, 160u);
}

TEST_F(chaos_proxy_unit, bits_are_changed_on_the_way_there) {
  proxy.options.flip_one_in_up = 500;
  std::string bytes = noise(5000, 6);
  connect();
  write(client, bytes);
  ASSERT_TRUE(run_until([&] { return heard.size() == bytes.size(); }));
  EXPECT_NE(server_heard, bytes);
  EXPECT_EQ(heard, server_heard);
}
