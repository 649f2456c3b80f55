// What the application does, and what it checks when it is called back.
#include <algorithm>
#include <cinttypes>

#include "api/env.h"
#include "connection/session.h"

namespace rstream::fuzz {

namespace {

constexpr size_t most_handles = 12;

// ---- callbacks

// Every callback passes here: none comes from inside a call, and none after the end.
void called_back(session &s) {
  FUZZ_CHECK(s, s.in_call == 0, "called back from inside a call");
  FUZZ_CHECK(s, !s.env_closed, "called back after the environment's end");
}

// Any function may be called in any callback.
void act(session &s, occasion when) {
  std::vector<uint8_t> plan;
  plan.swap(s.plans[static_cast<size_t>(when)]);
  if (plan.empty()) return;
  wire::reader in = wire::reader_of(plan);
  auto what = static_cast<op>(in.u8() & op_mask);
  if (what != op::advance && what <= op::last_of_application) {
    run_application_op(s, what, in);
  }
}

uint64_t sum_of(const uint8_t *data, size_t size) {
  uint64_t sum = size;
  for (size_t i = 0; i < size; i++) sum = sum * 31 + data[i];
  return sum;
}

message &message_of(producer &p, uint64_t id) {
  auto at = std::lower_bound(p.messages.begin(), p.messages.end(), id,
                             [](const message &m, uint64_t i) { return m.id < i; });
  FUZZ_CHECK(*p.s, at != p.messages.end() && at->id == id,
             "an outcome for %" PRIu64 ", never sent", id);
  return *at;
}

void on_outcome(rstream_producer *, uint64_t id, int status, void *user) {
  auto &p = *static_cast<producer *>(user);
  called_back(*p.s);
  FUZZ_CHECK(*p.s, status <= 0, "an odd outcome");
  message &m = message_of(p, id);
  FUZZ_CHECK(*p.s, m.own_callback && !m.own_told && !m.told,
             "on_outcome of %" PRIu64 ", unasked or twice", id);
  m.own_told = true;
  act(*p.s, occasion::outcome);
}

// The one callback that comes from inside a call.
int on_filter_value(const rstream_message *message, const char **value, size_t *size,
                    void *) {
  *value = "north";
  *size = 5;
  return message->body_size % 2;
}

void on_confirm(rstream_producer *, const rstream_confirms *confirms, void *user) {
  auto &p = *static_cast<producer *>(user);
  session &s = *p.s;
  called_back(s);
  FUZZ_CHECK(s, !p.closed && !p.ended, "outcomes after the end");
  FUZZ_CHECK(s, confirms->count > 0 && confirms->status <= 0, "odd outcomes");
  for (size_t i = 0; i < confirms->count; i++) {
    message &m = message_of(p, confirms->ids[i]);
    FUZZ_CHECK(s, !m.told, "a second outcome for %" PRIu64, m.id);
    FUZZ_CHECK(s, m.own_callback == m.own_told, "on_outcome of %" PRIu64 " is missing",
               m.id);
    m.told = true;
    p.settled++;
  }
  act(s, occasion::confirm);
}

void on_writable(rstream_producer *, void *user) {
  auto &p = *static_cast<producer *>(user);
  called_back(*p.s);
  FUZZ_CHECK(*p.s, p.wants_writable && !p.closing && !p.ended, "on_writable, unasked");
  p.wants_writable = false;
  act(*p.s, occasion::writable);
}

void on_producer_state(rstream_producer *, const rstream_state *state, void *user) {
  auto &p = *static_cast<producer *>(user);
  session &s = *p.s;
  called_back(s);
  FUZZ_CHECK(s, !p.closing && !p.ended && !p.closed, "a state after the end");
  FUZZ_CHECK(s, state->text && state->stream, "a state without text");
  if (state->state == RSTREAM_STATE_CLOSED) {
    FUZZ_CHECK(s, state->reason < 0, "ended without a reason");
    FUZZ_CHECK(s, p.settled == p.messages.size(), "ended, but messages have no outcome");
    FUZZ_CHECK(s, p.flushes == 0, "ended, but a flush was not answered");
    p.ended = true;
  }
  act(s, occasion::state);
}

void on_producer_closed(rstream_producer *, int, void *user) {
  auto &p = *static_cast<producer *>(user);
  session &s = *p.s;
  called_back(s);
  FUZZ_CHECK(s, p.closing && !p.closed, "on_closed, unasked or twice");
  FUZZ_CHECK(s, p.settled == p.messages.size(), "closed, but messages have no outcome");
  FUZZ_CHECK(s, p.flushes == 0, "closed, but a flush was not answered");
  p.closed = true;
  p.handle = nullptr;
  act(s, occasion::closed);
}

void answered(request *q, int status) {
  session &s = *q->s;
  called_back(s);
  FUZZ_CHECK(s, q->accepted && q->answers == 0, "an answer, unasked or twice");
  FUZZ_CHECK(s, status <= 0, "status %d", status);
  q->answers++;
  if (q->of) q->of->flushes--;
  act(s, occasion::answer);
}

void on_flushed(rstream_producer *, int status, void *user) {
  answered(static_cast<request *>(user), status);
}
void on_result(rstream_env *, int status, const char *text, void *user) {
  if (!text) abort();
  answered(static_cast<request *>(user), status);
}
void on_exists(rstream_env *, int status, int, void *user) {
  answered(static_cast<request *>(user), status);
}
void on_value(rstream_env *, int status, uint64_t, void *user) {
  answered(static_cast<request *>(user), status);
}
void on_stats(rstream_env *, int status, const rstream_stream_statistics *statistics,
              void *user) {
  if ((status == 0) != (statistics != nullptr)) abort();
  answered(static_cast<request *>(user), status);
}

void on_metadata(rstream_env *, int status, const rstream_metadata *metadata,
                 void *user) {
  if ((status == 0) != (metadata != nullptr)) abort();
  for (size_t i = 0; metadata && i < rstream_metadata_count(metadata); i++) {
    rstream_stream_info info;
    info.struct_size = sizeof info;
    if (rstream_metadata_get(metadata, i, &info) < 0) abort();
    rstream_node node;
    for (size_t k = 0; k < info.replica_count; k++) {
      if (rstream_metadata_replica(metadata, i, k, &node) < 0) abort();
    }
  }
  answered(static_cast<request *>(user), status);
}

void received(consumer &c, const rstream_message_view &view) {
  FUZZ_CHECK(*c.s, !c.closing && !c.ended && !c.closed, "a message after the end");
  FUZZ_CHECK(*c.s, view.offset >= c.next_offset,
             "offset %" PRIu64 " comes behind %" PRIu64, view.offset, c.next_offset);
  c.next_offset = view.offset + 1;
  volatile uint64_t read = sum_of(view.body, view.body_size);
  (void)read;
}

void on_message(rstream_consumer *, const rstream_message_view *view, void *user) {
  auto &c = *static_cast<consumer *>(user);
  called_back(*c.s);
  received(c, *view);
  act(*c.s, occasion::message);
}

// Reads all of a chunk, also where the walk in the callback was cut short.
std::vector<seen_message> read_chunk(rstream_chunk *chunk) {
  rstream_chunk_info info;
  info.struct_size = sizeof info;
  if (rstream_chunk_info_get(chunk, &info) < 0) abort();
  std::vector<seen_message> seen;
  rstream_chunk_rewind(chunk);
  while (const rstream_message_view *view = rstream_chunk_next(chunk)) {
    seen.push_back({view->offset, sum_of(view->body, view->body_size)});
  }
  return seen;
}

// What was read once is there for good. What there was no memory for may come up later.
void check_held(session &s, const held_chunk &h) {
  std::vector<seen_message> now = read_chunk(h.chunk);
  FUZZ_CHECK(s, s.memory_was_short || now.size() == h.seen.size(),
             "a chunk that is held has %zu messages, not %zu", now.size(), h.seen.size());
  auto at = now.begin();
  for (const seen_message &m : h.seen) {
    at = std::find_if(at, now.end(), [&](const auto &n) { return n.offset == m.offset; });
    FUZZ_CHECK(s, at != now.end() && at->sum == m.sum,
               "a chunk that is held has changed at offset %" PRIu64, m.offset);
  }
}

void on_chunk(rstream_consumer *, rstream_chunk *chunk, void *user) {
  auto &c = *static_cast<consumer *>(user);
  session &s = *c.s;
  called_back(s);
  while (const rstream_message_view *view = rstream_chunk_next(chunk)) received(c, *view);
  if (c.keeps_chunks) {
    rstream_chunk_retain(chunk);
    s.held.push_back({chunk, read_chunk(chunk)});
  }
  act(s, occasion::chunk);
}

void on_entry_error(rstream_consumer *, const rstream_entry_error *error, void *user) {
  auto &c = *static_cast<consumer *>(user);
  called_back(*c.s);
  FUZZ_CHECK(*c.s, error->status < 0 && error->text, "an odd error of an entry");
  volatile uint64_t read = sum_of(error->entry, error->entry_size);
  (void)read;
}

// Of a chunk that was streamed all may come again.
void on_chunk_error(rstream_consumer *, const rstream_chunk_error *error, void *user) {
  auto &c = *static_cast<consumer *>(user);
  called_back(*c.s);
  FUZZ_CHECK(*c.s, !c.closing && !c.ended && !c.closed, "a bad chunk after the end");
  FUZZ_CHECK(*c.s, error->status < 0 && error->text, "an odd error of a chunk");
  bool again = error->action == RSTREAM_BAD_CHUNK_RESUBSCRIBE;
  if (again && c.streams) c.next_offset = std::min(c.next_offset, error->first_offset);
  act(*c.s, occasion::chunk);
}

void on_consumer_state(rstream_consumer *, const rstream_state *state, void *user) {
  auto &c = *static_cast<consumer *>(user);
  session &s = *c.s;
  called_back(s);
  FUZZ_CHECK(s, !c.closing && !c.ended && !c.closed, "a state after the end");
  if (state->state == RSTREAM_STATE_CLOSED) {
    FUZZ_CHECK(s, state->reason < 0, "ended without a reason");
    c.ended = true;
  }
  act(s, occasion::state);
}

void on_consumer_closed(rstream_consumer *, int, void *user) {
  auto &c = *static_cast<consumer *>(user);
  session &s = *c.s;
  called_back(s);
  FUZZ_CHECK(s, c.closing && !c.closed, "on_closed, unasked or twice");
  c.closed = true;
  c.handle = nullptr;
  act(s, occasion::closed);
}

void on_env_closed(rstream_env *, void *user) {
  auto &s = *static_cast<session *>(user);
  called_back(s);
  FUZZ_CHECK(s, s.env_closing, "the environment closed unasked");
  s.env_closed = true;
  s.env = nullptr;
  sim::simulation_stop(s.world);
}

void on_log(rstream_log_level, const char *text, void *user) {
  auto &s = *static_cast<session *>(user);
  sim::trace_line(s.world, nullptr, "%s", text);
  act(s, occasion::log);
}

// ---- operations

template <class T>
T *pick(std::vector<std::unique_ptr<T>> &all, uint8_t which) {
  if (all.empty()) return nullptr;
  T *one = all[which % all.size()].get();
  return one->handle ? one : nullptr;
}

template <class T>
size_t usable(const std::vector<std::unique_ptr<T>> &all) {
  return static_cast<size_t>(
      std::count_if(all.begin(), all.end(), [](const auto &one) { return one->handle; }));
}

template <class T>
T &add(session &s, std::vector<std::unique_ptr<T>> &all) {
  all.push_back(std::make_unique<T>());
  all.back()->s = &s;
  return *all.back();
}

// What both ways to open a producer have in common.
rstream_producer_options producer_options(wire::reader &in) {
  uint8_t flags = in.u8();
  uint8_t limits = in.u8();
  rstream_producer_options o;
  rstream_producer_options_init(&o);
  o.stream = stream_names[flags & 3];
  if (flags & 4) o.name = "till";
  if (flags & 8) o.linger_ms = 5;
  if (flags & 16) o.close_timeout_ms = 50;
  o.on_confirm = on_confirm;
  o.on_writable = on_writable;
  o.on_state = on_producer_state;
  constexpr uint32_t in_flight[] = {0, 1, 3, 20};
  constexpr uint32_t batch_messages[] = {0, 1, 4, 100};
  constexpr uint32_t batch_bytes[] = {0, 256, 600, 70000};
  o.max_messages_in_flight = in_flight[limits & 3];
  o.max_batch_messages = batch_messages[limits >> 2 & 3];
  o.max_batch_bytes = batch_bytes[limits >> 4 & 3];
  if (limits & 64) o.max_bytes_in_flight = 1000;
  return o;
}

void open_producer(session &s, rstream_producer_options &o) {
  if (usable(s.producers) >= most_handles) return;
  producer &p = add(s, s.producers);
  o.user = &p;
  p.ids_given = o.ids_given;
  calling inside(s);
  int rc = rstream_producer_open(&p.handle, s.env, &o);
  if (s.env_closing) p.closing = true;  // in the log
  if (rc != 0 || p.closing) p.handle = nullptr;
  FUZZ_CHECK(s, rc <= 0, "opening a producer: %d", rc);
}

void open_producer(session &s, wire::reader &in) {
  rstream_producer_options o = producer_options(in);
  open_producer(s, o);
}

void open_producer_with(session &s, wire::reader &in) {
  rstream_producer_options o = producer_options(in);
  uint8_t more = in.u8();
  constexpr uint32_t sub_entries[] = {0, 2, 5, 100};
  o.sub_entry_messages = sub_entries[more & 3];
  if (o.sub_entry_messages > 1 && more & 4) o.compression = RSTREAM_COMPRESSION_GZIP;
  if (o.sub_entry_messages <= 1 && more & 4) o.on_filter_value = on_filter_value;
  if (more & 8) o.codec = RSTREAM_CODEC_AMQP;
  if (more & 16) o.confirm_timeout_ms = 300;
  if (more & 32) o.confirm_timeout_off = 1;
  if (more & 64) o.ids_given = 1;
  open_producer(s, o);
}

void open_consumer(session &s, wire::reader &in) {
  uint8_t flags = in.u8();
  uint8_t offset = in.u8();
  uint8_t credit = in.u8();
  if (usable(s.consumers) >= most_handles) return;
  consumer &c = add(s, s.consumers);
  rstream_consumer_options o;
  rstream_consumer_options_init(&o);
  o.stream = stream_names[flags & 3];
  if (flags & 4) o.name = "reader";
  if (flags & 8) {
    o.on_message = on_message;
  } else {
    o.on_chunk = on_chunk;
  }
  c.keeps_chunks = flags & 16;
  // Who has messages has no chunks to keep.
  c.streams = (flags & 8) && (flags & 16);
  if (c.streams) o.streaming_min_bytes = flags & 64 ? 1 : 300;
  o.on_chunk_error = on_chunk_error;
  o.crc_off = flags & 32 ? 1 : 0;
  if (flags & 64) o.on_entry_error = on_entry_error;
  o.on_state = on_consumer_state;
  o.user = &c;
  o.offset_type = static_cast<rstream_offset_type>(offset % 6);
  o.offset_value = offset / 6;
  o.timestamp_ms = offset;
  o.initial_credit = credit;
  o.max_sub_entry_bytes = 1u << 20;
  o.max_chunk_decompressed_bytes = 4u << 20;
  calling inside(s);
  int rc = rstream_consumer_open(&c.handle, s.env, &o);
  if (s.env_closing) c.closing = true;
  if (rc != 0 || c.closing) c.handle = nullptr;
  FUZZ_CHECK(s, rc <= 0, "opening a consumer: %d", rc);
}

bool may_send(session &s, size_t bytes) {
  if (bytes > s.body_bytes_left) return false;
  s.body_bytes_left -= bytes;
  return true;
}

void accepted(producer &p, uint64_t id, bool own_callback) {
  uint64_t last = p.messages.empty() ? 0 : p.messages.back().id;
  FUZZ_CHECK(*p.s, p.ids_given ? id > last : id == last + 1,
             "id %" PRIu64 " follows %" PRIu64, id, last);
  p.messages.push_back({id, own_callback});
}

void send(session &s, wire::reader &in) {
  producer *p = pick(s.producers, in.u8());
  uint8_t count = in.u8() % 40;
  size_t size = size_t{in.u8()} * in.u8() % 3000;
  for (uint8_t i = 0; p && i < count && may_send(s, size); i++) {
    s.body.assign(size, i);
    uint64_t id = 0;
    calling inside(s);
    int rc = rstream_producer_send_bytes(p->handle, s.body.data(), size, &id);
    FUZZ_CHECK(s, rc <= 0, "sending: %d", rc);
    if (rc == RSTREAM_EAGAIN) p->wants_writable = true;
    if (rc < 0) return;
    accepted(*p, id, false);
  }
}

std::vector<rstream_message> some_messages(producer &p, wire::reader &in) {
  uint8_t count = in.u8() & 31;
  uint8_t size = in.u8();
  uint8_t flags = in.u8();
  p.s->body.assign(256, size);
  std::vector<rstream_message> messages(count);
  for (rstream_message &m : messages) {
    rstream_message_init(&m);
    m.body = p.s->body.data();
    m.body_size = size;
    if (flags & 1) m.on_outcome = on_outcome;
    m.outcome_user = &p;
    if (flags & 2) m.filter_value = "south";
    m.filter_value_size = flags & 2 ? 5 : 0;
    // With a gap now and then; or, wrongly, all the same.
    if (p.ids_given) m.publishing_id = p.last_given += flags >> 2 & 3;
  }
  return messages;
}

void send_many(session &s, wire::reader &in, bool as_sub_entry) {
  producer *p = pick(s.producers, in.u8());
  auto compression = static_cast<rstream_compression>(in.u8() & 7);
  if (!p) return;
  std::vector<rstream_message> messages = some_messages(*p, in);
  if (!may_send(s, messages.size() * 256)) return;
  uint64_t id = 0;
  int rc;
  {
    calling inside(s);
    rc = as_sub_entry ? rstream_producer_send_sub_entry(p->handle, messages.data(),
                                                        messages.size(), compression, &id)
                      : rstream_producer_send_many(p->handle, messages.data(),
                                                   messages.size(), &id);
  }
  // The window may also be what ended it early.
  bool cut_short = rc > 0 && static_cast<size_t>(rc) < messages.size();
  if (rc == RSTREAM_EAGAIN || cut_short) p->wants_writable = true;
  // All or none of a sub-entry.
  size_t count = as_sub_entry && rc == 0 ? messages.size() : 0;
  if (!as_sub_entry && rc > 0) count = static_cast<size_t>(rc);
  FUZZ_CHECK(s, rc <= static_cast<int>(messages.size()), "sending: %d", rc);
  for (size_t i = 0; i < count; i++) {
    bool own = messages[i].on_outcome != nullptr;
    accepted(*p, p->ids_given ? messages[i].publishing_id : id + i, own);
  }
}

request &ask_for(session &s, producer *of) {
  request &q = add(s, s.requests);
  q.of = of;
  return q;
}

void flush(session &s, wire::reader &in) {
  producer *p = pick(s.producers, in.u8());
  if (!p) return;
  request &q = ask_for(s, p);
  calling inside(s);
  q.accepted = rstream_producer_flush(p->handle, on_flushed, &q) == 0;
  if (q.accepted) p->flushes++;
}

void close_producer(session &s, wire::reader &in) {
  producer *p = pick(s.producers, in.u8());
  uint8_t within_ms = in.u8();
  if (!p) return;
  bool again = p->closing;
  bool tells = !again && within_ms != 2;
  calling inside(s);
  int rc = within_ms & 1
               ? rstream_producer_close(p->handle, on_producer_closed)
               : rstream_producer_close_within(p->handle, within_ms,
                                               tells ? on_producer_closed : nullptr);
  FUZZ_CHECK(s, rc == 0 || (again && rc == RSTREAM_ECLOSED), "closing: %d", rc);
  p->closing = true;
  if (again) return;
  p->tells_closed = tells;
  if (!tells) p->handle = nullptr;
}

void close_consumer(session &s, wire::reader &in) {
  consumer *c = pick(s.consumers, in.u8());
  if (!c) return;
  bool again = c->closing;
  calling inside(s);
  int rc = rstream_consumer_close(c->handle, on_consumer_closed);
  FUZZ_CHECK(s, rc == (again ? RSTREAM_ECLOSED : 0), "closing: %d", rc);
  c->closing = c->tells_closed = true;
}

int ask_env(session &s, uint8_t kind, const char *stream, request *q) {
  rstream_env *e = s.env;
  switch (kind) {
  case 0: return rstream_stream_exists(e, stream, on_exists, q);
  case 1: {
    const char *streams[] = {stream, "nothing"};
    return rstream_stream_metadata(e, streams, 2, on_metadata, q);
  }
  case 2: return rstream_stream_stats(e, stream, on_stats, q);
  case 3: return rstream_query_offset(e, "reader", stream, on_value, q);
  case 4: return rstream_store_offset(e, "reader", stream, 5, on_result, q);
  case 5: return rstream_query_publisher_sequence(e, "till", stream, on_value, q);
  case 6: return rstream_stream_create(e, stream, nullptr, on_result, q);
  default: return rstream_stream_delete(e, stream, on_result, q);
  }
}

void ask(session &s, wire::reader &in) {
  uint8_t kind = in.u8();
  request &q = ask_for(s, nullptr);
  calling inside(s);
  q.accepted = ask_env(s, kind & 7, stream_names[kind >> 3 & 3], &q) == 0;
}

void store_offset(session &s, wire::reader &in) {
  consumer *c = pick(s.consumers, in.u8());
  uint8_t offset = in.u8();
  if (!c) return;
  calling inside(s);
  int rc = rstream_consumer_store_offset(c->handle, offset);
  FUZZ_CHECK(s, rc <= 0, "storing an offset: %d", rc);
}

void plan(session &s, wire::reader &in) {
  auto when = in.u8() % static_cast<size_t>(occasion::count);
  wire::bytes what = some(in, in.u8() & 7);
  s.plans[when].assign(what.begin(), what.end());
}

void fail_allocation(session &s, wire::reader &in) {
  uint8_t n = in.u8();
  s.memory.fail_at = s.memory.calls + (n & 63);
  s.memory.fail_from = n & 64;
  s.memory_was_short = true;
}

}  // namespace

void open_env(session &s, uint8_t settings) {
  s.source = {&s.world, "client"};
  rstream_allocator allocator = s.memory.functions();
  constexpr uint32_t frames[] = {0, 256, 1000, 70000};
  constexpr uint16_t per_connection[] = {0, 1};
  rstream_env_options o;
  rstream_env_options_init(&o);
  o.uri = "rabbitmq-stream://guest:guest@node0:5552/%2f";
  o.allocator = &allocator;
  o.max_frame_bytes = frames[settings & 3];
  o.max_deliver_bytes = settings & 4 ? 8192 : 0;
  o.max_producers_per_connection = o.max_consumers_per_connection =
      per_connection[settings >> 3 & 1];
  if (settings & 16) o.heartbeat_s = 1;
  if (!(settings & 16) && settings & 32) o.heartbeat_off = 1;
  if (settings & 64 || s.world.trace) o.on_log = on_log;
  o.log_level = RSTREAM_LOG_DEBUG;
  o.user = &s;
  int rc = env_create_on(&s.env, source_of(s.source), &o);
  FUZZ_CHECK(s, rc == 0, "creating an environment: %d", rc);
}

void run_application_op(session &s, op what, wire::reader &in) {
  if (what == op::release_chunk) {
    uint8_t which = in.u8();
    if (!s.held.empty()) release_chunk(s, which % s.held.size());
    return;
  }
  if (!s.env || s.env_closing) return;
  switch (what) {
  case op::open_producer: return open_producer(s, in);
  case op::open_consumer: return open_consumer(s, in);
  case op::send: return send(s, in);
  case op::flush: return flush(s, in);
  case op::close_producer: return close_producer(s, in);
  case op::close_consumer: return close_consumer(s, in);
  case op::ask: return ask(s, in);
  case op::store_offset: return store_offset(s, in);
  case op::plan: return plan(s, in);
  case op::fail_allocation: return fail_allocation(s, in);
  case op::close_env: return close_env(s);
  case op::open_producer_with: return open_producer_with(s, in);
  case op::send_many: return send_many(s, in, false);
  case op::send_sub_entry: return send_many(s, in, true);
  default: return;
  }
}

void close_env(session &s) {
  s.env_closing = true;
  // Its handles go when it likes: they can't be used from here on.
  for (auto &p : s.producers) {
    p->closing = true;
    p->handle = nullptr;
  }
  for (auto &c : s.consumers) {
    c->closing = true;
    c->handle = nullptr;
  }
  calling inside(s);
  int rc = rstream_env_close(s.env, on_env_closed, &s);
  FUZZ_CHECK(s, rc == 0, "closing the environment: %d", rc);
}

void check_application(session &s) {
  for (auto &p : s.producers) {
    FUZZ_CHECK(s, p->settled == p->messages.size(), "%" PRIu64 " of %zu messages settled",
               p->settled, p->messages.size());
    FUZZ_CHECK(s, p->flushes == 0, "a flush was never answered");
    FUZZ_CHECK(s, p->closed == p->tells_closed, "a producer's close was never told");
  }
  for (auto &c : s.consumers) {
    FUZZ_CHECK(s, c->closed == c->tells_closed, "a consumer's close was never told");
  }
  for (auto &q : s.requests) {
    FUZZ_CHECK(s, q->answers == (q->accepted ? 1 : 0), "a request has %d answers",
               q->answers);
  }
}

void release_chunk(session &s, size_t index) {
  held_chunk h = std::move(s.held[index]);
  s.held.erase(s.held.begin() + static_cast<ptrdiff_t>(index));
  check_held(s, h);
  calling inside(s);
  rstream_chunk_release(h.chunk);
}

}  // namespace rstream::fuzz
