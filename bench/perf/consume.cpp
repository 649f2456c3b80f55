#include "perf/consume.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "perf/body.h"

namespace perf {

namespace {

constexpr uint32_t usual_look_step = 64;

// What is counted towards the target: each message once, when that is known.
uint64_t progress_of(const subscriber &s) {
  return s.verify != nullptr ? s.verify->distinct : value_of(s.count);
}

void reach(subscriber &s, uint64_t end_us) {
  consume_load &load = *s.load;
  if (s.reached) return;
  s.reached = true;
  // With all of a run verified, listen on for what should not come.
  if (!s.closed && !(load.opt->verify && load.own_messages)) {
    s.closed = true;
    rstream_consumer_close(s.consumer, nullptr);
  }
  if (++load.reached_count == load.opt->consumers) worker_finish_at(load, end_us);
}

// The rare case of take().
void look(subscriber &s, const rstream_message_view &m, uint64_t count) {
  consume_load &load = *s.load;
  s.looked_us = now_us();
  bool stamped = false;
  uint32_t stamp_us = 0;
  if (s.verify != nullptr) {
    verified_body content;
    size_t size_wanted = load.own_messages ? load.opt->size : SIZE_MAX;
    stamped =
        verifier_take(*s.verify, m.body, m.body_size, m.offset, size_wanted, content) &&
        m.body_size >= verified_stamp_least;
    stamp_us = content.stamp_us;
  } else if (load.own_messages) {
    stamped = plain_body_read(m.body, m.body_size, load.run, stamp_us);
  }
  if (stamped && load.own_messages) {
    histogram_add(load.latency, static_cast<uint32_t>(s.looked_us) - stamp_us);
  }
  if (m.status != 0 && s.verify == nullptr)
    worker_fail(load, "offset %" PRIu64 ": no AMQP 1.0 message", m.offset);
  s.look_at = std::min(count + load.look_step, s.target);
  if (progress_of(s) >= s.target) reach(s, s.looked_us);
}

// Every message comes through here: as long as counting is enough, nothing else is done.
inline void take(subscriber &s, const rstream_message_view &m) {
  uint64_t count = value_of(s.count) + 1;
  s.count.store(count, std::memory_order_relaxed);
  if (count >= s.look_at) look(s, m, count);
}

void on_message(rstream_consumer *, const rstream_message_view *message, void *user) {
  take(*static_cast<subscriber *>(user), *message);
}

// The iteration ends by itself when take() closes the consumer.
void on_chunk(rstream_consumer *, rstream_chunk *chunk, void *user) {
  subscriber &s = *static_cast<subscriber *>(user);
  while (const rstream_message_view *m = rstream_chunk_next(chunk)) take(s, *m);
}

void on_entry_error(rstream_consumer *, const rstream_entry_error *error, void *user) {
  worker_fail(*static_cast<subscriber *>(user)->load, "consumer: %s", error->text);
}

void on_deadline(uv_timer_t *timer) {
  consume_load &load = *static_cast<consume_load *>(timer->data);
  for (uint32_t i = 0; i < load.opt->consumers; i++) reach(load.subscribers[i], now_us());
}

void begin(consume_load &load) {
  worker_run(load);
  if (load.own_messages || load.opt->time_s == 0) return;
  uv_timer_start(&load.deadline, on_deadline, load.opt->time_s * UINT64_C(1000), 0);
}

void on_state(rstream_consumer *, const rstream_state *state, void *user) {
  subscriber &s = *static_cast<subscriber *>(user);
  consume_load &load = *s.load;
  if (state->state == RSTREAM_STATE_CLOSED) {
    worker_fail(load, "consumer: %s", state->text);
    return;
  }
  if (state->state != RSTREAM_STATE_OPEN || s.open) return;
  s.open = true;
  if (load.open_count == 0) worker_clock(load);
  if (++load.open_count == load.opt->consumers && !load.stopping) begin(load);
}

int consumer_open(subscriber &s) {
  consume_load &load = *s.load;
  const options &o = *load.opt;
  rstream_consumer_options co;
  rstream_consumer_options_init(&co);
  co.stream = o.stream;
  if (o.chunk_callback) {
    co.on_chunk = on_chunk;
  } else {
    co.on_message = on_message;
  }
  co.on_entry_error = on_entry_error;
  co.on_state = on_state;
  co.user = &s;
  co.offset_type = o.offset_type;
  co.offset_value = o.offset_value;
  co.timestamp_ms = o.timestamp_ms;
  co.initial_credit = o.credits;
  co.codec = o.codec;
  return rstream_consumer_open(&s.consumer, load.env, &co);
}

void consume_open(worker &w) {
  consume_load &load = static_cast<consume_load &>(w);
  int rc = uv_timer_init(&load.loop, &load.deadline);
  load.deadline.data = &load;
  load.deadline_open = rc == 0;
  if (rc != 0) worker_fail(load, "timer: %s", rstream_error_text(rc));
  for (uint32_t i = 0; i < load.opt->consumers && !load.failed; i++) {
    rc = consumer_open(load.subscribers[i]);
    if (rc != 0)
      worker_fail(load, "opening a consumer: %s", rstream_env_error_text(load.env));
  }
}

void consume_stop(worker &w) {
  consume_load &load = static_cast<consume_load &>(w);
  load.stopping = true;
  if (load.deadline_open)
    uv_close(reinterpret_cast<uv_handle_t *>(&load.deadline), nullptr);
}

void on_target(rstream_env *, void *arg) {
  consume_load &load = *static_cast<consume_load *>(arg);
  uint64_t target = load.target.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < load.opt->consumers; i++) {
    subscriber &s = load.subscribers[i];
    s.target = target;
    s.look_at = std::min(s.look_at, target);
    // What made the number full may have come before the number was known.
    bool known = load.own_messages && s.looked_us > 0;
    if (progress_of(s) >= target) reach(s, known ? s.looked_us : now_us());
  }
}

}  // namespace

