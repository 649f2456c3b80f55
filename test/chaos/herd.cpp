// Clients that lose their broker, all at once, and come back: how soon, spread over what
// time, and what they use meanwhile. outage, in this folder, runs it.
//
//   herd [CLIENTS] [fill]          on the broker of RSTREAM_BROKER_URI
//
// Each client is an environment with a producer; the first has a consumer, too. With
// "fill" each sends while the broker is away until its window is full. Prints a line when
// all are open. SIGUSR1 says that the broker will be started now; from here on its port
// is dialled until somebody listens, which is the moment that all times count from.
#include <rstream/rstream.h>
#include <sys/resource.h>
#include <uv.h>

#include <algorithm>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

namespace {

constexpr uint64_t limit_ms = 120 * 1000;  // for all to open, and to come back
constexpr uint64_t dial_every_ms = 5;
const char *const stream = "rstream-herd";

struct herd;

struct client {
  herd *all = nullptr;
  rstream_env *env = nullptr;
  rstream_producer *producer = nullptr;
  uint64_t unconfirmed = 0;
  bool open = false;
  bool lost = false;
  bool dialled = false;  // since somebody listens
  bool again = false;    // open, likewise; a broker that is busy may lose it once more
};

enum class step : uint8_t { opening, open, away, starting, back, deleting, closing };

struct herd {
  uv_loop_t *loop = uv_default_loop();
  std::deque<client> clients;
  rstream_consumer *consumer = nullptr;
  bool fill = false;
  step at = step::opening;
  bool failed = false;
  size_t closed = 0;
  uint64_t consumed = 0;
  uv_signal_t starting;
  uv_timer_t limit;
  // Dialling.
  uv_timer_t dial_timer;
  uv_tcp_t dial;
  uv_connect_t dial_request;
  sockaddr_in address;
  // What it comes to.
  uint64_t lost_ms = 0, lost_cpu_us = 0, lost_rss_kb = 0;
  uint64_t back_ms = 0;
  uint64_t first_confirm_ms = 0, first_delivery_ms = 0;
  std::vector<uint64_t> dialled_ms, open_again_ms;
};

uint64_t now_ms() { return uv_hrtime() / 1000000; }

uint64_t cpu_us() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return static_cast<uint64_t>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
         static_cast<uint64_t>(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

uint64_t rss_kb() {
  size_t bytes = 0;
  uv_resident_set_memory(&bytes);
  return bytes / 1024;
}

rstream_env_stats sum(const herd &h) {
  rstream_env_stats all{};
  for (const client &c : h.clients) {
    rstream_env_stats s{};
    s.struct_size = sizeof s;
    rstream_env_stats_get(c.env, &s);
    all.bytes_allocated += s.bytes_allocated;
    all.recovery_attempts += s.recovery_attempts;
    all.messages_failed += s.messages_failed;
    all.connections_for_locator += s.connections_for_locator;
    all.connections_for_producers += s.connections_for_producers;
    all.connections_for_consumers += s.connections_for_consumers;
  }
  return all;
}

void close_all(herd &h);

void fail(herd &h, const char *what, const char *why) {
  fprintf(stderr, "herd: %s: %s\n", what, why);
  h.failed = true;
  close_all(h);
}

// ---- the end

void close_loop_handles(herd &h) {
  for (uv_handle_t *handle : {reinterpret_cast<uv_handle_t *>(&h.starting),
                              reinterpret_cast<uv_handle_t *>(&h.limit),
                              reinterpret_cast<uv_handle_t *>(&h.dial_timer)})
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
}

void close_all(herd &h) {
  if (h.at == step::closing) return;
  h.at = step::closing;
  for (client &c : h.clients) {
    if (c.env) rstream_env_close(c.env, nullptr, nullptr);
  }
  close_loop_handles(h);
}

void delete_and_close(herd &h) {
  h.at = step::deleting;
  int rc = rstream_stream_delete(
      h.clients[0].env, stream,
      [](rstream_env *, int, const char *, void *user) {
        close_all(*static_cast<herd *>(user));
      },
      &h);
  if (rc < 0) close_all(h);
}

// ---- the figures

void print_away(const herd &h) {
  double seconds = static_cast<double>(now_ms() - h.lost_ms) / 1000;
  double cpu_ms = static_cast<double>(cpu_us() - h.lost_cpu_us) / 1000;
  rstream_env_stats s = sum(h);
  printf("away for %.1f s: CPU %.1f ms, %.4f %%; %" PRIu64 " attempts; RSS %" PRIu64
         " kB when it went, %" PRIu64 " kB now; %" PRIu64 " bytes held by the library\n",
         seconds, cpu_ms, cpu_ms / seconds / 10, s.recovery_attempts, h.lost_rss_kb,
         rss_kb(), s.bytes_allocated);
  fflush(stdout);
}

void print_spread(const char *what, std::vector<uint64_t> &t) {
  if (t.empty()) return;
  std::sort(t.begin(), t.end());
  printf("%zu clients %s: the first after %" PRIu64 " ms, half of them %" PRIu64
         ", 90 %% %" PRIu64 ", the last %" PRIu64 "\n",
         t.size(), what, t.front(), t[t.size() / 2], t[t.size() * 9 / 10], t.back());
}

void print_back(herd &h) {
  printf("since somebody listens: first confirm after %" PRIu64
         " ms, first delivery after %" PRIu64 " ms\n",
         h.first_confirm_ms, h.first_delivery_ms);
  print_spread("dialled", h.dialled_ms);
  print_spread("open again", h.open_again_ms);
  printf("%" PRIu64 " messages failed\n", sum(h).messages_failed);
}

// ---- steps

bool all_settled(const herd &h) {
  return std::all_of(h.clients.begin(), h.clients.end(),
                     [](const client &c) { return c.open && c.unconfirmed == 0; });
}

void look(herd &h) {
  if (h.at == step::opening && all_settled(h) && h.consumed > 0) {
    h.at = step::open;
    uv_timer_stop(&h.limit);  // how long the broker stays away is not its affair
    rstream_env_stats s = sum(h);
    printf("%zu clients open, %u connections\n", h.clients.size(),
           s.connections_for_locator + s.connections_for_producers +
               s.connections_for_consumers);
    fflush(stdout);
  }
  if (h.at == step::back && all_settled(h) && h.first_delivery_ms > 0 &&
      h.open_again_ms.size() == h.clients.size()) {
    print_back(h);
    delete_and_close(h);
  }
}

void is_back(herd &h) {
  h.back_ms = now_ms();
  h.at = step::back;
}

int send_one(client &c, size_t size) {
  static const char body[1000] = {};
  int rc = rstream_producer_send_bytes(c.producer, body, size, nullptr);
  if (rc == 0) c.unconfirmed++;
  return rc;
}

void client_lost(client &c) {
  herd &h = *c.all;
  c.open = false;
  if (c.lost) return;  // or an attempt in vain
  c.lost = true;
  if (h.at == step::open) {
    h.at = step::away;
    h.lost_ms = now_ms();
    h.lost_cpu_us = cpu_us();
    h.lost_rss_kb = rss_kb();
  }
  if (!h.fill) {
    send_one(c, 10);
    return;
  }
  while (send_one(c, 1000) == 0) {
  }
  rstream_producer_stats s{};
  s.struct_size = sizeof s;
  rstream_producer_stats_get(c.producer, &s);
  printf("window full: %" PRIu64 " messages, %" PRIu64 " bytes\n", s.messages_in_flight,
         s.bytes_in_flight);
}

void on_state(rstream_producer *, const rstream_state *state, void *user) {
  client &c = *static_cast<client *>(user);
  herd &h = *c.all;
  if (h.at >= step::deleting) return;
  if (state->state == RSTREAM_STATE_CLOSED)
    return fail(h, "a client gave up", state->text);
  if (state->state == RSTREAM_STATE_RECOVERING) return client_lost(c);
  if (state->state != RSTREAM_STATE_OPEN) return;
  c.open = true;
  if (h.at == step::starting) is_back(h);  // whatever became of dialling
  if (!c.lost) {
    send_one(c, 10);
  } else if (h.back_ms > 0 && !c.again) {
    c.again = true;
    h.open_again_ms.push_back(now_ms() - h.back_ms);
  }
  look(h);
}

void on_confirm(rstream_producer *, const rstream_confirms *confirms, void *user) {
  client &c = *static_cast<client *>(user);
  herd &h = *c.all;
  c.unconfirmed -= confirms->count;
  if (h.back_ms > 0 && h.first_confirm_ms == 0) h.first_confirm_ms = now_ms() - h.back_ms;
  look(h);
}

void on_consumer_state(rstream_consumer *, const rstream_state *state, void *user) {
  herd &h = *static_cast<herd *>(user);
  if (h.at < step::deleting && state->state == RSTREAM_STATE_CLOSED)
    fail(h, "the consumer gave up", state->text);
}

void on_message(rstream_consumer *, const rstream_message_view *, void *user) {
  herd &h = *static_cast<herd *>(user);
  h.consumed++;
  if (h.back_ms > 0 && h.first_delivery_ms == 0)
    h.first_delivery_ms = now_ms() - h.back_ms;
  if (h.consumed == 1 || h.back_ms > 0) look(h);
}

// ---- dialling

void dial(uv_timer_t *timer);

void on_dialled(uv_connect_t *request, int status) {
  herd &h = *static_cast<herd *>(request->data);
  uv_close(reinterpret_cast<uv_handle_t *>(&h.dial), [](uv_handle_t *handle) {
    herd &all = *static_cast<herd *>(handle->data);
    if (all.at == step::starting) uv_timer_start(&all.dial_timer, dial, dial_every_ms, 0);
  });
  if (status == 0 && h.at == step::starting) is_back(h);
}

void dial(uv_timer_t *timer) {
  herd &h = *static_cast<herd *>(timer->data);
  uv_tcp_init(h.loop, &h.dial);
  h.dial.data = h.dial_request.data = &h;
  int rc = uv_tcp_connect(&h.dial_request, &h.dial,
                          reinterpret_cast<sockaddr *>(&h.address), on_dialled);
  if (rc < 0) on_dialled(&h.dial_request, rc);
}

void on_starting(uv_signal_t *signal, int) {
  herd &h = *static_cast<herd *>(signal->data);
  if (h.at != step::away) return fail(h, "SIGUSR1", "the broker is not away");
  print_away(h);
  h.at = step::starting;
  uv_timer_again(&h.limit);
  dial(&h.dial_timer);
}

// ---- the beginning

// Comes before each connection.
void on_address(rstream_env *, rstream_address *, void *user) {
  client &c = *static_cast<client *>(user);
  herd &h = *c.all;
  if (h.back_ms == 0 || c.dialled) return;
  c.dialled = true;
  h.dialled_ms.push_back(now_ms() - h.back_ms);
}

bool open_env(client &c) {
  rstream_env_options o;
  rstream_env_options_init(&o);
  o.uri = getenv("RSTREAM_BROKER_URI");
  o.connection_name = "herd";
  o.on_address = on_address;
  o.address_user = &c;
  return rstream_env_create(&c.env, c.all->loop, &o) == 0;
}

bool open_producer(client &c) {
  rstream_producer_options o;
  rstream_producer_options_init(&o);
  o.stream = stream;
  o.on_state = on_state;
  o.on_confirm = on_confirm;
  o.confirm_timeout_off = 1;
  o.retry_opening = 1;
  if (c.all->fill) o.max_messages_in_flight = 1 << 24;  // so that the bytes are the limit
  o.user = &c;
  return rstream_producer_open(&c.producer, c.env, &o) == 0;
}

bool open_consumer(herd &h) {
  rstream_consumer_options o;
  rstream_consumer_options_init(&o);
  o.stream = stream;
  o.offset_type = RSTREAM_OFFSET_FIRST;
  o.on_message = on_message;
  o.on_state = on_consumer_state;
  o.user = &h;
  return rstream_consumer_open(&h.consumer, h.clients[0].env, &o) == 0;
}

void on_created(rstream_env *, int status, const char *text, void *user) {
  herd &h = *static_cast<herd *>(user);
  if (status != 0 && status != RSTREAM_BROKER_STREAM_EXISTS)
    return fail(h, "creating the stream", text);
  if (!open_consumer(h)) return fail(h, "opening", "the consumer");
  for (client &c : h.clients) {
    if ((!c.env && !open_env(c)) || !open_producer(c))
      return fail(h, "opening", "a client");
  }
}

int port_of_broker() {
  const char *uri = getenv("RSTREAM_BROKER_URI");
  const char *colon = uri ? strrchr(uri, ':') : nullptr;
  return colon ? atoi(colon + 1) : 5552;
}

void raise_descriptor_limit() {
  rlimit r;
  if (getrlimit(RLIMIT_NOFILE, &r) < 0) return;
  r.rlim_cur = r.rlim_max;
  setrlimit(RLIMIT_NOFILE, &r);
}

void on_limit(uv_timer_t *timer) {
  herd &h = *static_cast<herd *>(timer->data);
  size_t open = 0, unconfirmed = 0;
  for (const client &c : h.clients) {
    open += c.open;
    unconfirmed += c.unconfirmed > 0;
  }
  fprintf(stderr,
          "herd: %zu clients are open, %zu opened again, %zu wait for confirms; first "
          "delivery after %" PRIu64 " ms\n",
          open, h.open_again_ms.size(), unconfirmed, h.first_delivery_ms);
  fail(h, "time is over", "in the wrong state");
}

void start(herd &h) {
  uv_signal_init(h.loop, &h.starting);
  uv_timer_init(h.loop, &h.limit);
  uv_timer_init(h.loop, &h.dial_timer);
  h.starting.data = h.limit.data = h.dial_timer.data = &h;
  uv_signal_start(&h.starting, on_starting, SIGUSR1);
  uv_timer_start(&h.limit, on_limit, limit_ms, limit_ms);
  uv_ip4_addr("127.0.0.1", port_of_broker(), &h.address);
  if (!open_env(h.clients[0])) return fail(h, "opening", "the first client");
  if (rstream_stream_create(h.clients[0].env, stream, nullptr, on_created, &h) < 0)
    fail(h, "creating the stream", rstream_env_error_text(h.clients[0].env));
}

}  // namespace

int main(int argc, char **argv) {
  herd h;
  int count = argc > 1 ? atoi(argv[1]) : 500;
  h.fill = argc > 2 && strcmp(argv[2], "fill") == 0;
  if (count < 1 || count > 100000) {
    fprintf(stderr, "usage: herd [CLIENTS] [fill]\n");
    return 2;
  }
  for (int i = 0; i < count; i++) h.clients.emplace_back().all = &h;
  raise_descriptor_limit();
  start(h);
  uv_run(h.loop, UV_RUN_DEFAULT);
  return uv_loop_close(h.loop) == 0 && !h.failed ? 0 : 1;
}
