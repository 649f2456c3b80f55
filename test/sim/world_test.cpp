// The simulated world itself: what lib/net promises, and that a seed decides everything.
#include "sim/world.h"

#include <gtest/gtest.h>
#include <uv.h>

#include <cstdlib>
#include <cstring>

namespace rstream::sim {

namespace {

constexpr uint64_t many_events = 1000000;

// One end of a connection that notes what it is told.
struct party {
  transport *link = nullptr;
  int connected = 1;  // 1: not told
  std::string received;
  int end = 0;
  int writable = 0;
  uint8_t space[512];
};

party *party_of(void *owner) { return static_cast<party *>(owner); }

constexpr transport_events party_events = {
    [](void *owner, int status) { party_of(owner)->connected = status; },
    [](void *owner) { return std::span<uint8_t>(party_of(owner)->space); },
    [](void *owner, ptrdiff_t n) {
      party *p = party_of(owner);
      if (n < 0) {
        p->end = static_cast<int>(n);
      } else {
        p->received.append(reinterpret_cast<char *>(p->space), static_cast<size_t>(n));
      }
    },
    [](void *owner) { party_of(owner)->writable++; }};

struct resolver {
  resolve_request request;
  int status = 1;  // 1: not told
  size_t count = 0;
  net_address addresses[net_max_addresses];
};

void on_resolved(resolve_request *request, int status,
                 std::span<const net_address> found) {
  resolver *r = RSTREAM_OWNER(request, resolver, request);
  r->status = status;
  r->count = found.size();
  for (size_t i = 0; i < found.size(); i++) r->addresses[i] = found[i];
}

struct world_test : testing::Test {
  simulation s;
  host *client = nullptr;
  host *server = nullptr;
  party here, there;
  resolver found;