bool consume_start(consume_load &load, const options &o, uint32_t run) {
  load.opt = &o;
  load.run = run;
  load.worker::open = consume_open;
  load.stop = consume_stop;
  load.own_messages = o.producers > 0;
  load.look_step = usual_look_step;
  if (!load.own_messages) load.look_step = UINT32_MAX;
  if (o.rate > 0 || o.verify) load.look_step = 1;
  load.subscribers = new (std::nothrow) subscriber[o.consumers];
  bool enough = load.subscribers != nullptr;
  for (uint32_t i = 0; enough && i < o.consumers; i++) {
    subscriber &s = load.subscribers[i];
    s.load = &load;
    if (o.messages > 0) s.target = o.messages;  // when none is refused
    // With a codec, the first one tells whether they are of it.
    s.look_at = o.codec == RSTREAM_CODEC_RAW ? load.look_step : 1;
    s.look_at = std::min(s.look_at, s.target);
    if (o.verify) s.verify = new (std::nothrow) verifier;
    enough = !o.verify || s.verify != nullptr;
  }
  if (!enough) worker_fail(load, "out of memory");
  return enough && worker_start(load, "rstream-perf consume");
}

void consume_set_target(consume_load &load, uint64_t target) {
  load.target.store(target, std::memory_order_release);
  if (rstream_env_post(load.env, on_target, &load) != 0) {
    fputs("rstream-perf: can't reach the consumers\n", stderr);
  }
}

uint64_t consume_count(const consume_load &load) {
  uint64_t count = 0;
  for (uint32_t i = 0; load.subscribers != nullptr && i < load.opt->consumers; i++) {
    count += value_of(load.subscribers[i].count);
  }
  return count;
}

void consume_release(consume_load &load) {
  for (uint32_t i = 0; load.subscribers != nullptr && i < load.opt->consumers; i++) {
    verifier *v = load.subscribers[i].verify;
    if (v != nullptr) verifier_release(*v);
    delete v;
  }
  delete[] load.subscribers;
  load.subscribers = nullptr;
}

}  // namespace perf
