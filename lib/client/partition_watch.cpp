#include "client/partition_watch.h"

#include "client/env.h"
#include "wire/topology.h"

namespace rstream {

namespace {

// Partitions that come and go do so together: one look serves for all.
constexpr uint32_t hurry_ms = 1000;

int ask(partition_watch &w);

void plan(partition_watch &w, uint64_t delay_ms) {
  net_timer_start(*w.env->world, w.timer, delay_ms);
}

// Many programs that were started together do not ask together.
uint64_t interval(const partition_watch &w) {
  return w.interval_ms - net_random(*w.env->world) % (w.interval_ms / 8 + 1);
}

void plan_next(partition_watch &w) {
  plan(w, w.hurried ? hurry_ms : interval(w));
  w.hurried = false;
}

bool is_gone(int status) {
  return status == RSTREAM_BROKER_STREAM_DOES_NOT_EXIST ||
         status == RSTREAM_BROKER_ACCESS_REFUSED;
}

void failed(partition_watch &w, int status, const char *text) {
  uint64_t now_ms = net_now_ms(*w.env->world);
  if (w.answers > 0 && !is_gone(status)) {
    log_line(w.env->log, log_level::warn, "can't look at super stream %s: %s",
             w.super_stream, text);
    return plan_next(w);
  }
  uint64_t delay_ms = lookup_pause_ms(*w.env->world);
  bool again = w.answers == 0 && rstream_error_is_retriable(status) &&
               now_ms + delay_ms < w.give_up_ms;
  if (again) return plan(w, delay_ms);
  w.on_failed(&w, status, text);
}

void on_answer(locator_op *op, int status, wire::bytes body, const char *text) {
  auto &w = *static_cast<partition_watch *>(op->subject);
  w.op = nullptr;
  wire::partitions_response response;
  wire::reader r = wire::reader_of(body);
  if (status == 0 && !decode(r, response)) {
    status = RSTREAM_EPROTO;
    text = rstream_error_text(status);
  }
  if (status < 0) return failed(w, status, text);
  w.answers++;
  plan_next(w);
  w.on_partitions(&w, response.streams);
}

int ask(partition_watch &w) {
  locator_op *op = locator_prepare(w.env, wire::key::partitions,
                                   wire::partitions{.super_stream = w.super_stream});
  if (!op) return RSTREAM_ENOMEM;
  op->owner = op_owner::library;
  op->on_done = on_answer;
  op->subject = &w;
  int rc = locator_submit(op);
  if (rc < 0) return rc;
  w.op = op;
  w.asked_ms = net_now_ms(*w.env->world);
  return 0;
}

void on_due(net_timer *timer) {
  partition_watch *w = RSTREAM_OWNER(timer, partition_watch, timer);
  if (w->op) return;
  int rc = ask(*w);
  if (rc < 0) failed(*w, rc, rstream_error_text(rc));
}

}  // namespace

int watch_start(partition_watch &w) {
  w.timer.on_due = on_due;
  w.give_up_ms = net_now_ms(*w.env->world) + w.env->config.request_timeout_ms;
  return ask(w);
}

void watch_hurry(partition_watch &w) {
  if (w.answers == 0) return;
  if (w.op) {
    w.hurried = true;
    return;
  }
  uint64_t now_ms = net_now_ms(*w.env->world);
  uint64_t earliest_ms = w.asked_ms + hurry_ms;
  uint64_t due_ms = earliest_ms > now_ms ? earliest_ms : now_ms;
  if (!w.timer.active || w.timer.due_ms > due_ms) plan(w, due_ms - now_ms);
}

void watch_stop(partition_watch &w) {
  if (w.op) locator_op_cancel(w.op);
  w.op = nullptr;
  net_timer_stop(*w.env->world, w.timer);
}

}  // namespace rstream
