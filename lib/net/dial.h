#pragma once

// Connects to the first of several addresses that answers, as RFC 8305 has it: the next
// one is tried when one fails, or does not answer for a while; whoever is connected first
// is kept, and the other attempts are ended. Lives on net.h alone.

#include <array>

#include "net/net.h"
#include "net/tls.h"

namespace rstream {

// How long an address is waited for before the next one is tried as well; RFC 8305
// recommends this much.
constexpr uint32_t dial_pause_ms = 250;
// The same for a peer that took the connection and has hands to shake for TLS. That takes
// some round trips of anybody, and costs the broker most of what a connection costs.
constexpr uint32_t dial_handshake_pause_ms = 1000;

struct dial;

struct dial_attempt {
  dial *owner = nullptr;
  transport *link = nullptr;  // nullptr: given up, or not begun
  bool reached = false;       // the peer took the connection
};

struct dial {
  // Exactly once unless it is stopped, maybe from inside the functions below. Status 0:
  // `link` is connected and from now on talks to `events`. Else nullptr, and `reason` in
  // words.
  void (*on_done)(dial *d, transport *link, int status) = nullptr;
  const transport_events *events = nullptr;
  void *owner = nullptr;
  tls_config *tls = nullptr;   // nullptr: plain text
  const char *name = nullptr;  // that a certificate is checked against; borrowed

  net *world = nullptr;  // nullptr: idle
  std::array<net_address, net_max_addresses> addresses;
  std::array<dial_attempt, net_max_addresses> attempts;
  size_t count = 0;
  size_t next = 0;  // address to be tried next
  net_timer pause;
  // Why attempts failed, what says most.
  int worth = 0;
  int reason = 0;
  char text[256] = {};
};

// The members above `world` are set. `addresses` are copied, and tried in this order.
void dial_start(dial &d, net &world, std::span<const net_address> addresses);
// All attempts that are under way have failed with `status`.
void dial_give_up(dial &d, int status);
// Ends it at once; on_done won't come. Harmless when idle.
void dial_stop(dial &d);

// What a link knows about its end, else what the code says. `link` may be nullptr.
const char *transport_words(const transport *link, int code);

}  // namespace rstream
