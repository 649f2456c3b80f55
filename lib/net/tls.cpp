// The transport with TLS: what is received by the transport beneath is decrypted straight
// into the owner's space, what is written is encrypted into a buffer of its own, which
// goes out in as few system calls as possible.
#include "net/tls.h"

#include <cassert>
#include <cstring>

#include "net/net_errors.h"
#include "net/tls_session.h"
#include "rstream/error.h"

namespace rstream {

namespace {

// Four full records fit, and what mbedTLS sends by itself always finds room.
constexpr size_t reserved_bytes = 8u << 10;
constexpr size_t output_bytes = (4u * (16384 + 512)) + reserved_bytes;

// Buffers smaller than this share a record with those that follow.
constexpr size_t small_buffer_bytes = 4096;

struct tls_link {
  transport base;
  transport *inner = nullptr;
  memory *mem = nullptr;
  tls_scratch *scratch = nullptr;
  tls_session *session = nullptr;
  // Ciphertext that was received, in the scratch memory: used up before on_read returns.
  const uint8_t *input = nullptr;
  size_t input_left = 0;
  // Ciphertext to be sent.
  uint8_t *output = nullptr;
  size_t output_begin = 0;
  size_t output_end = 0;
  bool established = false;
  bool blocked = false;         // the transport beneath is full and will tell
  bool wants_writable = false;  // on_writable was promised
  bool ended = false;           // the end was told: nothing more is read or written
  bool closed = false;          // transport_close() was called
  int busy = 0;                 // calls at work on it: must not be freed yet
  bool spoke_tls = true;        // what came first looks like TLS
  bool heard = false;           // something came
};

tls_link *link_of(transport *t) { return reinterpret_cast<tls_link *>(t); }

void free_link(tls_link *t) {
  tls_session_release(t->session);
  memory_release(*t->mem, t->output);
  memory_delete(*t->mem, t);
}

struct busy_scope {
  tls_link *t;
  explicit busy_scope(tls_link *link) : t(link) { t->busy++; }
  ~busy_scope() {
    if (--t->busy == 0 && t->closed) free_link(t);
  }
  busy_scope(const busy_scope &) = delete;
  busy_scope &operator=(const busy_scope &) = delete;
};

size_t take_input(void *owner, uint8_t *to, size_t size) {
  auto *t = static_cast<tls_link *>(owner);
  size_t n = size < t->input_left ? size : t->input_left;
  if (n) memcpy(to, t->input, n);
  t->input += n;
  t->input_left -= n;
  return n;
}

size_t output_room(const tls_link *t) { return output_bytes - t->output_end; }

size_t put_output(void *owner, const uint8_t *from, size_t size) {
  auto *t = static_cast<tls_link *>(owner);
  size_t room = output_room(t);
  size_t n = size < room ? size : room;
  if (n) memcpy(t->output + t->output_end, from, n);
  t->output_end += n;
  return n;
}

constexpr tls_io io = {take_input, put_output};

// 0, or a code of libuv: the transport beneath is broken.
int flush(tls_link *t) {
  if (t->blocked || t->output_begin == t->output_end) return 0;
  net_buffer rest = {t->output + t->output_begin, t->output_end - t->output_begin};
  ptrdiff_t taken = transport_write(t->inner, {&rest, 1});
  if (taken < 0) return static_cast<int>(taken);
  t->output_begin += static_cast<size_t>(taken);
  t->blocked = t->output_begin < t->output_end;
  if (!t->blocked) t->output_begin = t->output_end = 0;
  return 0;
}

void tell_end(tls_link *t, ptrdiff_t code) {
  t->ended = true;
  t->base.trouble = tls_session_trouble(*t->session);
  if (t->established) {
    t->base.events->on_read(t->base.owner, code);
  } else {
    t->base.events->on_connected(t->base.owner, static_cast<int>(code));
  }
}

// An alert that tells the peer why is worth a try.
void fail(tls_link *t, ptrdiff_t code) {
  int rc = flush(t);
  (void)rc;
  tell_end(t, code);
}

bool over(const tls_link *t) { return t->closed || t->ended; }

// False when it needs more input, or it is over.
bool shake_hands(tls_link *t) {
  ptrdiff_t n = tls_session_handshake(*t->session);
  if (over(t)) return false;
  if (n > 0) {
    t->established = true;
    t->base.trouble = nullptr;
    t->base.events->on_connected(t->base.owner, 0);
    return !over(t);
  }
  if (n < 0) fail(t, n);
  return false;
}

// Fills the owner's space with as many records as it takes. False as above.
bool read_text(tls_link *t) {
  std::span<uint8_t> space = t->base.events->on_space(t->base.owner);
  if (space.empty()) {
    tell_end(t, net_error_no_memory());
    return false;
  }
  size_t got = 0;
  ptrdiff_t n = 0;
  while (got < space.size()) {
    n = tls_session_read(*t->session, space.subspan(got));
    if (n <= 0) break;
    got += static_cast<size_t>(n);
  }
  if (got) t->base.events->on_read(t->base.owner, static_cast<ptrdiff_t>(got));
  if (over(t)) return false;
  if (n < 0) fail(t, n);
  return n > 0;
}

void work(tls_link *t) {
  while (!over(t) && (t->established ? read_text(t) : shake_hands(t))) {
  }
  if (over(t)) return;
  int rc = flush(t);
  if (rc < 0) tell_end(t, rc);
}

// ---- events of the transport beneath

void on_connected(void *owner, int status) {
  auto *t = static_cast<tls_link *>(owner);
  busy_scope scope(t);
  if (status < 0) {
    t->ended = true;
    t->base.trouble = nullptr;
    t->base.events->on_connected(t->base.owner, status);
    return;
  }
  t->base.trouble = "the peer does not finish the TLS handshake";
  if (t->base.events->on_reached) t->base.events->on_reached(t->base.owner);
  work(t);
}

std::span<uint8_t> on_space(void *owner) {
  auto *t = static_cast<tls_link *>(owner);
  return t->scratch->received;
}

// The types of a record are four, its version's first byte is 3.
void listen_first(tls_link *t, size_t n) {
  if (t->heard) return;
  const uint8_t *first = t->scratch->received;
  t->heard = true;
  t->spoke_tls = first[0] >= 20 && first[0] <= 23 && (n < 2 || first[1] == 3);
}

void on_peer_end(tls_link *t, ptrdiff_t code) {
  if (t->established) {
    tls_session_set_trouble(*t->session, nullptr);
    return tell_end(t, code);
  }
  // What brokers do that are sent a ClientHello where they expect plain text.
  tls_session_set_trouble(
      *t->session,
      t->heard ? "the peer ended the connection in the TLS handshake"
               : "the peer ended the connection instead of answering the TLS handshake: "
                 "maybe its port is one for plain text");
  tell_end(t, RSTREAM_ETLS);
}

void on_read(void *owner, ptrdiff_t n) {
  auto *t = static_cast<tls_link *>(owner);
  busy_scope scope(t);
  if (over(t)) return;
  if (n < 0) return on_peer_end(t, n);
  listen_first(t, static_cast<size_t>(n));
  if (!t->spoke_tls) {
    tls_session_set_trouble(*t->session,
                            "the peer does not speak TLS: maybe its port is "
                            "one for plain text");
    return tell_end(t, RSTREAM_ETLS);
  }
  t->input = t->scratch->received;
  t->input_left = static_cast<size_t>(n);
  work(t);
}

void on_writable(void *owner) {
  auto *t = static_cast<tls_link *>(owner);
  busy_scope scope(t);
  if (over(t)) return;
  t->blocked = false;
  int rc = flush(t);
  if (rc < 0) return tell_end(t, rc);
  if (t->blocked || !t->wants_writable) return;
  t->wants_writable = false;
  t->base.events->on_writable(t->base.owner);
}

constexpr transport_events inner_events = {on_connected, on_space, on_read, on_writable};

// ---- what the owner calls

// The text of the next record: what is left of the first buffer, or, when that is little,
// a copy of what lies in it and those behind.
std::span<const uint8_t> next_text(tls_link *t, std::span<const net_buffer> buffers,
                                   size_t skip) {
  size_t most = tls_session_text_bytes(*t->session);
  size_t first = buffers[0].size - skip;
  if (first >= small_buffer_bytes || buffers.size() == 1)
    return {buffers[0].data + skip, first < most ? first : most};
  uint8_t *to = t->scratch->record;
  if (most > sizeof t->scratch->record) most = sizeof t->scratch->record;
  size_t filled = 0;
  for (const net_buffer &buffer : buffers) {
    size_t n = buffer.size - skip;
    if (n > most - filled) n = most - filled;
    memcpy(to + filled, buffer.data + skip, n);
    filled += n;
    skip = 0;
    if (filled == most) break;
  }
  return {to, filled};
}

bool make_room(tls_link *t, size_t text, ptrdiff_t &error) {
  size_t needed = tls_session_record_bytes(*t->session, text) + reserved_bytes;
  if (output_room(t) >= needed) return true;
  error = flush(t);
  return error == 0 && output_room(t) >= needed;
}

// A record is only begun when there is room for all of it: so mbedTLS never has to be
// called again for the rest of one, with the same text, which nobody may have by then.
ptrdiff_t tls_write(transport *base, std::span<const net_buffer> buffers) {
  tls_link *t = link_of(base);
  if (t->ended) return net_error_lost();
  ptrdiff_t total = 0, error = 0;
  size_t skip = 0;
  while (!buffers.empty()) {
    std::span<const uint8_t> text = next_text(t, buffers, skip);
    if (!make_room(t, text.size(), error)) break;
    ptrdiff_t n = tls_session_write(*t->session, text);
    if (n < 0) {
      t->base.trouble = tls_session_trouble(*t->session);
      return n;
    }
    total += n;
    skip += static_cast<size_t>(n);
    while (!buffers.empty() && skip >= buffers[0].size) {
      skip -= buffers[0].size;
      buffers = buffers.subspan(1);
    }
  }
  if (error == 0) error = flush(t);
  if (error < 0) return error;
  if (!buffers.empty()) t->wants_writable = true;
  return total;
}

void tls_close(transport *base) {
  tls_link *t = link_of(base);
  // The broker learns that the end is meant, if there is room to say so now.
  if (t->established && !t->ended) {
    tls_session_end(*t->session);
    int rc = flush(t);
    (void)rc;
  }
  t->closed = true;
  transport_close(t->inner);
  if (t->busy == 0) free_link(t);
}

constexpr transport_ops ops = {tls_write, tls_close};

}  // namespace

int tls_connect(net &world, transport **out, const net_address &address,
                tls_config &config, const char *host, const transport_events *events,
                void *owner) {
  *out = nullptr;
  memory &mem = *world.mem;
  auto *t = memory_new<tls_link>(mem);
  if (!t) return net_error_no_memory();
  t->mem = &mem;
  t->scratch = &tls_scratch_of(config);
  t->base = {&ops, &world, events, owner, nullptr};
  t->output = static_cast<uint8_t *>(memory_allocate(mem, output_bytes));
  int rc = t->output ? tls_session_create(&t->session, config, host, io, t)
                     : net_error_no_memory();
  if (rc == 0) rc = net_connect(world, &t->inner, address, &inner_events, t);
  if (rc < 0) {
    free_link(t);
    return rc;
  }
  *out = &t->base;
  return 0;
}

}  // namespace rstream
