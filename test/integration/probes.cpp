#include "probes.h"

#include <gtest/gtest.h>
#include <uv.h>

#include <cstdio>
#include <set>

namespace rstream::test {

namespace {

constexpr int no_outcome = 1;

std::set<producer_probe *> producers;
std::set<consumer_probe *> consumers;

size_t index_of(const producer_probe &p, uint64_t id) {
  if (p.given_ids.empty()) return id - 1;
  auto found = p.given_ids.find(id);
  return found == p.given_ids.end() ? SIZE_MAX : found->second;
}

void on_confirm(rstream_producer *handle, const rstream_confirms *confirms, void *user) {
  auto *p = static_cast<producer_probe *>(user);
  EXPECT_EQ(handle, p->handle);
  EXPECT_EQ(p->closed, 0) << "a confirm after the close callback";
  EXPECT_GT(confirms->count, 0u);
  p->confirm_calls++;
  for (size_t i = 0; i < confirms->count; i++) {
    size_t index = index_of(*p, confirms->ids[i]);
    if (index >= p->outcomes.size()) {
      ADD_FAILURE() << "an outcome for id " << confirms->ids[i] << " of "
                    << p->outcomes.size();
    } else if (p->outcomes[index] != no_outcome) {
      ADD_FAILURE() << "a second outcome for id " << confirms->ids[i];
    } else {
      p->outcomes[index] = confirms->status;
    }
  }
  p->told += confirms->count;
  p->by_status[confirms->status] += confirms->count;
  if (p->on_confirm) p->on_confirm(confirms);
}

// Both kinds of handle are told their states alike.
template <class Probe, class Handle>
void on_state(Handle *handle, const rstream_state *state, void *user) {
  auto *p = static_cast<Probe *>(user);
  EXPECT_EQ(handle, p->handle);
  EXPECT_EQ(p->closed, 0) << "a state after the close callback";
  EXPECT_EQ(p->ended, 0) << "a state after the last one";
  EXPECT_NE(state->text, nullptr);
  if (state->state == RSTREAM_STATE_OPEN) {
    EXPECT_EQ(state->reason, 0);
    p->opened++;
  } else if (state->state == RSTREAM_STATE_CLOSED) {
    p->ended++;
    p->end_reason = state->reason;
    p->end_text = state->text;
  } else {
    EXPECT_TRUE(state->state == RSTREAM_STATE_RECOVERING ||
                state->state == RSTREAM_STATE_DISCONNECTED)
        << "state " << state->state << " is not told";
    p->losses++;
    p->loss_reason = state->reason;
    p->loss_text = state->text;
  }
  if (p->on_state) p->on_state(state);
}

template <class Probe, class Handle>
void on_closed(Handle *handle, int status, void *user) {
  auto *p = static_cast<Probe *>(user);
  EXPECT_EQ(handle, p->handle);
  p->closed++;
  p->close_status = status;
  p->handle = nullptr;
  if (p->on_closed) p->on_closed();
}

void on_writable(rstream_producer *, void *user) {
  auto *p = static_cast<producer_probe *>(user);
  EXPECT_EQ(p->closed, 0) << "on_writable after the close callback";
  p->writable++;
  if (p->on_writable) p->on_writable();
}

void on_message(rstream_consumer *handle, const rstream_message_view *message,
                void *user) {
  auto *c = static_cast<consumer_probe *>(user);
  EXPECT_EQ(handle, c->handle);
  c->saw(message);
  if (c->on_message) c->on_message(message);
}

void on_chunk(rstream_consumer *handle, rstream_chunk *chunk, void *user) {
  auto *c = static_cast<consumer_probe *>(user);
  EXPECT_EQ(handle, c->handle);
  EXPECT_EQ(c->closed, 0) << "a chunk after the close callback";
  c->chunks++;
  rstream_chunk_info info{};
  info.struct_size = sizeof info;
  EXPECT_EQ(rstream_chunk_info_get(chunk, &info), 0);
  c->infos.push_back(info);
  if (c->on_chunk) return c->on_chunk(chunk);
  while (const rstream_message_view *message = rstream_chunk_next(chunk)) c->saw(message);
}

rstream_update_reply on_update(rstream_consumer *, int active, void *user) {
  auto *c = static_cast<consumer_probe *>(user);
  EXPECT_EQ(c->closed, 0) << "asked after the close callback";
  c->updates += active ? '+' : '-';
  return c->on_update ? c->on_update(active) : RSTREAM_UPDATE_DEFAULT;
}

void on_caught_up(rstream_consumer *, uint64_t next_offset, void *user) {
  auto *c = static_cast<consumer_probe *>(user);
  c->caught_up.push_back(next_offset);
  if (c->on_caught_up) c->on_caught_up(next_offset);
}

void on_chunk_error(rstream_consumer *, const rstream_chunk_error *e, void *user) {
  auto *c = static_cast<consumer_probe *>(user);
  c->bad_chunks += std::to_string(e->status) + '@' + std::to_string(e->first_offset) +
                   '+' + std::to_string(e->message_count) + '>' +
                   std::to_string(e->action) + ' ';
  if (c->on_chunk_error) c->on_chunk_error(e);
}

}  // namespace

fixed_body body_of(uint64_t number) {
  fixed_body body;
  int n = snprintf(body.bytes, sizeof body.bytes, "message %llu",
                   static_cast<unsigned long long>(number));
  body.size = static_cast<size_t>(n);
  return body;
}

rstream_message message_of(std::string_view body) {
  rstream_message m;
  rstream_message_init(&m);
  m.body = body.data();
  m.body_size = body.size();
  return m;
}

std::string text_of(const rstream_message_view *message) {
  return {reinterpret_cast<const char *>(message->body), message->body_size};
}

uint64_t number_of(const rstream_message_view *message) {
  std::string text = text_of(message);
  unsigned long long number = 0;
  EXPECT_EQ(sscanf(text.c_str(), "message %llu", &number), 1) << text;
  return number;
}

void probes_forget(rstream_env *env) {
  for (producer_probe *p : producers) {
    if (p->env == env) p->handle = nullptr;
  }
  for (consumer_probe *c : consumers) {
    if (c->env == env) c->handle = nullptr;
  }
}

namespace {

// The test is over, and what its hooks refer to is going.
void drop_hooks() {
  for (producer_probe *p : producers) {
    p->on_confirm = nullptr;
    p->on_state = nullptr;
    p->on_writable = nullptr;
    p->on_closed = nullptr;
  }
  for (consumer_probe *c : consumers) {
    c->on_message = nullptr;
    c->on_chunk = nullptr;
    c->on_update = nullptr;
    c->on_caught_up = nullptr;
    c->on_chunk_error = nullptr;
    c->on_state = nullptr;
    c->on_closed = nullptr;
  }
}

template <class Probe>
void wait_closed(Probe &probe) {
  uv_loop_t *loop = rstream_env_loop(probe.env);
  while (probe.handle) uv_run(loop, UV_RUN_ONCE);
}

}  // namespace

// ---- producers

producer_probe::~producer_probe() {
  if (handle) {
    drop_hooks();
    // Or it is draining already: then that is cut short.
    if (close_within(0) < 0) rstream_producer_close_within(handle, 0, nullptr);
    wait_closed(*this);
  }
  producers.erase(this);
}

int producer_probe::open(
    rstream_env *e, const std::string &stream,
    const std::function<void(rstream_producer_options &)> &settings) {
  rstream_producer_options o;
  rstream_producer_options_init(&o);
  o.stream = stream.c_str();
  o.on_confirm = test::on_confirm;
  o.on_writable = test::on_writable;
  o.on_state = test::on_state<producer_probe, rstream_producer>;
  o.user = this;
  if (settings) settings(o);
  env = e;
  producers.insert(this);
  return rstream_producer_open(&handle, env, &o);
}

int producer_probe::send(const void *body, size_t size) {
  uint64_t id = 0;
  int rc = rstream_producer_send_bytes(handle, body, size, &id);
  if (rc == 0) took(id, 1);
  return rc;
}

int producer_probe::send(const rstream_message &message) {
  uint64_t id = 0;
  int rc = rstream_producer_send(handle, &message, &id);
  if (rc < 0) return rc;
  if (message.publishing_id) {
    EXPECT_EQ(id, message.publishing_id);
    took_given(id);
  } else {
    took(id, 1);
  }
  return 0;
}

void producer_probe::took(uint64_t first_id, size_t count) {
  EXPECT_EQ(first_id, sent + 1);
  sent += count;
  outcomes.resize(sent, no_outcome);
}

void producer_probe::took_given(uint64_t id) {
  EXPECT_TRUE(given_ids.insert({id, outcomes.size()}).second) << id;
  took(sent + 1, 1);
}

int producer_probe::send_number(uint64_t number) {
  fixed_body body = body_of(number);
  return send(body.bytes, body.size);
}

int producer_probe::close() {
  return rstream_producer_close(handle,
                                test::on_closed<producer_probe, rstream_producer>);
}

int producer_probe::close_within(uint32_t timeout_ms) {
  return rstream_producer_close_within(handle, timeout_ms,
                                       test::on_closed<producer_probe, rstream_producer>);
}

uint64_t producer_probe::with_status(int status) const {
  auto found = by_status.find(status);
  return found == by_status.end() ? 0 : found->second;
}

rstream_producer_stats producer_probe::stats() const {
  rstream_producer_stats s{};
  s.struct_size = sizeof s;
  EXPECT_EQ(rstream_producer_stats_get(handle, &s), 0);
  return s;
}

// ---- consumers

consumer_probe::~consumer_probe() {
  if (handle) {
    drop_hooks();
    close();  // or it is closing already
    wait_closed(*this);
  }
  consumers.erase(this);
}

int consumer_probe::open(
    rstream_env *e, const std::string &stream, mode how,
    const std::function<void(rstream_consumer_options &)> &settings) {
  rstream_consumer_options o;
  rstream_consumer_options_init(&o);
  o.stream = stream.c_str();
  if (how == by_message) {
    o.on_message = test::on_message;
  } else {
    o.on_chunk = test::on_chunk;
  }
  o.on_state = test::on_state<consumer_probe, rstream_consumer>;
  if (on_update) o.on_update = test::on_update;
  o.on_caught_up = test::on_caught_up;
  o.on_chunk_error = test::on_chunk_error;
  o.user = this;
  if (settings) settings(o);
  env = e;
  consumers.insert(this);
  return rstream_consumer_open(&handle, env, &o);
}

int consumer_probe::open_first(
    rstream_env *e, const std::string &stream, mode how,
    const std::function<void(rstream_consumer_options &)> &settings) {
  return open(e, stream, how, [&](auto &o) {
    o.offset_type = RSTREAM_OFFSET_FIRST;
    if (settings) settings(o);
  });
}

int consumer_probe::close() {
  return rstream_consumer_close(handle,
                                test::on_closed<consumer_probe, rstream_consumer>);
}

rstream_consumer_stats consumer_probe::stats() const {
  rstream_consumer_stats s{};
  s.struct_size = sizeof s;
  EXPECT_EQ(rstream_consumer_stats_get(handle, &s), 0);
  return s;
}

void consumer_probe::saw(const rstream_message_view *message) {
  EXPECT_EQ(closed, 0) << "a message after the close callback";
  if (messages == 0) {
    first_offset = message->offset;
  } else if (message->offset <= last_offset) {
    ADD_FAILURE() << "offset " << message->offset << " after " << last_offset;
  }
  messages++;
  last_offset = message->offset;
  if (keep_bodies) bodies.push_back(text_of(message));
  if (keep_numbers) numbers.push_back(number_of(message));
  if (!numbered) return;
  fixed_body expected = body_of(message->offset);
  if (text_of(message) != std::string(expected.bytes, expected.size)) wrong_bodies++;
}

// ---- replies

void result_reply::on(rstream_env *, int status, const char *text, void *user) {
  auto *r = static_cast<result_reply *>(user);
  r->calls++;
  r->status = status;
  r->text = text;
  if (r->then) r->then();
}

void exists_reply::on(rstream_env *, int status, int exists, void *user) {
  auto *r = static_cast<exists_reply *>(user);
  r->calls++;
  r->status = status;
  r->exists = exists;
}

void value_reply::on(rstream_env *, int status, uint64_t value, void *user) {
  auto *r = static_cast<value_reply *>(user);
  r->calls++;
  r->status = status;
  r->value = value;
}

void stats_reply::on(rstream_env *, int status,
                     const rstream_stream_statistics *statistics, void *user) {
  auto *r = static_cast<stats_reply *>(user);
  r->calls++;
  r->status = status;
  if (statistics) r->statistics = *statistics;
}

void metadata_reply::on(rstream_env *, int status, const rstream_metadata *metadata,
                        void *user) {
  auto *r = static_cast<metadata_reply *>(user);
  r->calls++;
  r->status = status;
  for (size_t i = 0; metadata && i < rstream_metadata_count(metadata); i++) {
    rstream_stream_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(rstream_metadata_get(metadata, i, &info), 0);
    r->streams[info.stream] = {
        info.status, info.has_leader == 1, info.has_leader ? info.leader.host : "",
        info.has_leader ? info.leader.port : 0, info.replica_count};
  }
}

}  // namespace rstream::test
