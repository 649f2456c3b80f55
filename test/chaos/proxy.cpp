#include "chaos/proxy.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <string>

namespace rstream::test {

namespace {

// What one way of a connection holds before its source is read no more.
constexpr size_t most_held = 1 << 20;

struct segment {
  std::string bytes;
  uint64_t due_ms = 0;
};

}  // namespace

// One way of a connection.
struct chaos_way {
  chaos_session *session = nullptr;
  uv_tcp_t *from = nullptr;
  uv_tcp_t *to = nullptr;
  std::deque<segment> held;
  size_t held_bytes = 0;
  uint64_t last_due_ms = 0;
  uint64_t link_free_us = 0;  // when the last byte is through, as the bandwidth allows
  uint64_t until_flip = 0;    // bytes
  bool reading = false;
  bool from_ended = false;
  bool told_end = false;
  uv_timer_t timer{};
  uv_idle_t next_turn{};
};

struct chaos_session {
  chaos_proxy *proxy = nullptr;
  uv_tcp_t client{};
  uv_tcp_t target{};
  uv_connect_t connecting{};
  chaos_way up, down;
  bool connected = false;
  bool half_open = false;
  bool ended = false;
  int open_handles = 6;
  // Bytes until this happens; 0: not to happen.
  uint64_t until_cut = 0;
  uint64_t until_half_open = 0;
};

namespace {

void pump(chaos_way &w);
void read_on(chaos_way &w);

// ---- the end of a connection

void on_handle_closed(uv_handle_t *handle) {
  auto *s = static_cast<chaos_session *>(handle->data);
  if (--s->open_handles > 0) return;
  std::erase(s->proxy->sessions, s);
  delete s;
}

void close_way(chaos_way &w) {
  uv_close(reinterpret_cast<uv_handle_t *>(&w.timer), on_handle_closed);
  uv_close(reinterpret_cast<uv_handle_t *>(&w.next_turn), on_handle_closed);
}

void close_socket(uv_tcp_t &tcp, chaos_cut how) {
  // A socket that is not connected, or shut down already, can't be reset.
  if (how == chaos_cut::reset && uv_tcp_close_reset(&tcp, on_handle_closed) == 0) return;
  uv_close(reinterpret_cast<uv_handle_t *>(&tcp), on_handle_closed);
}

void end_session(chaos_session *s, chaos_cut how) {
  if (s->ended) return;
  s->ended = true;
  close_way(s->up);
  close_way(s->down);
  close_socket(s->client, how);
  close_socket(s->target, how);
}

void cut(chaos_session *s, chaos_cut how) {
  if (s->ended) return;
  s->proxy->counts.cuts++;
  end_session(s, how);
}

// What is on its way is lost, too.
void drop_held(chaos_way &w) {
  w.session->proxy->counts.dropped += w.held_bytes;
  w.held.clear();
  w.held_bytes = 0;
}

void make_half_open(chaos_session *s) {
  if (s->ended || s->half_open) return;
  s->half_open = true;
  s->proxy->counts.half_opened++;
  drop_held(s->up);
  drop_held(s->down);
  if (!s->connected) return;
  read_on(s->up);
  read_on(s->down);
}

// ---- chance

// 1 to twice the average; 0 for never.
uint64_t bytes_until(chaos_proxy &p, uint64_t average) {
  return average ? sim::random_between(p.random, 1, 2 * average - 1) : 0;
}

// Bytes that come now, of which some are changed.
void damage(chaos_way &w, std::string &bytes) {
  chaos_proxy &p = *w.session->proxy;
  bool up = &w == &w.session->up;
  uint64_t one_in = up ? p.options.flip_one_in_up : p.options.flip_one_in_down;
  if (one_in == 0) return;
  if (w.until_flip == 0) w.until_flip = p.options.flip_from + bytes_until(p, one_in);
  size_t at = 0;
  while (w.until_flip <= bytes.size() - at) {
    at += w.until_flip;
    bytes[at - 1] ^= static_cast<char>(1 << sim::random_below(p.random, 8));
    p.counts.flipped++;
    w.until_flip = bytes_until(p, one_in);
  }
  w.until_flip -= bytes.size() - at;
}

// Whether it comes to that within the next `size` bytes.
bool is_within(uint64_t until, size_t size) { return until > 0 && until <= size; }

// They have passed, and it was not within them.
void count_down(uint64_t &until, size_t size) {
  if (until > 0) until -= size;
}

// ---- one way: held until due, then written

uint64_t due_of(chaos_way &w, size_t size) {
  chaos_proxy &p = *w.session->proxy;
  const chaos_options &o = p.options;
  uint64_t now_us = uv_now(p.loop) * 1000;
  w.link_free_us = std::max(w.link_free_us, now_us);
  if (o.bytes_per_second) w.link_free_us += size * 1000000 / o.bytes_per_second;
  uint64_t due_ms = w.link_free_us / 1000 + o.delay_ms;
  if (o.jitter_ms) due_ms += sim::random_below(p.random, uint64_t{o.jitter_ms} + 1);
  w.last_due_ms = std::max(w.last_due_ms, due_ms);
  return w.last_due_ms;
}

// Bandwidth needs pieces, or a large segment would come at once, after a long time.
size_t piece_of(const chaos_options &o) {
  if (o.piece) return o.piece;
  return o.bytes_per_second ? std::max<size_t>(o.bytes_per_second / 100, 1) : SIZE_MAX;
}

void hold(chaos_way &w, const std::string &bytes) {
  size_t piece = piece_of(w.session->proxy->options);
  for (size_t at = 0; at < bytes.size();) {
    segment part{bytes.substr(at, piece)};
    part.due_ms = due_of(w, part.bytes.size());
    at += part.bytes.size();
    w.held_bytes += part.bytes.size();
    w.held.push_back(std::move(part));
  }
  chaos_counts &c = w.session->proxy->counts;
  c.most_held = std::max<uint64_t>(c.most_held, w.held_bytes);
}

// How many bytes were taken; -1: none, ever. Not by uv_write(), which raises SIGPIPE when
// the other side is gone: in a test that would be taken for the library's.
ssize_t send_now(uv_tcp_t *tcp, const std::string &bytes) {
  uv_os_fd_t fd;
  if (uv_fileno(reinterpret_cast<uv_handle_t *>(tcp), &fd) < 0) return -1;
  ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return n;
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
}

// What a full socket did not take is tried again soon.
void hold_back(chaos_way &w, std::string rest) {
  w.held_bytes += rest.size();
  w.held.push_front({std::move(rest), uv_now(w.session->proxy->loop) + 1});
}

void write_bytes(chaos_way &w, const std::string &bytes) {
  chaos_session *s = w.session;
  ssize_t sent = send_now(w.to, bytes);
  if (sent < 0) return end_session(s, chaos_cut::reset);
  auto size = static_cast<size_t>(sent);
  s->proxy->counts.bytes += size;
  s->proxy->counts.pieces += size > 0;
  count_down(s->until_cut, size);
  count_down(s->until_half_open, size);
  if (size < bytes.size()) hold_back(w, bytes.substr(size));
}

// The end follows the bytes that came before it, and ends the connection with the second.
void pass_end_on(chaos_way &w) {
  chaos_session *s = w.session;
  w.told_end = true;
  if (s->up.told_end && s->down.told_end) return end_session(s, chaos_cut::fin);
  auto *shutdown = new uv_shutdown_t;
  int rc = uv_shutdown(shutdown, reinterpret_cast<uv_stream_t *>(w.to),
                       [](uv_shutdown_t *request, int) { delete request; });
  if (rc == 0) return;
  delete shutdown;
  end_session(s, chaos_cut::fin);
}

// The segment at hand may be where the connection is cut, in its middle.
void write_front(chaos_way &w) {
  chaos_session *s = w.session;
  std::string bytes = std::move(w.held.front().bytes);
  w.held.pop_front();
  w.held_bytes -= bytes.size();
  if (is_within(s->until_half_open, bytes.size())) {
    s->proxy->counts.dropped += bytes.size();
    return make_half_open(s);
  }
  if (is_within(s->until_cut, bytes.size())) {
    bytes.resize(s->until_cut - 1);
    (void)send_now(w.to, bytes);
    bool reset = sim::random_below(s->proxy->random, 2) == 0;
    return cut(s, reset ? chaos_cut::reset : chaos_cut::fin);
  }
  write_bytes(w, bytes);
}

bool is_due(const chaos_way &w) {
  return !w.held.empty() && w.held.front().due_ms <= uv_now(w.session->proxy->loop);
}

void pump_in_next_turn(chaos_way &w) {
  uv_idle_start(&w.next_turn, [](uv_idle_t *idle) {
    uv_idle_stop(idle);
    auto *session = static_cast<chaos_session *>(idle->data);
    pump(idle == &session->up.next_turn ? session->up : session->down);
  });
}

void pump_when_due(chaos_way &w) {
  uv_timer_start(
      &w.timer,
      [](uv_timer_t *timer) {
        auto *session = static_cast<chaos_session *>(timer->data);
        pump(timer == &session->up.timer ? session->up : session->down);
      },
      w.held.front().due_ms - uv_now(w.session->proxy->loop), 0);
}

void pump(chaos_way &w) {
  chaos_session *s = w.session;
  // What comes while a piece was written in this turn waits for the next one.
  if (!s->connected || uv_is_active(reinterpret_cast<uv_handle_t *>(&w.next_turn)))
    return;
  bool one_by_one = s->proxy->options.piece > 0;
  while (!s->ended && !s->half_open && is_due(w)) {
    write_front(w);
    if (one_by_one) break;
  }
  if (s->ended || s->half_open) return;
  if (is_due(w)) {
    pump_in_next_turn(w);
  } else if (!w.held.empty()) {
    pump_when_due(w);
  } else if (w.from_ended && !w.told_end) {
    pass_end_on(w);
  }
  if (!s->ended) read_on(w);
}

// ---- reading

void allocate(uv_handle_t *, size_t, uv_buf_t *buffer) {
  static char space[1 << 16];
  *buffer = uv_buf_init(space, sizeof space);
}

void on_bytes(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer) {
  auto *s = static_cast<chaos_session *>(stream->data);
  chaos_way &w = stream == reinterpret_cast<uv_stream_t *>(&s->client) ? s->up : s->down;
  if (n == 0) return;
  if (s->half_open) {
    // Nobody learns of an end either.
    if (n < 0) return static_cast<void>(uv_read_stop(stream));
    s->proxy->counts.dropped += static_cast<uint64_t>(n);
    return;
  }
  if (n < 0 && n != UV_EOF) return end_session(s, chaos_cut::reset);
  if (n == UV_EOF) {
    w.from_ended = true;
    uv_read_stop(stream);
    w.reading = false;
    return pump(w);
  }
  std::string bytes(buffer->base, static_cast<size_t>(n));
  damage(w, bytes);
  hold(w, bytes);
  read_on(w);
  pump(w);
}

void read_on(chaos_way &w) {
  bool wanted = !w.from_ended && w.held_bytes < most_held;
  if (wanted == w.reading) return;
  w.reading = wanted;
  auto *stream = reinterpret_cast<uv_stream_t *>(w.from);
  if (wanted) {
    uv_read_start(stream, allocate, on_bytes);
  } else {
    uv_read_stop(stream);
  }
}

// ---- the beginning

void on_target_connected(uv_connect_t *request, int status) {
  auto *s = static_cast<chaos_session *>(request->data);
  if (s->ended) return;
  if (status < 0) {
    s->proxy->counts.refused++;
    return end_session(s, chaos_cut::reset);
  }
  s->connected = true;
  uv_tcp_nodelay(&s->target, 1);
  pump(s->down);
  pump(s->up);
}

void init_way(chaos_way &w, chaos_session *s, uv_tcp_t *from, uv_tcp_t *to) {
  w.session = s;
  w.from = from;
  w.to = to;
  uv_timer_init(s->proxy->loop, &w.timer);
  uv_idle_init(s->proxy->loop, &w.next_turn);
  w.timer.data = w.next_turn.data = s;
}

void on_connection(uv_stream_t *listener, int status) {
  if (status < 0) return;
  auto &p = *static_cast<chaos_proxy *>(listener->data);
  auto *s = new chaos_session;
  s->proxy = &p;
  p.sessions.push_back(s);
  p.counts.accepted++;
  s->until_cut = bytes_until(p, p.options.cut_after);
  s->until_half_open = bytes_until(p, p.options.half_open_after);
  uv_tcp_init(p.loop, &s->client);
  uv_tcp_init(p.loop, &s->target);
  s->client.data = s->target.data = s->connecting.data = s;
  init_way(s->up, s, &s->client, &s->target);
  init_way(s->down, s, &s->target, &s->client);
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", p.target, &address);
  if (uv_accept(listener, reinterpret_cast<uv_stream_t *>(&s->client)) < 0 ||
      uv_tcp_nodelay(&s->client, 1) < 0 ||
      uv_tcp_connect(&s->connecting, &s->target, reinterpret_cast<sockaddr *>(&address),
                     on_target_connected) < 0)
    return end_session(s, chaos_cut::fin);
}

int listen_on(chaos_proxy &p, uint16_t port) {
  sockaddr_in address;
  uv_ip4_addr("127.0.0.1", port, &address);
  int rc = uv_tcp_bind(&p.listener, reinterpret_cast<sockaddr *>(&address), 0);
  if (rc == 0)
    rc = uv_listen(reinterpret_cast<uv_stream_t *>(&p.listener), 1024, on_connection);
  int size = sizeof address;
  if (rc == 0)
    rc = uv_tcp_getsockname(&p.listener, reinterpret_cast<sockaddr *>(&address), &size);
  p.port = ntohs(address.sin_port);
  return rc;
}

std::vector<chaos_session *> sessions_now(const chaos_proxy &p) { return p.sessions; }

}  // namespace

int chaos_open(chaos_proxy &p, uv_loop_t *loop, uint16_t target, uint64_t seed,
               uint16_t port) {
  p.loop = loop;
  p.target = target;
  p.random = sim::random_of(seed, 0);
  p.counts = {};
  int rc = uv_tcp_init(loop, &p.listener);
  if (rc < 0) return rc;
  p.listener.data = &p;
  p.open = true;
  rc = listen_on(p, port);
  if (rc < 0) chaos_close(p);
  return rc;
}

void chaos_cut_all(chaos_proxy &p, chaos_cut how) {
  for (chaos_session *s : sessions_now(p)) cut(s, how);
}

void chaos_half_open_all(chaos_proxy &p) {
  for (chaos_session *s : sessions_now(p)) make_half_open(s);
}

void chaos_close(chaos_proxy &p) {
  if (!p.open) return;
  p.open = false;
  bool closed = false;
  p.listener.data = &closed;
  uv_close(reinterpret_cast<uv_handle_t *>(&p.listener),
           [](uv_handle_t *handle) { *static_cast<bool *>(handle->data) = true; });
  for (chaos_session *s : sessions_now(p)) end_session(s, chaos_cut::reset);
  while (!closed || !p.sessions.empty()) uv_run(p.loop, UV_RUN_ONCE);
}

}  // namespace rstream::test
