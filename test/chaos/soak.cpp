// Scenario 101: eight threads publish, one consumer reads, and every few seconds the
// broker loses one of their connections, for as long as one likes. Each message must be
// confirmed, stored once, and consumed in the order of its producer; memory must not
// grow.
//
//   test/broker/with-broker -- soak [MINUTES]
//
// Built with ThreadSanitizer it looks for races, too.
#include <rstream/rstream.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <semaphore>
#include <string>
#include <thread>

namespace {

constexpr int thread_count = 8;
constexpr int posts_in_a_row = 4;  // then a thread sleeps for a millisecond
constexpr int most_waiting = 500;  // posted by it, not accepted yet
constexpr uint64_t kill_every_ms = 5000;
constexpr uint64_t report_every_ms = 60000;
constexpr uint64_t patience_ms = 120000;  // for the last confirms and messages
constexpr const char *stream = "rstream-soak";

struct body {
  uint32_t thread;
  uint32_t unused;
  uint64_t number;
};

struct soak;

struct publisher {
  soak *owner = nullptr;
  uint32_t index = 0;
  std::thread thread;
  std::counting_semaphore<most_waiting + posts_in_a_row> room{most_waiting};
  uint64_t posted = 0;  // the thread's own
  bool ended = false;   // seen on the loop: the thread posts no more

