#include "net/dial.h"

#include <cassert>
#include <cstdio>

#include "net/net_errors.h"
#include "rstream/error.h"

namespace rstream {

namespace {

bool is_idle(const dial &d) { return !d.world; }

// What a peer showed is worth more than that it did not finish, and that more than that
// there was none.
int worth_of(const dial_attempt &a, int code) {
  if (net_error_is_about_peer(code)) return 2;
  return a.reached ? 1 : 0;
}

void end_attempt(dial_attempt &a) {
  if (a.link) transport_close(a.link);
  a.link = nullptr;
}

void attempt_failed(dial &d, dial_attempt &a, int code) {
  const char *words = transport_words(a.link, code);
  int worth = worth_of(a, code);
  if (worth >= d.worth) {
    d.worth = worth;
    d.reason = net_error_is_no_memory(code) ? RSTREAM_ENOMEM : code;
    snprintf(d.text, sizeof d.text, "%s", words);
  }
  end_attempt(a);
}

bool any_under_way(const dial &d) {
  for (size_t i = 0; i < d.next; i++) {
    if (d.attempts[i].link) return true;
  }
  return false;
}

void pause(dial &d, uint32_t ms) {
  if (d.next < d.count) net_timer_start(*d.world, d.pause, ms);
}

void finish(dial &d, transport *link, int status) {
  dial_stop(d);
  d.on_done(&d, link, status);  // which may be the end of it
}

void on_connected(void *owner, int status);

void on_reached(void *owner) {
  auto &a = *static_cast<dial_attempt *>(owner);
  a.reached = true;
  pause(*a.owner, dial_handshake_pause_ms);
}

// They come only once it is connected, and then to whom it was dialled for.
std::span<uint8_t> on_space(void *) {
  assert(!"nothing is read before it is connected");
  return {};
}
void on_read(void *, ptrdiff_t) { assert(!"nothing is read before it is connected"); }
void on_writable(void *) { assert(!"nothing was written"); }

constexpr transport_events attempt_events = {on_connected, on_space, on_read, on_writable,
                                             on_reached};

int begin(dial &d, dial_attempt &a, const net_address &address) {
  a.owner = &d;
  a.reached = false;
  if (!d.tls) return net_connect(*d.world, &a.link, address, &attempt_events, &a);
  return tls_connect(*d.world, &a.link, address, *d.tls, d.name, &attempt_events, &a);
}

// One that can't even begin is followed by the one behind it.
void begin_next(dial &d) {
  net_timer_stop(*d.world, d.pause);
  while (d.next < d.count) {
    dial_attempt &a = d.attempts[d.next];
    const net_address &address = d.addresses[d.next++];
    int rc = begin(d, a, address);
    if (rc == 0) return pause(d, dial_pause_ms);
    attempt_failed(d, a, rc);
  }
  if (!any_under_way(d)) finish(d, nullptr, d.reason);
}

void on_connected(void *owner, int status) {
  auto &a = *static_cast<dial_attempt *>(owner);
  dial &d = *a.owner;
  if (status < 0) {
    attempt_failed(d, a, status);
    begin_next(d);
    return;
  }
  transport *link = a.link;
  a.link = nullptr;
  link->events = d.events;
  link->owner = d.owner;
  finish(d, link, 0);
}

void on_pause_over(net_timer *timer) { begin_next(*RSTREAM_OWNER(timer, dial, pause)); }

}  // namespace

void dial_start(dial &d, net &world, std::span<const net_address> addresses) {
  assert(is_idle(d) && !addresses.empty());
  d.world = &world;
  d.count = addresses.size() < d.addresses.size() ? addresses.size() : d.addresses.size();
  for (size_t i = 0; i < d.count; i++) d.addresses[i] = addresses[i];
  d.next = 0;
  d.worth = d.reason = 0;
  d.pause.on_due = on_pause_over;
  begin_next(d);
}

void dial_give_up(dial &d, int status) {
  for (size_t i = 0; i < d.next; i++) {
    if (d.attempts[i].link) attempt_failed(d, d.attempts[i], status);
  }
  finish(d, nullptr, d.reason);
}

void dial_stop(dial &d) {
  if (is_idle(d)) return;
  for (size_t i = 0; i < d.next; i++) end_attempt(d.attempts[i]);
  net_timer_stop(*d.world, d.pause);
  d.world = nullptr;
}

const char *transport_words(const transport *link, int code) {
  const char *text = link ? link->trouble : nullptr;
  if (!text) text = net_error_text(code);
  if (!text) text = code == RSTREAM_ETIMEDOUT ? "the deadline passed" : "connection lost";
  return text;
}

}  // namespace rstream