  void start(uint64_t seed) {
    simulation_init(s, seed);
    client = host_create(s, "client", s.host_memory, logger{});
    server = host_create(s, "server", s.host_memory, logger{});
    listener l;
    l.arg = this;
    l.on_accept = [](void *arg, transport *t) {
      auto *test = static_cast<world_test *>(arg);
      t->events = &party_events;
      t->owner = &test->there;
      test->there.link = t;
    };
    listen(server, 7, l);
    found.request.on_resolved = on_resolved;
  }
  void run() { ASSERT_TRUE(simulation_run(s, many_events)); }
  void resolve(const char *name, uint16_t port) {
    ASSERT_EQ(net_resolve(client->base, found.request, name, port), 0);
    run();
  }
  void connect(size_t address = 0) {
    ASSERT_EQ(net_connect(client->base, &here.link, found.addresses[address],
                          &party_events, &here),
              0);
    run();
  }
  void meet() {
    resolve("server", 7);
    connect();
    ASSERT_EQ(here.connected, 0);
  }
  ptrdiff_t write(party &p, const std::string &text) {
    net_buffer b = {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
    return transport_write(p.link, {&b, 1});
  }
  void TearDown() override {
    if (here.link) transport_close(here.link);
    if (there.link) transport_close(there.link);
    host_close(&client->base, nullptr, nullptr);
    host_close(&server->base, nullptr, nullptr);
    run();
    EXPECT_EQ(s.failure, "");
    simulation_release(s);
    EXPECT_EQ(s.host_memory.bytes_held, 0u);
  }
};

TEST_F(world_test, timers_run_in_order_of_time_then_start) {
  start(1);
  static std::string order;
  order.clear();
  net_timer a, b, c;
  a.on_due = [](net_timer *) { order += 'a'; };
  b.on_due = [](net_timer *) { order += 'b'; };
  c.on_due = [](net_timer *) { order += 'c'; };
  net_timer_start(client->base, a, 20);
  net_timer_start(client->base, b, 10);
  net_timer_start(client->base, c, 10);
  run();
  EXPECT_EQ(order, "bca");
  EXPECT_GE(net_now_ms(client->base), 20u);
}

TEST_F(world_test, tasks_run_at_the_end_of_the_turn_gather_before_write) {
  start(1);
  static std::string order;
  order.clear();
  net_task write_task, gather_task;
  write_task.run = [](net_task *) { order += 'w'; };
  gather_task.run = [](net_task *) { order += 'g'; };
  net_task_queue(client->base, write_task, task_stage::write);
  net_task_queue(client->base, gather_task, task_stage::gather);
  EXPECT_EQ(order, "");
  run();
  EXPECT_EQ(order, "gw");
}

TEST_F(world_test, resolve_fails_for_a_name_nobody_has) {
  start(1);
  resolve("nowhere", 7);
  EXPECT_EQ(found.status, UV_EAI_NONAME);
  EXPECT_EQ(found.request.backend, nullptr);
}

TEST_F(world_test, resolve_is_cancelled) {
  start(1);
  ASSERT_EQ(net_resolve(client->base, found.request, "server", 7), 0);
  net_resolve_cancel(client->base, found.request);
  run();
  EXPECT_EQ(found.status, 1);
}

TEST_F(world_test, a_name_has_several_addresses_and_one_is_dead) {
  start(1);
  name_add(s, "both", "gone");
  name_add(s, "both", "server");
  resolve("both", 7);
  ASSERT_EQ(found.count, 2u);
  connect(0);
  EXPECT_EQ(here.connected, UV_ECONNREFUSED);
  transport_close(here.link);
  connect(1);
  EXPECT_EQ(here.connected, 0);
}

TEST_F(world_test, connecting_to_a_closed_port_is_refused) {
  start(1);
  resolve("server", 8);
  connect();
  EXPECT_EQ(here.connected, UV_ECONNREFUSED);
}

TEST_F(world_test, connecting_can_stay_without_answer) {
  start(1);
  s.sky.connect_silent = 1000;
  resolve("server", 7);
  connect();
  EXPECT_EQ(here.connected, 1);
}

TEST_F(world_test, bytes_arrive_in_order_in_small_segments) {
  start(3);
  s.sky.segment_bytes_max = 7;
  s.sky.short_write = 300;
  meet();
  std::string sent;
  for (int i = 0; i < 200; i++) {
    std::string text = std::to_string(i) + ",";
    ptrdiff_t n = write(here, text);
    ASSERT_GE(n, 0);
    sent += text.substr(0, static_cast<size_t>(n));
    if (i % 20 == 0) run();
  }
  run();
  EXPECT_EQ(there.received, sent);
  EXPECT_GT(here.writable, 0);
}

TEST_F(world_test, a_reader_that_stops_fills_the_pipe) {
  start(1);
  s.sky.pipe_bytes_min = s.sky.pipe_bytes_max = 1000;
  meet();
  transport_set_reading(there.link, false);
  EXPECT_EQ(write(here, std::string(1500, 'x')), 1000);
  run();
  EXPECT_EQ(here.writable, 0);
  EXPECT_EQ(there.received, "");
  transport_set_reading(there.link, true);
  run();
  EXPECT_EQ(here.writable, 1);
  EXPECT_EQ(there.received.size(), 1000u);
}

TEST_F(world_test, bandwidth_takes_its_time) {
  start(1);
  s.sky.bytes_per_ms = 100;
  meet();
  uint64_t before = s.now_us;
  EXPECT_EQ(write(here, std::string(10000, 'x')), 10000);
  run();
  EXPECT_EQ(there.received.size(), 10000u);
  EXPECT_GE(s.now_us - before, 100000u);
}

TEST_F(world_test, closing_ends_the_stream_behind_its_last_byte) {
  start(1);
  meet();
  write(here, "last words");
  transport_close(here.link);
  here.link = nullptr;
  run();
  EXPECT_EQ(there.received, "last words");
  EXPECT_EQ(there.end, UV_EOF);
}

TEST_F(world_test, a_reset_is_told_to_both_ends) {
  start(1);
  meet();
  connection_lose(s, *s.connections.back(), loss::reset);
  run();
  EXPECT_EQ(here.end, UV_ECONNRESET);
  EXPECT_EQ(there.end, UV_ECONNRESET);
}

TEST_F(world_test, resetting_drops_what_was_on_its_way) {
  start(1);
  meet();
  write(there, "never read");
  transport_reset(there.link);
  there.link = nullptr;
  run();
  EXPECT_EQ(here.end, UV_ECONNRESET);
}

TEST_F(world_test, silence_swallows_everything) {
  start(1);
  meet();
  connection_lose(s, *s.connections.back(), loss::silence);
  EXPECT_EQ(write(here, "hello?"), 6);
  run();
  EXPECT_EQ(there.received, "");
  EXPECT_EQ(here.end, 0);
  EXPECT_EQ(there.end, 0);
}

TEST_F(world_test, writing_to_who_has_closed_is_answered_by_a_reset) {
  start(1);
  meet();
  transport_close(there.link);
  there.link = nullptr;
  EXPECT_EQ(write(here, "hello?"), 6);
  run();
  EXPECT_NE(here.end, 0);
}

TEST_F(world_test, closing_a_host_tells_what_it_left_behind) {
  start(1);
  net_timer forgotten;
  forgotten.on_due = [](net_timer *) {};
  host *h = host_create(s, "sloppy", s.host_memory, logger{});
  net_timer_start(h->base, forgotten, 1000);
  host_close(&h->base, nullptr, nullptr);
  run();
  EXPECT_EQ(s.failure, "sloppy closed with a timer running");
  s.failure.clear();
  s.stopped = false;
}

std::string trace_of(uint64_t seed) {
  simulation s;
  char *text = nullptr;
  size_t size = 0;
  s.trace = open_memstream(&text, &size);
  simulation_init(s, seed);
  s.sky.segment_bytes_max = 20;
  host *h = host_create(s, "alone", s.host_memory, logger{});
  static net_timer timer;
  static simulation *world;
  static int rounds;
  world = &s;
  rounds = 0;
  timer.on_due = [](net_timer *t) {
    host *on = world->hosts[0];
    if (++rounds < 50) net_timer_start(on->base, *t, net_random(on->base) % 100);
  };
  net_timer_start(h->base, timer, 1);
  EXPECT_TRUE(simulation_run(s, many_events));
  host_close(&h->base, nullptr, nullptr);
  EXPECT_TRUE(simulation_run(s, many_events));
  fclose(s.trace);
  std::string result(text, size);
  free(text);
  return result;
}

TEST(world, a_seed_decides_everything) {
  EXPECT_EQ(trace_of(1), trace_of(1));
  EXPECT_NE(trace_of(1), trace_of(2));
}

}  // namespace

}  // namespace rstream::sim