  std::string name;
  rstream_producer *handle = nullptr;
  std::deque<uint64_t> waiting;  // numbers that the window had no room for
  uint64_t sent = 0, confirmed = 0, consumed = 0;
};

struct soak {
  uv_loop_t loop{};
  uv_timer_t killing{}, reporting{}, ending{};
  uv_process_t killer{};
  bool killer_runs = false;
  rstream_env *env = nullptr;
  publisher publishers[thread_count];
  std::atomic<bool> stop{false};
  bool over = false;
  int minutes = 10;
  int kills = 0;
  int failures = 0;
  int reports = 0;
  uint64_t early_rss = 0, early_bytes = 0;  // after the first minute
};

void fail(soak &s, const char *what) {
  fprintf(stderr, "soak: %s\n", what);
  s.failures++;
}

// ---- the threads

struct post {
  publisher *from;
  uint64_t number;
};

void send_waiting(publisher &p) {
  while (!p.waiting.empty()) {
    body content{p.index, 0, p.waiting.front()};
    int rc = rstream_producer_send_bytes(p.handle, &content, sizeof content, nullptr);
    if (rc == RSTREAM_EAGAIN) return;
    if (rc != 0) return fail(*p.owner, rstream_error_text(rc));
    p.waiting.pop_front();
    p.sent++;
    p.room.release();
  }
}

void on_posted(rstream_env *, void *arg) {
  auto *item = static_cast<post *>(arg);
  item->from->waiting.push_back(item->number);
  send_waiting(*item->from);
  delete item;
}

void on_thread_ended(rstream_env *, void *arg) {
  static_cast<publisher *>(arg)->ended = true;
}

void publish(publisher &p) {
  while (!p.owner->stop) {
    for (int i = 0; i < posts_in_a_row; i++) {
      p.room.acquire();
      auto *item = new post{&p, p.posted};
      if (rstream_env_post(p.owner->env, on_posted, item) != 0) abort();
      p.posted++;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (rstream_env_post(p.owner->env, on_thread_ended, &p) != 0) abort();
}

// ---- what comes back

void on_confirm(rstream_producer *, const rstream_confirms *confirms, void *user) {
  auto &p = *static_cast<publisher *>(user);
  if (confirms->status != 0) return fail(*p.owner, rstream_error_text(confirms->status));
  p.confirmed += confirms->count;
}

void on_message(rstream_consumer *, const rstream_message_view *m, void *user) {
  auto &s = *static_cast<soak *>(user);
  body content;
  if (m->body_size != sizeof content) return fail(s, "a message of another size");
  memcpy(&content, m->body, sizeof content);
  if (content.thread >= thread_count) return fail(s, "a message of nobody");
  publisher &p = s.publishers[content.thread];
  if (content.number == p.consumed) {
    p.consumed++;
  } else {
    fail(s, content.number < p.consumed ? "a message twice, or out of order"
                                        : "a message is missing");
  }
}

void on_ended(soak &s, const rstream_state *state) {
  if (state->state == RSTREAM_STATE_CLOSED) fail(s, state->text);
}

// ---- faults and reports

void on_killer_ended(uv_process_t *process, int64_t status, int) {
  auto &s = *static_cast<soak *>(process->data);
  if (status == 0) s.kills++;
  uv_close(reinterpret_cast<uv_handle_t *>(process), [](uv_handle_t *handle) {
    static_cast<soak *>(handle->data)->killer_runs = false;
  });
}

// One of the connections, whichever.
void kill_one(uv_timer_t *timer) {
  auto &s = *static_cast<soak *>(timer->data);
  if (s.killer_runs) return;
  static char expression[] =
      "All = pg_local:get_members(rabbit_stream_connections), "
      "exit(lists:nth(rand:uniform(length(All)), All), kill).";
  static char verb[] = "eval", node[] = "n1";
  char *tool = getenv("RSTREAM_BROKER_TOOL");
  char *arguments[] = {tool, verb, node, expression, nullptr};
  uv_process_options_t options{};
  options.file = tool;
  options.args = arguments;
  options.exit_cb = on_killer_ended;
  s.killer.data = &s;
  s.killer_runs = true;
  if (uv_spawn(&s.loop, &s.killer, &options) == 0) return;
  fail(s, "can't run RSTREAM_BROKER_TOOL");
  uv_close(reinterpret_cast<uv_handle_t *>(&s.killer), [](uv_handle_t *handle) {
    static_cast<soak *>(handle->data)->killer_runs = false;
  });
}

rstream_env_stats stats_of(const soak &s) {
  rstream_env_stats stats;
  stats.struct_size = sizeof stats;
  rstream_env_stats_get(s.env, &stats);
  return stats;
}

void report(uv_timer_t *timer) {
  auto &s = *static_cast<soak *>(timer->data);
  size_t rss = 0;
  uv_resident_set_memory(&rss);
  rstream_env_stats stats = stats_of(s);
  printf(
      "minute %d: %" PRIu64 " confirmed, %" PRIu64 " consumed, %d kills, %" PRIu64
      " connections lost, %" PRIu64 " recoveries, library %" PRIu64 " KiB, RSS %zu KiB\n",
      ++s.reports, stats.messages_confirmed, stats.messages_consumed, s.kills,
      stats.connections_lost, stats.recoveries, stats.bytes_allocated >> 10, rss >> 10);
  fflush(stdout);
  if (s.reports == 1) {
    s.early_rss = rss;
    s.early_bytes = stats.bytes_allocated;
  }
}

// ---- the run

void stop_publishing(uv_timer_t *timer) {
  auto &s = *static_cast<soak *>(timer->data);
  uv_timer_stop(&s.killing);
  uv_timer_stop(&s.reporting);
  s.stop = true;
  uv_timer_start(
      &s.ending, [](uv_timer_t *t) { static_cast<soak *>(t->data)->over = true; },
      patience_ms, 0);
}

bool all_done(const soak &s) {
  for (const publisher &p : s.publishers) {
    if (!p.ended || p.sent < p.posted || p.confirmed < p.sent || p.consumed < p.sent)
      return false;
  }
  return !s.killer_runs;
}

void open_all(soak &s) {
  for (publisher &p : s.publishers) {
    p.owner = &s;
    p.index = static_cast<uint32_t>(&p - s.publishers);
    p.name = "soak-" + std::to_string(p.index);
    rstream_producer_options options;
    rstream_producer_options_init(&options);
    options.stream = stream;
    options.name = p.name.c_str();
    options.confirm_timeout_off = 1;
    options.on_confirm = on_confirm;
    options.on_writable = [](rstream_producer *, void *user) {
      send_waiting(*static_cast<publisher *>(user));
    };
    options.on_state = [](rstream_producer *, const rstream_state *state, void *user) {
      on_ended(*static_cast<publisher *>(user)->owner, state);
    };
    options.user = &p;
    if (rstream_producer_open(&p.handle, s.env, &options) != 0)
      return fail(s, rstream_env_error_text(s.env));
  }
  rstream_consumer_options options;
  rstream_consumer_options_init(&options);
  options.stream = stream;
  options.name = "soak";
  options.offset_type = RSTREAM_OFFSET_FIRST;
  options.on_message = on_message;
  options.on_state = [](rstream_consumer *, const rstream_state *state, void *user) {
    on_ended(*static_cast<soak *>(user), state);
  };
  options.user = &s;
  rstream_consumer *consumer;
  if (rstream_consumer_open(&consumer, s.env, &options) != 0)
    return fail(s, rstream_env_error_text(s.env));
}

void start_timers(soak &s) {
  for (uv_timer_t *timer : {&s.killing, &s.reporting, &s.ending}) {
    uv_timer_init(&s.loop, timer);
    timer->data = &s;
  }
  uv_timer_start(&s.killing, kill_one, kill_every_ms, kill_every_ms);
  uv_timer_start(&s.reporting, report, report_every_ms, report_every_ms);
  uv_timer_start(&s.ending, stop_publishing, static_cast<uint64_t>(s.minutes) * 60000, 0);
}

void on_created(rstream_env *, int status, const char *text, void *user) {
  auto &s = *static_cast<soak *>(user);
  if (status != 0) return fail(s, text);
  open_all(s);
  if (s.failures > 0) return;
  start_timers(s);
  for (publisher &p : s.publishers) p.thread = std::thread(publish, std::ref(p));
}

void close_all(soak &s) {
  for (uv_timer_t *timer : {&s.killing, &s.reporting, &s.ending}) {
    if (timer->data) uv_close(reinterpret_cast<uv_handle_t *>(timer), nullptr);
  }
  rstream_env_close(s.env, nullptr, nullptr);
  uv_run(&s.loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&s.loop) != 0) fail(s, "something is left on the loop");
}

// Memory may go up and down with what is in flight, but not on and on.
void check_memory(soak &s) {
  size_t rss = 0;
  uv_resident_set_memory(&rss);
  uint64_t bytes = stats_of(s).bytes_allocated;
  if (s.early_rss == 0) return;  // too short a run
  printf("library: %" PRIu64 " KiB after the first minute, %" PRIu64
         " KiB at the end; RSS: %" PRIu64 " KiB, %zu KiB\n",
         s.early_bytes >> 10, bytes >> 10, s.early_rss >> 10, rss >> 10);
  if (bytes > 2 * s.early_bytes + (4u << 20)) fail(s, "the library's memory has grown");
  if (rss > 2 * s.early_rss) fail(s, "the resident memory has grown");
}

void tell_end(soak &s) {
  uint64_t sent = 0, confirmed = 0, consumed = 0;
  for (const publisher &p : s.publishers) {
    sent += p.sent;
    confirmed += p.confirmed;
    consumed += p.consumed;
  }
  printf("soak: %" PRIu64 " published by %d threads, %" PRIu64 " confirmed, %" PRIu64
         " consumed once and in order; %d connections killed\n",
         sent, thread_count, confirmed, consumed, s.kills);
  if (confirmed != sent || consumed != sent) fail(s, "something is missing");
  if (s.kills == 0) fail(s, "nothing was killed: this shows nothing");
}

}  // namespace

int main(int argc, char **argv) {
  static soak s;
  if (argc > 1) s.minutes = atoi(argv[1]);
  if (s.minutes < 1 || !getenv("RSTREAM_BROKER_TOOL")) {
    fprintf(stderr, "usage: test/broker/with-broker -- soak [MINUTES]\n");
    return 2;
  }
  uv_loop_init(&s.loop);
  rstream_env_options options;
  rstream_env_options_init(&options);
  options.uri = getenv("RSTREAM_BROKER_URI");
  options.connection_name = "soak";
  if (rstream_env_create(&s.env, &s.loop, &options) != 0 ||
      rstream_stream_create(s.env, stream, nullptr, on_created, &s) != 0) {
    fprintf(stderr, "soak: can't begin\n");
    return 1;
  }
  while (s.failures == 0 && !s.over && !(s.stop && all_done(s)))
    uv_run(&s.loop, UV_RUN_ONCE);
  s.stop = true;
  for (publisher &p : s.publishers) {
    p.room.release(posts_in_a_row);  // it may wait for room that will not come
    if (p.thread.joinable()) p.thread.join();
  }
  check_memory(s);
  tell_end(s);
  close_all(s);
  return s.failures > 0 ? 1 : 0;
}
