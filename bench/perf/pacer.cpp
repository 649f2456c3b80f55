#include "perf/pacer.h"

#include <unistd.h>

#include "perf/clock.h"

#ifdef __linux__
#include <sys/timerfd.h>
#include <time.h>
#endif

namespace perf {

#ifdef __linux__

namespace {

void on_readable(uv_poll_t *poll, int, int) {
  pacer &p = *static_cast<pacer *>(poll->data);
  uint64_t expirations;
  if (read(p.fd, &expirations, sizeof expirations) == sizeof expirations)
    p.on_due(p.user);
}

void on_poll_closed(uv_handle_t *handle) {
  close(static_cast<pacer *>(handle->data)->fd);
}

}  // namespace

int pacer_init(pacer &p, uv_loop_t *loop, void (*on_due)(void *user), void *user) {
  p.on_due = on_due;
  p.user = user;
  // The clock of uv_hrtime().
  p.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (p.fd < 0) return UV_EMFILE;
  int rc = uv_poll_init(loop, &p.poll, p.fd);
  if (rc != 0) {
    close(p.fd);
    return rc;
  }
  p.poll.data = &p;
  p.open = true;
  return uv_poll_start(&p.poll, UV_READABLE, on_readable);
}

void pacer_wake_at(pacer &p, uint64_t due_us) {
  itimerspec when = {};
  when.it_value.tv_sec = static_cast<time_t>(due_us / 1000000);
  when.it_value.tv_nsec = static_cast<long>(due_us % 1000000 * 1000);
  timerfd_settime(p.fd, TFD_TIMER_ABSTIME, &when, nullptr);
}

void pacer_close(pacer &p) {
  if (p.open) uv_close(reinterpret_cast<uv_handle_t *>(&p.poll), on_poll_closed);
  p.open = false;
}

#else

namespace {

void on_timer(uv_timer_t *timer) {
  pacer &p = *static_cast<pacer *>(timer->data);
  p.on_due(p.user);
}

}  // namespace

int pacer_init(pacer &p, uv_loop_t *loop, void (*on_due)(void *user), void *user) {
  p.on_due = on_due;
  p.user = user;
  p.timer.data = &p;
  p.open = true;
  return uv_timer_init(loop, &p.timer);
}

void pacer_wake_at(pacer &p, uint64_t due_us) {
  uint64_t now = now_us();
  uv_timer_start(&p.timer, on_timer, due_us > now ? (due_us - now + 999) / 1000 : 0, 0);
}

void pacer_close(pacer &p) {
  if (p.open) uv_close(reinterpret_cast<uv_handle_t *>(&p.timer), nullptr);
  p.open = false;
}

#endif

}  // namespace perf
