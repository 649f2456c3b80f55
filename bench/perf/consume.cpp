#include "perf/consume.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "perf/body.h"

namespace perf {

namespace {

constexpr uint32_t usual_look_step = 64;

constexpr uint64_t lag_step_ms = 100;

// All of a group are done when they have seen a run's messages together. With
// --consume-only each takes its turn.
bool works_together(const consume_load &load) {
  return load.opt->single_active && load.own_messages;
}

// What is counted towards the target: each message once, when that is known.
uint64_t progress_of(const subscriber &s) {
  const consume_load &load = *s.load;
  if (load.opt->single_active && !load.own_messages) return value_of(s.count);
  if (s.verify != nullptr) return s.verify->distinct;
  return works_together(load) ? consume_count(load) : value_of(s.count);
}

void set_look(subscriber &s, uint64_t count) {
  uint64_t done = progress_of(s);
  uint64_t left = s.target > done ? s.target - done : 0;
  s.look_at = count + std::min<uint64_t>(s.load->look_step, left);
}

// ---- how far behind they are

bool add_lag(const rstream_consumer *consumer, uint64_t &behind) {
  rstream_consumer_stats stats;
  stats.struct_size = sizeof stats;
  if (rstream_consumer_stats_get(consumer, &stats) != 0) return false;
  behind += stats.messages_behind;
  return true;
}

// Of all partitions together.
bool lag_of(const subscriber &s, uint64_t &behind) {
  behind = 0;
  if (s.super == nullptr) return add_lag(s.consumer, behind);
  bool known = false;
  for (size_t i = 0; i < rstream_super_consumer_partition_count(s.super); i++)
    known |= add_lag(rstream_super_consumer_partition_consumer(s.super, i), behind);
  return known;
}

// The last known value stays when all are closed.
void sample_lag(consume_load &load) {
  uint64_t behind = 0;
  bool known = false;
  for (uint32_t i = 0; i < load.opt->consumers; i++) {
    const subscriber &s = load.subscribers[i];
    if (!s.open || s.closed) continue;
    uint64_t of_this = 0;
    if (!lag_of(s, of_this)) continue;
    behind = std::max(behind, of_this);
    known = true;
  }
  if (!known) return;
  load.behind.store(behind, std::memory_order_relaxed);
  if (behind > value_of(load.behind_most))
    load.behind_most.store(behind, std::memory_order_relaxed);
}

void on_lag(uv_timer_t *timer) { sample_lag(*static_cast<consume_load *>(timer->data)); }

// ---- --consumer-rate

void wake_at(consume_load &load, uint64_t due_us) {
  if (load.wake_us != 0 && load.wake_us <= due_us) return;
  load.wake_us = due_us;
  pacer_wake_at(load.wake, due_us);
}

void pause_consumer(subscriber &s) {
  if (s.closed) return;
  if (s.super != nullptr) {
    rstream_super_consumer_pause(s.super);
  } else {
    rstream_consumer_pause(s.consumer);
  }
  wake_at(*s.load, s.pace.wake_us);
}

void resume_consumer(subscriber &s) {
  if (s.super != nullptr) {
    rstream_super_consumer_resume(s.super);
  } else {
    rstream_consumer_resume(s.consumer);
  }
}

void on_wake(void *user) {
  consume_load &load = *static_cast<consume_load *>(user);
  load.wake_us = 0;
  uint64_t now = now_us();
  for (uint32_t i = 0; i < load.opt->consumers; i++) {
    subscriber &s = load.subscribers[i];
    if (s.pace.wake_us == 0 || s.closed) continue;
    if (s.pace.wake_us > now) {
      wake_at(load, s.pace.wake_us);
    } else {
      s.pace.wake_us = 0;
      resume_consumer(s);
    }
  }
}

// ---- messages

void reach(subscriber &s, uint64_t end_us) {
  consume_load &load = *s.load;
  if (s.reached) return;
  s.reached = true;
  // With all of a run verified, listen on for what should not come.
  if (!s.closed && !(load.opt->verify && load.own_messages)) {
    sample_lag(load);
    s.closed = true;
    if (s.super != nullptr) {
      rstream_super_consumer_close(s.super, nullptr);
    } else {
      rstream_consumer_close(s.consumer, nullptr);
    }
  }
  if (++load.reached_count == load.opt->consumers) worker_finish_at(load, end_us);
}

void reach_with(subscriber &s, uint64_t end_us) {
  if (!works_together(*s.load)) return reach(s, end_us);
  for (uint32_t i = 0; i < s.load->opt->consumers; i++)
    reach(s.load->subscribers[i], end_us);
}

// In the middle of a chunk, which does not count as finished then.
void store_for_next(subscriber &s, uint64_t offset) {
  const options &o = *s.load->opt;
  if (o.consumer_name != nullptr && o.chunk_callback)
    rstream_consumer_store_offset(s.consumer, offset);
}

// The number at the end of its name.
uint32_t partition_of(const subscriber &s) {
  if (s.super == nullptr) return 0;
  const char *number = strrchr(rstream_consumer_stream(s.consumer), '-');
  return number != nullptr ? static_cast<uint32_t>(strtoul(number + 1, nullptr, 10)) : 0;
}

// Takes the body apart; when it tells when it was sent, `stamp_us` is that.
bool check_body(subscriber &s, const rstream_message_view &m, uint32_t &stamp_us) {
  const consume_load &load = *s.load;
  if (s.verify == nullptr)
    return load.own_messages && plain_body_read(m.body, m.body_size, load.run, stamp_us);
  verified_body content;
  size_t size_wanted = load.own_messages ? load.opt->size : SIZE_MAX;
  bool right = verifier_take(*s.verify, partition_of(s), m.body, m.body_size, m.offset,
                             size_wanted, content);
  stamp_us = content.stamp_us;
  return right && load.own_messages && m.body_size >= verified_stamp_least;
}

// The rare case of take().
void look(subscriber &s, const rstream_message_view &m, uint64_t count) {
  consume_load &load = *s.load;
  const options &o = *load.opt;
  s.looked_us = now_us();
  uint32_t stamp_us = 0;
  if (check_body(s, m, stamp_us))
    histogram_add(load.latency, static_cast<uint32_t>(s.looked_us) - stamp_us);
  if (m.status != 0 && s.verify == nullptr)
    worker_fail(load, "offset %" PRIu64 ": no AMQP 1.0 message", m.offset);
  set_look(s, count);
  bool early =
      o.consumer_rate > 0 && hold_back_take(s.pace, o.consumer_rate, s.looked_us);
  // A chunk comes as a whole, see on_chunk().
  if (early && !o.chunk_callback) pause_consumer(s);
  if (progress_of(s) < s.target) return;
  store_for_next(s, m.offset);
  reach_with(s, s.looked_us);
}

// Every message comes through here: as long as counting is enough, nothing else is done.
inline void take(subscriber &s, const rstream_message_view &m) {
  uint64_t count = value_of(s.count) + 1;
  s.count.store(count, std::memory_order_relaxed);
  if (count >= s.look_at) look(s, m, count);
}

void on_message(rstream_consumer *consumer, const rstream_message_view *message,
                void *user) {
  subscriber &s = *static_cast<subscriber *>(user);
  s.consumer = consumer;
  take(s, *message);
}

// The iteration ends by itself when take() closes the consumer.
void on_chunk(rstream_consumer *consumer, rstream_chunk *chunk, void *user) {
  subscriber &s = *static_cast<subscriber *>(user);
  s.consumer = consumer;
  while (const rstream_message_view *m = rstream_chunk_next(chunk)) take(s, *m);
  if (s.pace.wake_us != 0) pause_consumer(s);
}

// Whether a message has one of the filter values asked for. What is damaged is told by
// who takes it.
int on_filter(const rstream_message_view *m, void *user) {
  const options &o = *static_cast<subscriber *>(user)->load->opt;
  if (o.verify) {
    verified_body content;
    bool right = verified_body_read(m->body, m->body_size, content);
    return !right || wants_sequence(o, content.sequence) ? 1 : 0;
  }
  if (m->body_size < plain_choice_least) return 0;
  uint8_t choice = plain_body_choice(m->body);
  return choice < o.filter_values.count && o.filter_wants[choice] ? 1 : 0;
}

void on_entry_error(rstream_consumer *, const rstream_entry_error *error, void *user) {
  worker_fail(*static_cast<subscriber *>(user)->load, "consumer: %s", error->text);
}

void on_deadline(uv_timer_t *timer) {
  consume_load &load = *static_cast<consume_load *>(timer->data);
  for (uint32_t i = 0; i < load.opt->consumers; i++) reach(load.subscribers[i], now_us());
}

rstream_update_reply on_update(rstream_consumer *, int active, void *user) {
  if (active != 0) static_cast<subscriber *>(user)->load->activations++;
  return RSTREAM_UPDATE_DEFAULT;
}

void begin(consume_load &load) {
  worker_run(load);
  uv_timer_start(&load.lag_timer, on_lag, lag_step_ms, lag_step_ms);
  if (load.own_messages || load.opt->time_s == 0) return;
  uv_timer_start(&load.deadline, on_deadline, load.opt->time_s * UINT64_C(1000), 0);
}

void state_changed(subscriber &s, const rstream_state *state) {
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

void on_state(rstream_consumer *, const rstream_state *state, void *user) {
  state_changed(*static_cast<subscriber *>(user), state);
}

void on_super_state(rstream_super_consumer *, const rstream_state *state, void *user) {
  state_changed(*static_cast<subscriber *>(user), state);
}

// One partition that fails is enough to fail for a measurement.
void on_partition(rstream_super_consumer *, const rstream_partition_event *event,
                  void *user) {
  if (event->change == RSTREAM_PARTITION_STATE && event->state == RSTREAM_STATE_CLOSED)
    worker_fail(*static_cast<subscriber *>(user)->load, "consumer: %s: %s",
                event->partition, event->text);
}

int super_consumer_open(subscriber &s, const rstream_consumer_options &co) {
  rstream_super_consumer_options so;
  rstream_super_consumer_options_init(&so);
  so.super_stream = s.load->opt->super_stream;
  so.consumer = &co;
  so.on_state = on_super_state;
  so.on_partition = on_partition;
  so.user = &s;
  return rstream_super_consumer_open(&s.super, s.load->env, &so);
}

// Options that hold texts, until rstream_consumer_open() has copied them.
struct consumer_texts {
  handle_name name = {};
  std::string values[filter_values_most];
  const char *pointers[filter_values_most];
};

void fill_filter(rstream_consumer_options &co, const options &o, consumer_texts &texts) {
  for (uint32_t i = 0; i < o.filter.count; i++) {
    texts.values[i] = o.filter.values[i];
    texts.pointers[i] = texts.values[i].c_str();
  }
  co.filter_values = texts.pointers;
  co.filter_value_count = o.filter.count;
  if (o.filter_exact) co.on_filter = on_filter;
}

void fill_name(rstream_consumer_options &co, const options &o, uint32_t index,
               consumer_texts &texts) {
  texts.name = numbered_name(o.consumer_name, consumer_name_count(o), index);
  co.name = texts.name.text;
  co.store_every_messages = o.store_every;
  if (!o.single_active) return;
  co.single_active = 1;
  co.on_update = on_update;
}

int consumer_open(subscriber &s, uint32_t index) {
  consume_load &load = *s.load;
  const options &o = *load.opt;
  consumer_texts texts;
  rstream_consumer_options co;
  rstream_consumer_options_init(&co);
  if (o.chunk_callback) {
    co.on_chunk = on_chunk;
  } else {
    co.on_message = on_message;
  }
  co.on_entry_error = on_entry_error;
  co.user = &s;
  co.offset_type = o.offset_type;
  co.offset_value = o.offset_value;
  co.timestamp_ms = o.timestamp_ms;
  co.initial_credit = o.credits;
  co.codec = o.codec;
  if (o.consumer_name != nullptr) fill_name(co, o, index, texts);
  if (o.filter.count > 0) fill_filter(co, o, texts);
  if (o.super_stream != nullptr) return super_consumer_open(s, co);
  co.stream = o.stream;
  co.on_state = on_state;
  return rstream_consumer_open(&s.consumer, load.env, &co);
}

int open_timers(consume_load &load) {
  int rc = uv_timer_init(&load.loop, &load.deadline);
  load.deadline.data = &load;
  load.deadline_open = rc == 0;
  if (rc == 0) rc = uv_timer_init(&load.loop, &load.lag_timer);
  load.lag_timer.data = &load;
  load.lag_open = rc == 0;
  if (rc == 0 && load.opt->consumer_rate > 0)
    rc = pacer_init(load.wake, &load.loop, on_wake, &load);
  return rc;
}

void consume_open(worker &w) {
  consume_load &load = static_cast<consume_load &>(w);
  int rc = open_timers(load);
  if (rc != 0) worker_fail(load, "timer: %s", rstream_error_text(rc));
  for (uint32_t i = 0; i < load.opt->consumers && !load.failed; i++) {
    rc = consumer_open(load.subscribers[i], i);
    if (rc != 0)
      worker_fail(load, "opening a consumer: %s", rstream_env_error_text(load.env));
  }
}

void consume_stop(worker &w) {
  consume_load &load = static_cast<consume_load &>(w);
  load.stopping = true;
  if (load.deadline_open)
    uv_close(reinterpret_cast<uv_handle_t *>(&load.deadline), nullptr);
  if (load.lag_open) uv_close(reinterpret_cast<uv_handle_t *>(&load.lag_timer), nullptr);
  pacer_close(load.wake);
}

// When what was seen last came; 0: nothing was looked at.
uint64_t last_look(const consume_load &load, const subscriber &s) {
  if (!works_together(load)) return s.looked_us;
  uint64_t last = 0;
  for (uint32_t i = 0; i < load.opt->consumers; i++)
    last = std::max(last, load.subscribers[i].looked_us);
  return last;
}

void on_target(rstream_env *, void *arg) {
  consume_load &load = *static_cast<consume_load *>(arg);
  uint64_t target = load.target.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < load.opt->consumers; i++) {
    subscriber &s = load.subscribers[i];
    s.target = target;
    set_look(s, value_of(s.count));
    // What made the number full may have come before the number was known.
    uint64_t seen_us = load.own_messages ? last_look(load, s) : 0;
    if (progress_of(s) >= target) reach(s, seen_us > 0 ? seen_us : now_us());
  }
}

uint32_t look_step_of(const consume_load &load) {
  const options &o = *load.opt;
  if (o.rate > 0 || o.consumer_rate > 0 || o.verify) return 1;
  return load.own_messages ? usual_look_step : UINT32_MAX;
}

// Where it has to begin is known with a name under which there was an offset already.
// Others of the group, in other programs, may have come further meanwhile.
void verifier_init(verifier &v, const options &o, const stored_offset *before) {
  v.opt = &o;
  if (o.super_stream != nullptr) v.partitions.resize(o.partitions);
  if (before == nullptr || !before->found) return;
  v.next_offset = before->offset + 1;
  v.begins_there = o.filter.count == 0 && !o.single_active;
}

bool make_verifiers(consume_load &load, const std::vector<stored_offset> &stored) {
  const options &o = *load.opt;
  load.verifier_count = o.single_active ? 1 : o.consumers;
  load.verifiers = new (std::nothrow) verifier[load.verifier_count];
  if (load.verifiers == nullptr) return false;
  for (uint32_t i = 0; i < load.verifier_count; i++)
    verifier_init(load.verifiers[i], o, stored.empty() ? nullptr : &stored[i]);
  return true;
}

}  // namespace

bool consume_start(consume_load &load, const options &o, uint32_t run,
                   const std::vector<stored_offset> &stored) {
  load.opt = &o;
  load.run = run;
  load.worker::open = consume_open;
  load.stop = consume_stop;
  load.own_messages = o.producers > 0;
  load.look_step = look_step_of(load);
  load.subscribers = new (std::nothrow) subscriber[o.consumers];
  bool enough =
      load.subscribers != nullptr && (!o.verify || make_verifiers(load, stored));
  for (uint32_t i = 0; enough && i < o.consumers; i++) {
    subscriber &s = load.subscribers[i];
    s.load = &load;
    if (o.verify) s.verify = &load.verifiers[o.single_active ? 0 : i];
    if (o.messages > 0) s.target = o.messages;  // when none is refused
    // With a codec, the first one tells whether they are of it.
    s.look_at = o.codec == RSTREAM_CODEC_RAW ? load.look_step : 1;
    s.look_at = std::min(s.look_at, s.target);
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
  for (uint32_t i = 0; load.verifiers != nullptr && i < load.verifier_count; i++)
    verifier_release(load.verifiers[i]);
  delete[] load.verifiers;
  delete[] load.subscribers;
  load.verifiers = nullptr;
  load.subscribers = nullptr;
}

}  // namespace perf
