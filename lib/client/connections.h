#pragma once

// Connections to the nodes that streams live on. Producers share them, consumers share
// others: a broker that blocks publishing stops reading the whole connection, which must
// not keep credits or answers of consumers from it. Each connection has 256 ids to give
// away.

#include "conn/conn.h"
#include "rstream/env.h"
#include "util/list.h"

namespace rstream {

enum class member_kind : uint8_t { producer, consumer };
constexpr int member_kinds = 2;
constexpr uint32_t ids_per_connection = 256;

// How long a connection that nobody uses is kept for the next one to come.
constexpr uint32_t idle_connection_ms = 5000;

// How long the broker's answer to DeletePublisher or Unsubscribe is waited for.
constexpr uint32_t leave_timeout_ms = 1000;

// What could not be sent for want of memory is tried again after so long.
constexpr uint32_t memory_retry_ms = 10;

struct shared_conn;

// The part of a producer or consumer that lives on a connection.
struct member {
  shared_conn *link = nullptr;  // nullptr: on none
  uint8_t id = 0;               // publisher or subscription id
  const char *stream = nullptr;
};

struct shared_conn {
  list_node node;
  rstream_env *env = nullptr;
  conn *link = nullptr;  // nullptr: between two tries to get through a load balancer
  member_kind kind{};
  char host[256] = {};  // the node, as it calls itself
  uint16_t port = 0;
  uint32_t tries = 0;      // that a load balancer led elsewhere
  bool elsewhere = false;  // it did; the link is being closed
  bool opened = false;     // the link was ready, and counted
  net_timer redial_timer;
  uint32_t used = 0;  // ids not to be given away: those of members and the abandoned ones
  uint32_t members = 0;
  uint8_t next_id = 0;        // ids go round, so that one isn't used again soon
  uint8_t first_drained = 0;  // the id whose turn it is when the connection was full
  bool abandoned[ids_per_connection] = {};
  member *by_id[ids_per_connection] = {};
  net_timer idle_timer;
};

// What a member can send on; nullptr when that has ended. Its other members may have been
// told so, and call the application, before this one is.
inline conn *member_conn(const member &m) {
  conn *c = m.link ? m.link->link : nullptr;
  return c && c->state != conn_state::closed ? c : nullptr;
}

struct connections {
  list of_kind[member_kinds];
  uint32_t count[member_kinds] = {};
  uint64_t closed_idle = 0;
};

// Gives the member an id on a connection to that node, a new one if need be. When the
// connection is ready already, returns 1; when it will tell later, 0. RSTREAM_ENOMEM, or
// a code of libuv.
[[nodiscard]] int connections_join(rstream_env *env, member_kind kind, member &m,
                                   const char *host, uint16_t port);

enum class leave_kind : uint8_t {
  released,  // the broker knows the id no more: it may be used again
  unsettled  // the broker may still know it: not before this connection ends
};
void connections_leave(member &m, leave_kind how);

// Closes those without members at once, the others when their last member leaves.
void connections_close_idle(rstream_env *env);
bool connections_empty(const rstream_env *env);
void connections_stats(const rstream_env *env, rstream_env_stats &stats);

}  // namespace rstream
