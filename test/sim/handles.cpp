// The application: what it opens and closes, and what it makes of callbacks.
#include <algorithm>
#include <cinttypes>

#include "api/env.h"
#include "sim/model.h"

namespace rstream::sim {

namespace {

producer_model &producer_at(void *user) { return *static_cast<producer_model *>(user); }
consumer_model &consumer_at(void *user) { return *static_cast<consumer_model *>(user); }

// ---- producers

void on_confirm(rstream_producer *, const rstream_confirms *confirms, void *user) {
  producer_model &m = producer_at(user);
  check_callback(*m.r, m.env, "on_confirm");
  check_outcomes(m, *confirms);
  maybe_act(*m.r);
}

void on_writable(rstream_producer *, void *user) {
  producer_model &m = producer_at(user);
  run &r = *m.r;
  check_callback(r, m.env, "on_writable");
  SIM_CHECK(r, (m.wants_writable || m.may_be_writable) && !m.closing && !m.ended,
            "producer %u: on_writable, unasked", m.serial);
  m.wants_writable = m.may_be_writable = false;
  if (m.p && random_chance(r.chance, 500)) send_some(m, 3);
  maybe_act(r);
}

// RECOVERING or DISCONNECTED: the handle goes on by itself, or waits.
template <class Model>
void check_down(Model &m, const rstream_state &state, const char *what) {
  run &r = *m.r;
  bool manual = m.options.recovery == RSTREAM_RECOVERY_MANUAL;
  SIM_CHECK(r, m.options.recovery != RSTREAM_RECOVERY_NONE, "%s %u recovers unasked",
            what, m.serial);
  SIM_CHECK(r, m.opened || m.options.retry_opening, "%s %u recovers what never was open",
            what, m.serial);
  SIM_CHECK(r, manual == (state.state == RSTREAM_STATE_DISCONNECTED), "%s %u: state %d",
            what, m.serial, static_cast<int>(state.state));
  SIM_CHECK(r, manual || state.attempt > 0, "%s %u: attempt 0", what, m.serial);
  SIM_CHECK(r, state.reason < 0, "%s %u recovers without a reason", what, m.serial);
  m.down = true;
  m.disconnected = manual;
  m.losses++;
  r.report.losses++;
}

template <class Model>
void check_open_again(Model &m, const char *what) {
  SIM_CHECK(*m.r, m.down, "%s %u: open twice", what, m.serial);
  m.down = m.disconnected = false;
  m.r->report.recoveries++;
}

bool is_down(const rstream_state &state) {
  return state.state == RSTREAM_STATE_RECOVERING ||
         state.state == RSTREAM_STATE_DISCONNECTED;
}

void check_producer_first_open(producer_model &m, rstream_producer *p) {
  run &r = *m.r;
  m.opened = true;
  m.down = m.disconnected = false;
  m.id_base = rstream_producer_id_base(p);
  uint64_t stored = rstream_producer_stored_sequence(p);
  SIM_CHECK(r, m.id_base == (m.options.ids_given ? 0 : stored),
            "producer %u: id base %" PRIu64 ", stored were %" PRIu64, m.serial, m.id_base,
            stored);
  if (m.name.empty() || !r.streams[m.stream].stable) return;
  uint64_t before = r.names[m.name];
  SIM_CHECK(r, stored >= before,
            "producer %u: stored is %" PRIu64 ", confirmed were %" PRIu64, m.serial,
            stored, before);
}

void on_producer_state(rstream_producer *p, const rstream_state *state, void *user) {
  producer_model &m = producer_at(user);
  run &r = *m.r;
  check_callback(r, m.env, "on_state");
  SIM_CHECK(r, !m.closed && !m.closing && !m.ended, "producer %u: a state after its end",
            m.serial);
  if (is_down(*state)) {
    check_down(m, *state, "producer");
  } else if (state->state == RSTREAM_STATE_OPEN && m.opened) {
    check_open_again(m, "producer");
  } else if (state->state == RSTREAM_STATE_OPEN) {
    check_producer_first_open(m, p);
  } else {
    SIM_CHECK(r, state->state == RSTREAM_STATE_CLOSED && state->reason < 0,
              "producer %u: state %d, reason %d", m.serial,
              static_cast<int>(state->state), state->reason);
    SIM_CHECK(r, m.settled == m.messages.size(),
              "producer %u has ended, but messages have no outcome", m.serial);
    SIM_CHECK(r, m.flushes == 0, "producer %u has ended, but a flush was not answered",
              m.serial);
    m.ended = true;
  }
  maybe_act(r);
}

void on_flushed(rstream_producer *, int status, void *user) {
  auto *f = static_cast<flush_model *>(user);
  producer_model &m = *f->producer;
  run &r = *m.r;
  check_callback(r, m.env, "on_flushed");
  SIM_CHECK(r, f->calls++ == 0, "producer %u: a flush is answered twice", m.serial);
  SIM_CHECK(r, !m.closed, "producer %u: on_flushed after on_closed", m.serial);
  m.flushes--;
  for (uint64_t id = 1; status == 0 && id <= f->last_id; id++) {
    SIM_CHECK(r, m.messages[id - 1].outcome != no_outcome,
              "producer %u: flushed, but message %" PRIu64 " has no outcome", m.serial,
              id);
  }
  maybe_act(r);
}

void on_producer_closed(rstream_producer *, int status, void *user) {
  producer_model &m = producer_at(user);
  run &r = *m.r;
  check_callback(r, m.env, "on_closed of a producer");
  check_producer_closed(m, status);
  m.closed = true;
  m.p = nullptr;
  // Once everything was settled at the broker, the name may be used again.
  if (!m.name.empty() && status == 0 && m.opened) {
    r.names[m.name] = std::max(r.names[m.name], m.id_base + m.highest_confirmed);
  }
  maybe_act(r);
}

// A name that is new on this stream, or one whose last producer was closed in order.
std::string pick_name(run &r, size_t stream) {
  std::string prefix = "s" + std::to_string(stream) + "-";
  if (random_chance(r.chance, 400)) {
    for (auto &entry : r.names) {
      const std::string &name = entry.first;
      bool fits = name.compare(0, prefix.size(), prefix) == 0 && entry.second > 0;
      bool in_use = std::any_of(
          r.producers.begin(), r.producers.end(),
          [&](const auto &m) { return m->name == name && !(m->closed && m->opened); });
      if (fits && !in_use) return name;
    }
  }
  return prefix + std::to_string(r.names_made++);
}

// Two at work under one name drop each other's messages; one that ended badly may still
// have some on its way.
bool name_is_settled(const run &r, const std::string &name) {
  return std::all_of(r.producers.begin(), r.producers.end(), [&](const auto &m) {
    return m->name != name || (m->closed && !m->ended && m->settled == m->confirmed);
  });
}

// ---- consumers

void on_message(rstream_consumer *, const rstream_message_view *message, void *user) {
  consumer_model &m = consumer_at(user);
  check_callback(*m.r, m.env, "on_message");
  check_message(m, *message);
  maybe_act(*m.r);
}

void keep(consumer_model &m, rstream_chunk *chunk, std::vector<record> records) {
  run &r = *m.r;
  rstream_chunk_retain(chunk);
  auto h = std::make_unique<held_chunk>();
  h->consumer = &m;
  h->chunk = chunk;
  h->records = std::move(records);
  r.held.push_back(std::move(h));
  r.report.chunks_kept++;
}

void on_chunk(rstream_consumer *, rstream_chunk *chunk, void *user) {
  consumer_model &m = consumer_at(user);
  run &r = *m.r;
  check_callback(r, m.env, "on_chunk");
  SIM_CHECK(r, !m.closing && !m.ended && !m.closed,
            "consumer %u got a chunk after its end", m.serial);
  m.held++;
  uint32_t credit = m.options.initial_credit ? m.options.initial_credit : 10;
  credit += m.losses;  // one beyond what is held comes with each new subscription
  SIM_CHECK(r, m.held <= credit, "consumer %u holds %u chunks, its credit is %u",
            m.serial, m.held, credit);
  std::vector<record> records;
  while (const rstream_message_view *view = rstream_chunk_next(chunk)) {
    check_message(m, *view);
    records.push_back(m.received.back());
  }
  bool keeps = r.phase == phase::acting && random_chance(r.chance, 300);
  if (keeps) keep(m, chunk, std::move(records));
  maybe_act(r);
  if (!keeps) m.held--;
}

void on_consumer_state(rstream_consumer *, const rstream_state *state, void *user) {
  consumer_model &m = consumer_at(user);
  run &r = *m.r;
  check_callback(r, m.env, "on_state");
  SIM_CHECK(r, !m.closed && !m.closing && !m.ended, "consumer %u: a state after its end",
            m.serial);
  if (is_down(*state)) {
    check_down(m, *state, "consumer");
  } else if (state->state == RSTREAM_STATE_OPEN) {
    if (m.opened) check_open_again(m, "consumer");
    m.opened = true;
    m.down = m.disconnected = false;
    fake::stream *s = broker_stream(r, m.stream);
    if (!m.any && m.begins_late && s) m.highest = s->next_offset;
  } else {
    SIM_CHECK(r, state->state == RSTREAM_STATE_CLOSED && state->reason < 0,
              "consumer %u: state %d, reason %d", m.serial,
              static_cast<int>(state->state), state->reason);
    m.ended = true;
  }
  maybe_act(r);
}

void on_consumer_closed(rstream_consumer *, int status, void *user) {
  consumer_model &m = consumer_at(user);
  run &r = *m.r;
  check_callback(r, m.env, "on_closed of a consumer");
  SIM_CHECK(r, m.closing && !m.closed, "consumer %u: on_closed came unasked or twice",
            m.serial);
  SIM_CHECK(r, !m.ended || status < 0, "consumer %u ended but closes with 0", m.serial);
  m.closed = true;
  m.c = nullptr;
  maybe_act(r);
}

void draw_offset(consumer_model &m) {
  run &r = *m.r;
  rstream_consumer_options &o = m.options;
  fake::stream *s = broker_stream(r, m.stream);
  uint64_t end = s ? s->next_offset : 0;
  o.offset_type =
      pick(r, {RSTREAM_OFFSET_FIRST, RSTREAM_OFFSET_LAST, RSTREAM_OFFSET_NEXT,
               RSTREAM_OFFSET_OFFSET, RSTREAM_OFFSET_OFFSET, RSTREAM_OFFSET_TIMESTAMP});
  bool known = r.streams[m.stream].stable && s;
  m.begins_late =
      o.offset_type != RSTREAM_OFFSET_FIRST && o.offset_type != RSTREAM_OFFSET_OFFSET;
  switch (o.offset_type) {
  case RSTREAM_OFFSET_FIRST: m.highest = 0; break;
  case RSTREAM_OFFSET_OFFSET:
    o.offset_value = random_below(r.chance, end + 5);
    m.lowest = m.highest = o.offset_value;
    break;
  case RSTREAM_OFFSET_LAST:
    if (known) m.lowest = s->committed_chunk_id;
    break;
  case RSTREAM_OFFSET_NEXT:
    if (known) m.lowest = s->committed_offset;
    break;
  default:
    o.timestamp_ms = r.brokers.cluster->options.epoch_ms +
                     static_cast<int64_t>(random_below(r.chance, r.s.now_us / 1000 + 1));
  }
}

void draw_recovery(run &r, rstream_recovery &recovery, uint8_t &retry_opening) {
  recovery = pick(r, {RSTREAM_RECOVERY_AUTOMATIC, RSTREAM_RECOVERY_AUTOMATIC,
                      RSTREAM_RECOVERY_MANUAL, RSTREAM_RECOVERY_NONE});
  retry_opening = random_chance(r.chance, 300);
}

void on_env_closed(rstream_env *, void *user) {
  auto &m = *static_cast<env_model *>(user);
  check_callback(*m.r, &m, "on_closed of an environment");
  check_env_closed(m);
  m.closed = true;
  m.env = nullptr;
  maybe_act(*m.r);
}

void on_log(rstream_log_level, const char *text, void *user) {
  auto &m = *static_cast<env_model *>(user);
  trace_line(m.r->s, nullptr, "%s: %s", m.name.c_str(), text);
}

}  // namespace

// ---- environments

env_model *open_env(run &r) {
  auto owned = std::make_unique<env_model>();
  env_model *m = owned.get();
  m->r = &r;
  m->name = "env" + std::to_string(r.envs.size());
  m->source = {&r.s, m->name.c_str()};
  rstream_allocator allocator = m->memory.functions();
  rstream_env_options o;
  rstream_env_options_init(&o);
  o.host = "cluster";
  o.allocator = &allocator;
  o.heartbeat_s = pick<uint32_t>(r, {1, 5, 60});
  o.connect_timeout_ms = pick<uint32_t>(r, {500, 2000, 10000});
  o.max_frame_bytes = pick<uint32_t>(r, {0, 0, 1024, 70000});
  o.max_producers_per_connection = pick<uint16_t>(r, {0, 1, 2});
  o.max_bytes_in_flight = pick<uint64_t>(r, {0, 0, 0, 3000, 20000});
  m->has_budget = o.max_bytes_in_flight > 0;
  o.recovery_longest_ms = pick<uint32_t>(r, {0, 200, 2000});
  o.max_recoveries = pick<uint32_t>(r, {0, 1, 3});
  o.max_consumers_per_connection = pick<uint16_t>(r, {0, 1, 2});
  if (random_chance(r.chance, 30)) {
    o.password = "wrong";
    m->refused = true;
  }
  o.user = m;
  if (r.s.trace) {
    o.on_log = on_log;
    o.log_level = RSTREAM_LOG_DEBUG;
  }
  r.envs.push_back(std::move(owned));
  calling inside(r);
  int rc = env_create_on(&m->env, source_of(m->source), &o);
  SIM_CHECK(r, rc == 0, "can't create %s: %s", m->name.c_str(), rstream_error_text(rc));
  r.report.environments++;
  return m;
}

void close_env(env_model &m) {
  run &r = *m.r;
  trace_line(r.s, nullptr, "application closes %s", m.name.c_str());
  // Its handles go when it likes: they can't be used from here on.
  for (const auto &p : r.producers) {
    if (p->env != &m) continue;
    p->closing = true;
    p->unwatched |= p->settled < p->messages.size();
    p->p = nullptr;
  }
  for (const auto &c : r.consumers) {
    if (c->env != &m) continue;
    c->closing = true;
    c->c = nullptr;
  }
  followers_forget(m);
  m.closing = true;
  calling inside(r);
  int rc = rstream_env_close(m.env, on_env_closed, &m);
  SIM_CHECK(r, rc == 0, "closing %s: %s", m.name.c_str(), rstream_error_text(rc));
}

// ---- producers

void open_producer(env_model &env) {
  run &r = *env.r;
  auto owned = std::make_unique<producer_model>();
  producer_model *m = owned.get();
  m->r = &r;
  m->env = &env;
  m->serial = static_cast<uint32_t>(r.producers.size());
  m->stream = random_below(r.chance, r.streams.size());
  rstream_producer_options &o = m->options;
  rstream_producer_options_init(&o);
  o.stream = r.streams[m->stream].name.c_str();
  if (random_chance(r.chance, 500)) {
    std::string name = pick_name(r, m->stream);
    if (name_is_settled(r, name)) m->name = name;
  }
  if (!m->name.empty()) {
    o.name = m->name.c_str();
    r.names.try_emplace(m->name, 0);
  }
  m->last_given = m->name.empty() ? 0 : r.names[m->name];
  o.on_confirm = on_confirm;
  o.on_writable = on_writable;
  o.on_state = on_producer_state;
  o.user = m;
  draw_producer_options(r, o);
  draw_recovery(r, o.recovery, o.retry_opening);
  r.producers.push_back(std::move(owned));
  trace_line(r.s, nullptr, "application opens producer %u on %s, name %s", m->serial,
             o.stream, m->name.c_str());
  calling inside(r);
  int rc = rstream_producer_open(&m->p, env.env, &o);
  // The locator may just be closing by itself.
  if (rc != 0) m->p = nullptr;
  SIM_CHECK(r, rc == 0 || rc == RSTREAM_ECLOSED, "can't open a producer: %s",
            rstream_error_text(rc));
  r.report.producers++;
}

void flush_producer(producer_model &m) {
  run &r = *m.r;
  auto f = std::make_unique<flush_model>();
  f->producer = &m;
  f->last_id = m.messages.size();
  calling inside(r);
  int rc = rstream_producer_flush(m.p, on_flushed, f.get());
  SIM_CHECK(r, rc == 0 || (rc == RSTREAM_ECLOSED && is_over(m)),
            "producer %u: flushing: %s", m.serial, rstream_error_text(rc));
  if (rc < 0) return;
  m.flushes++;
  r.flushes.push_back(std::move(f));
}

void close_producer(producer_model &m) {
  run &r = *m.r;
  trace_line(r.s, nullptr, "application closes producer %u", m.serial);
  bool again = m.closing;
  int rc;
  m.closing = true;
  m.unwatched |= m.settled < m.messages.size();
  if (again) {
    calling inside(r);
    rc = rstream_producer_close_within(m.p, 0, nullptr);
    SIM_CHECK(r, rc == 0, "producer %u: cutting its drain short: %s", m.serial,
              rstream_error_text(rc));
    rc = rstream_producer_close(m.p, on_producer_closed);
    SIM_CHECK(r, rc == RSTREAM_ECLOSED, "producer %u: closed twice", m.serial);
    return;
  }
  m.tells_closed = true;
  calling inside(r);
  if (random_chance(r.chance, 600)) {
    rc = rstream_producer_close(m.p, on_producer_closed);
  } else {
    uint32_t within = random_chance(r.chance, 500) ? 0 : pick<uint32_t>(r, {1, 10, 500});
    rc = rstream_producer_close_within(m.p, within, on_producer_closed);
  }
  SIM_CHECK(r, rc == 0, "producer %u: closing: %s", m.serial, rstream_error_text(rc));
}

// ---- consumers

void open_consumer(env_model &env) {
  run &r = *env.r;
  auto owned = std::make_unique<consumer_model>();
  consumer_model *m = owned.get();
  m->r = &r;
  m->env = &env;
  m->serial = static_cast<uint32_t>(r.consumers.size());
  m->stream = random_below(r.chance, r.streams.size());
  rstream_consumer_options &o = m->options;
  rstream_consumer_options_init(&o);
  o.stream = r.streams[m->stream].name.c_str();
  if (random_chance(r.chance, 400)) {
    m->name = "c" + std::to_string(random_below(r.chance, 3));
    o.name = m->name.c_str();
    o.tracking = RSTREAM_TRACKING_NONE;  // the promises know where it begins
  }
  if (random_chance(r.chance, 500)) {
    o.on_chunk = on_chunk;
  } else {
    o.on_message = on_message;
    o.streaming_min_bytes = pick<uint32_t>(r, {0, 0, 1, 1000});
  }
  o.on_state = on_consumer_state;
  o.user = m;
  o.initial_credit = pick<uint16_t>(r, {0, 1, 2, 3, 50});
  draw_offset(*m);
  draw_recovery(r, o.recovery, o.retry_opening);
  r.consumers.push_back(std::move(owned));
  trace_line(r.s, nullptr,
             "application opens consumer %u on %s, offset type %d, %" PRIu64, m->serial,
             o.stream, static_cast<int>(o.offset_type), o.offset_value);
  calling inside(r);
  int rc = rstream_consumer_open(&m->c, env.env, &o);
  if (rc != 0) m->c = nullptr;
  SIM_CHECK(r, rc == 0 || rc == RSTREAM_ECLOSED, "can't open a consumer: %s",
            rstream_error_text(rc));
  r.report.consumers++;
}

void close_consumer(consumer_model &m) {
  run &r = *m.r;
  trace_line(r.s, nullptr, "application closes consumer %u", m.serial);
  bool again = m.closing;
  m.closing = m.tells_closed = true;
  calling inside(r);
  int rc = rstream_consumer_close(m.c, on_consumer_closed);
  SIM_CHECK(r, rc == (again ? RSTREAM_ECLOSED : 0), "consumer %u: closing: %s", m.serial,
            rstream_error_text(rc));
}

void reconnect_some(run &r, uint32_t chance) {
  for (const auto &m : r.producers) {
    if (!m->p || !m->disconnected || m->closing || !random_chance(r.chance, chance))
      continue;
    calling inside(r);
    int rc = rstream_producer_reconnect(m->p);
    bool fine = rc == 0 || (rc == RSTREAM_EBUSY && !m->ended) || is_over(*m);
    SIM_CHECK(r, fine, "producer %u: reconnecting: %s", m->serial,
              rstream_error_text(rc));
  }
  for (const auto &m : r.consumers) {
    if (!m->c || !m->disconnected || m->closing || !random_chance(r.chance, chance))
      continue;
    calling inside(r);
    int rc = rstream_consumer_reconnect(m->c);
    bool over = m->ended || rstream_consumer_state(m->c) == RSTREAM_STATE_CLOSED;
    bool fine = rc == 0 || (rc == RSTREAM_EBUSY && !m->ended) || over;
    SIM_CHECK(r, fine, "consumer %u: reconnecting: %s", m->serial,
              rstream_error_text(rc));
  }
}

void release_held(run &r, size_t index) {
  std::unique_ptr<held_chunk> h = std::move(r.held[index]);
  r.held.erase(r.held.begin() + static_cast<ptrdiff_t>(index));
  check_held(r, *h);
  h->consumer->held--;
  calling inside(r);
  rstream_chunk_release(h->chunk);
}

}  // namespace rstream::sim
