// One timer looks at "last read" and "last written" twice per interval.
#include "conn/conn_internal.h"

namespace rstream {

namespace {

uint64_t interval_ms(const conn *c) { return uint64_t{c->heartbeat_s} * 1000; }

// A loop that was busy elsewhere runs its timers before it reads: what looks like silence
// may be waiting in the socket. Then the judgement is left to the next round.
bool came_late(const conn *c, uint64_t now) {
  return now - c->heartbeat_timer.due_ms > interval_ms(c) / 2;
}

void send_heartbeat(conn *c, uint64_t now) {
  if (now - c->last_written_ms < interval_ms(c) / 2) return;
  // A peer that does not read gets no pile of them.
  if (c->queue.blocked) return;
  if (conn_send(c, wire::heartbeat{}) < 0) {
    log_line(c->world->log, log_level::warn, "no memory for a heartbeat to %s:%u",
             c->host, c->port);
  }
}

void on_tick(net_timer *timer) {
  conn *c = RSTREAM_OWNER(timer, conn, heartbeat_timer);
  uint64_t now = net_now_ms(*c->world);
  bool late = came_late(c, now);
  net_timer_start(*c->world, c->heartbeat_timer, interval_ms(c) / 2);
  if (!late && now - c->last_read_ms >= 2 * interval_ms(c)) {
    conn_fail(c, RSTREAM_EHEARTBEAT, "nothing heard for %llu ms",
              static_cast<unsigned long long>(now - c->last_read_ms));
    return;
  }
  send_heartbeat(c, now);
}

}  // namespace

void conn_heartbeat_start(conn *c) {
  if (c->heartbeat_s == 0) return;
  c->heartbeat_timer.on_due = on_tick;
  net_timer_start(*c->world, c->heartbeat_timer, interval_ms(c) / 2);
}

}  // namespace rstream
