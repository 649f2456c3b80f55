#include "client/recovery.h"

#include "client/env.h"

namespace rstream {

namespace {

recovery_scheduler &scheduler_of(recovery &r) { return r.env->recoveries; }

recovery *recovery_of(list_node *node) { return RSTREAM_OWNER(node, recovery, node); }

void begin(recovery &r) {
  scheduler_of(r).under_way++;
  scheduler_of(r).attempts++;
  r.at = recovery_step::under_way;
  r.on_due(&r);
}

// Those that wait are woken by their timers, as this may be called from anywhere.
void wake_next(rstream_env *e) {
  if (e->recoveries.under_way >= e->recoveries.config.parallel) return;
  list_node *node = list_pop_front(e->recoveries.waiting);
  if (!node) return;
  recovery *next = recovery_of(node);
  next->at = recovery_step::pausing;
  net_timer_start(*e->world, next->pause, 0);
}

void on_due(net_timer *timer) {
  recovery &r = *RSTREAM_OWNER(timer, recovery, pause);
  recovery_scheduler &s = scheduler_of(r);
  if (s.under_way < s.config.parallel) return begin(r);
  r.at = recovery_step::waiting;
  list_push_back(s.waiting, r.node);
}

// Full jitter: anywhere from none to the limit, which keeps the many that lost the same
// broker from coming back in step.
uint32_t random_pause(recovery &r) {
  const recovery_config &config = scheduler_of(r).config;
  uint64_t limit = config.first_ms;
  for (uint32_t i = 1; i < r.attempt && limit < config.longest_ms; i++) limit *= 2;
  if (limit > config.longest_ms) limit = config.longest_ms;
  return static_cast<uint32_t>(net_random(*r.env->world) % (limit + 1));
}

void pause(recovery &r, uint32_t ms) {
  recovery_cancel(r);
  r.at = recovery_step::pausing;
  net_timer_start(*r.env->world, r.pause, ms);
}

}  // namespace

bool recovery_may_help(int status) {
  return status == RSTREAM_BROKER_PRECONDITION_FAILED ||
         rstream_error_is_retriable(status);
}

void recovery_init(recovery &r, rstream_env *e, void (*due)(recovery *r)) {
  r.env = e;
  r.pause.on_due = on_due;
  r.on_due = due;
}

uint32_t recovery_again(recovery &r) {
  uint64_t open_ms = net_now_ms(*r.env->world) - r.succeeded_ms;
  bool was_open = r.at == recovery_step::idle && r.succeeded_ms > 0;
  if (was_open && open_ms > scheduler_of(r).config.longest_ms) r.attempt = 0;
  r.attempt++;
  uint32_t ms = random_pause(r);
  pause(r, ms);
  return ms;
}

void recovery_now(recovery &r) {
  r.attempt++;
  pause(r, 0);
}

void recovery_succeeded(recovery &r) {
  if (r.at == recovery_step::under_way) scheduler_of(r).successes++;
  recovery_cancel(r);
  r.succeeded_ms = net_now_ms(*r.env->world);
}

void recovery_cancel(recovery &r) {
  net_timer_stop(*r.env->world, r.pause);
  list_remove(r.node);
  bool slot = r.at == recovery_step::under_way;
  r.at = recovery_step::idle;
  if (!slot) return;
  scheduler_of(r).under_way--;
  wake_next(r.env);
}

rstream_state recovery_begin(recovery &r, rstream_recovery mode, int reason) {
  rstream_state event{};
  event.struct_size = sizeof event;
  event.reason = reason;
  if (mode == RSTREAM_RECOVERY_MANUAL) {
    recovery_cancel(r);
    event.state = RSTREAM_STATE_DISCONNECTED;
  } else {
    event.state = RSTREAM_STATE_RECOVERING;
    event.retry_ms = recovery_again(r);
    event.attempt = r.attempt;
  }
  return event;
}

rstream_handle_state recovery_state(const recovery &r, bool recovering, bool was_open) {
  if (recovering && r.at == recovery_step::idle) return RSTREAM_STATE_DISCONNECTED;
  return was_open ? RSTREAM_STATE_RECOVERING : RSTREAM_STATE_OPENING;
}

}  // namespace rstream
