#include <algorithm>
#include <cinttypes>
#include <cstdlib>
#include <cstring>

#include "client/env.h"
#include "codec/amqp_decode.h"
#include "sim/model.h"

namespace rstream::sim {

namespace {

constexpr size_t body_header_bytes = 8;
constexpr int32_t largest_credit = 50;  // of those that consumers are opened with

uint8_t filling(uint32_t serial, uint32_t id, size_t i) {
  return static_cast<uint8_t>(serial * 31 + id * 7 + i * 13);
}

bool is_broker_refusal(int status) { return status < RSTREAM_EBROKER_BASE; }

bool first_is_plausible(const consumer_model &m, uint64_t offset) {
  uint64_t highest = m.highest;
  fake::stream *stream = broker_stream(*m.r, m.stream);
  if (!m.opened && stream) highest = stream->next_offset;
  return offset >= m.lowest && offset <= highest;
}

// Where it stands when nothing came yet.
uint64_t position(const consumer_model &m) { return m.any ? m.next : m.highest; }

message_model *message_by_id(producer_model &m, uint64_t id) {
  auto found = std::lower_bound(
      m.messages.begin(), m.messages.end(), id,
      [](const message_model &message, uint64_t x) { return message.told_id < x; });
  return found != m.messages.end() && found->told_id == id ? &*found : nullptr;
}

struct stored {
  std::vector<record> by_offset;
  std::map<uint32_t, std::vector<uint32_t>> by_producer;
};

stored read_stream(run &r, const fake::stream &s) {
  stored all;
  fake::stream_each(s, [&](uint64_t offset, wire::bytes body) {
    SIM_CHECK(r, offset == all.by_offset.size(),
              "the broker's stream %s has a gap at %" PRIu64, s.name.c_str(), offset);
    record what = check_body(r, offset, body.data(), body.size());
    all.by_offset.push_back(what);
    all.by_producer[what.serial].push_back(what.id);
  });
  return all;
}

// The body that was sent, of a message as it is stored.
wire::bytes sent_body(wire::bytes stored, bool &amqp) {
  amqp = stored.size() > 2 && stored[0] == 0 && stored[1] == 0x53 && stored[2] >= 0x70;
  return amqp ? amqp_body_of(stored).content : stored;
}

// Outcomes the library gives before anything was sent.
bool was_never_sent(int status) {
  return status == RSTREAM_EMSGSIZE || status == RSTREAM_ENOTSUP;
}

void check_stored(run &r, const producer_model &m, const std::vector<uint32_t> &ids) {
  std::vector<uint32_t> times(m.messages.size() + 1, 0);
  // What a connection was lost with is sent again: without a name it may be stored again.
  bool lost = m.losses > 0 || m.unwatched;
  bool repeats = lost && m.name.empty();
  uint32_t last = 0;
  for (uint32_t id : ids) {
    // One that was given up may still be on its way when newer ones are stored.
    bool late = lost && m.messages[id - 1].outcome != 0;
    bool in_order = id > last || late || (repeats && times[id] > 0);
    SIM_CHECK(r, in_order, "producer %u: message %u is stored behind message %u",
              m.serial, id, last);
    last = std::max(last, id);
    times[id]++;
  }
  for (uint32_t id = 1; id < times.size(); id++) {
    int outcome = m.messages[id - 1].outcome;
    SIM_CHECK(r, outcome != 0 || times[id] == 1 || (repeats && times[id] > 1),
              "producer %u (%s): confirmed message %u is stored %u times", m.serial,
              m.name.empty() ? "unnamed" : m.name.c_str(), id, times[id]);
    bool refused = is_broker_refusal(outcome) || was_never_sent(outcome);
    // One refused may have been stored when it was sent first.
    SIM_CHECK(r, !refused || times[id] == 0 || lost,
              "producer %u: message %u, refused with %d, is stored", m.serial, id,
              outcome);
    SIM_CHECK(r, times[id] <= 1 || repeats, "producer %u: message %u is stored %u times",
              m.serial, id, times[id]);
  }
}

void check_received(run &r, const consumer_model &m, const stored &all) {
  for (const record &got : m.received) {
    bool same = got.offset < all.by_offset.size() &&
                all.by_offset[got.offset].serial == got.serial &&
                all.by_offset[got.offset].id == got.id;
    SIM_CHECK(r, same,
              "consumer %u got message %u of producer %u at offset %" PRIu64
              ", which is another one on the broker",
              m.serial, got.id, got.serial, got.offset);
  }
}

void check_stream(run &r, size_t index) {
  fake::stream *s = broker_stream(r, index);
  if (!s || !r.streams[index].stable) return;
  SIM_CHECK(r, s->committed_offset <= s->next_offset, "%s: committed more than there is",
            s->name.c_str());
  stored all = read_stream(r, *s);
  for (const auto &m : r.producers) {
    if (m->stream == index) check_stored(r, *m, all.by_producer[m->serial]);
  }
  for (const auto &m : r.consumers) {
    if (m->stream == index) check_received(r, *m, all);
  }
}

bool open_and_alive(bool opened, bool ended, bool closing) {
  return opened && !ended && !closing;
}

// With a wrong password whose refusal the broker holds back longer than we wait.
template <class Model>
bool tries_for_ever(const Model &m) {
  return m.env->refused && m.options.retry_opening && !m.opened;
}

bool producers_settled(run &r, std::string &why) {
  for (const auto &m : r.producers) {
    if (!m->p || m->ended || m->closing || tries_for_ever(*m)) continue;
    bool outcomes = m->settled == m->messages.size();
    bool open = m->opened && !m->down;
    if (open && outcomes && !m->wants_writable) continue;
    why = "producer " + std::to_string(m->serial) +
          (!open      ? " is still opening"
           : outcomes ? " waits for on_writable"
                      : " waits for outcomes");
    return false;
  }
  for (const auto &m : r.envs) {
    if (!m->env || m->closing || m->refused || m->env->bytes_in_flight == 0) continue;
    why = m->name + " has some of its budget in use";
    return false;
  }
  return true;
}

bool consumers_settled(run &r, std::string &why) {
  for (const auto &m : r.consumers) {
    if (!m->c || m->ended || m->closing || tries_for_ever(*m)) continue;
    fake::stream *s = broker_stream(r, m->stream);
    bool open = m->opened && !m->down;
    if (open && (!s || position(*m) >= s->committed_offset)) continue;
    why = "consumer " + std::to_string(m->serial) +
          (open ? " stands at " + std::to_string(position(*m)) : " is still opening");
    if (open) why += " of " + std::to_string(s->committed_offset);
    return false;
  }
  return true;
}

void check_producer_now(run &r, producer_model &m) {
  rstream_producer_stats stats;
  stats.struct_size = sizeof stats;
  rstream_producer_stats_get(m.p, &stats);
  SIM_CHECK(r, stats.messages_sent == m.messages.size(),
            "producer %u: sent %" PRIu64 ", accepted %zu", m.serial, stats.messages_sent,
            m.messages.size());
  SIM_CHECK(r, stats.messages_confirmed + stats.messages_failed == m.settled,
            "producer %u: statistics disagree with the outcomes told", m.serial);
  SIM_CHECK(r, stats.messages_in_flight == m.messages.size() - m.settled,
            "producer %u: in flight is wrong", m.serial);
  SIM_CHECK(r,
            stats.messages_in_flight <=
                    std::max(m.options.max_messages_in_flight, largest_array) ||
                !m.options.max_messages_in_flight,
            "producer %u: its window is exceeded", m.serial);
  SIM_CHECK(r, stats.messages_in_flight > 0 || stats.bytes_in_flight == 0,
            "producer %u: %" PRIu64 " bytes in flight are of no message", m.serial,
            stats.bytes_in_flight);
  bool owed = m.wants_writable && m.settled == m.messages.size() && !m.ended &&
              !m.closing && !m.env->has_budget;
  SIM_CHECK(r, !owed, "producer %u: on_writable did not come", m.serial);
  if (m.opened) m.id_base = rstream_producer_id_base(m.p);
}

void check_consumer_now(run &r, consumer_model &m) {
  rstream_consumer_stats stats;
  stats.struct_size = sizeof stats;
  rstream_consumer_stats_get(m.c, &stats);
  SIM_CHECK(r, stats.chunks_held == m.held, "consumer %u: holds %u chunks, not %" PRIu64,
            m.serial, m.held, stats.chunks_held);
  SIM_CHECK(r, stats.chunks_bad == 0 && stats.entries_bad == 0, "consumer %u: bad chunks",
            m.serial);
}

// What the brokers know.
void check_brokers_now(run &r) {
  for (carried_peer *p : r.brokers.peers) {
    if (!p->peer) continue;
    for (const auto &sub : p->peer->subscriptions) {
      if (!sub) continue;
      // Where chunks are still held, it is subscribed with less and given the rest later.
      int32_t most = std::max(2 * sub->send_limit + 1, largest_credit);
      SIM_CHECK(r, sub->credit >= 0 && sub->credit <= most,
                "subscription %u on %s has %d credits", unsigned{sub->id},
                sub->stream ? sub->stream->name.c_str() : "?", sub->credit);
    }
  }
}

void *counted_allocate(size_t bytes, void *user) {
  auto *m = static_cast<counted_memory *>(user);
  uint64_t call = m->calls++;
  if (call == m->fail_at || (m->fail_from && call > m->fail_at)) return nullptr;
  void *block = malloc(bytes);
  m->blocks++;
  return block;
}

void counted_release(void *block, void *user) {
  if (!block) return;
  static_cast<counted_memory *>(user)->blocks--;
  free(block);
}

void *counted_resize(void *block, size_t bytes, void *user) {
  if (!block) return counted_allocate(bytes, user);
  auto *m = static_cast<counted_memory *>(user);
  uint64_t call = m->calls++;
  if (call == m->fail_at || (m->fail_from && call > m->fail_at)) return nullptr;
  return realloc(block, bytes);
}

}  // namespace

rstream_allocator counted_memory::functions() {
  return {counted_allocate, counted_resize, counted_release, this};
}

fake::stream *broker_stream(run &r, size_t stream) {
  return fake::stream_find(*r.brokers.cluster, r.streams[stream].name);
}

void check_callback(run &r, const env_model *env, const char *what) {
  SIM_CHECK(r, r.in_call == 0, "%s came from inside a call", what);
  SIM_CHECK(r, !env->closed, "%s came after its environment was closed", what);
}

void fill_body(std::vector<uint8_t> &body, uint32_t serial, uint32_t id, size_t size) {
  body.resize(std::max(size, body_header_bytes));
  memcpy(body.data(), &serial, 4);
  memcpy(body.data() + 4, &id, 4);
  for (size_t i = body_header_bytes; i < body.size(); i++)
    body[i] = filling(serial, id, i);
}

record check_body(run &r, uint64_t offset, const uint8_t *stored, size_t stored_size) {
  record what = {offset, 0, 0};
  bool amqp;
  wire::bytes content = sent_body({stored, stored_size}, amqp);
  const uint8_t *body = content.data();
  size_t size = content.size();
  bool intact = size >= body_header_bytes;
  if (intact) {
    memcpy(&what.serial, body, 4);
    memcpy(&what.id, body + 4, 4);
    intact = what.serial < r.producers.size() && what.id > 0 &&
             what.id <= r.producers[what.serial]->messages.size() &&
             size == r.producers[what.serial]->messages[what.id - 1].body_bytes &&
             amqp == r.producers[what.serial]->messages[what.id - 1].amqp;
  }
  for (size_t i = body_header_bytes; intact && i < size; i++) {
    intact = body[i] == filling(what.serial, what.id, i);
  }
  if (!intact) what.serial = what.id = 0;
  SIM_CHECK(r, intact, "the message at offset %" PRIu64 " is not what was sent", offset);
  return what;
}

void check_message(consumer_model &m, const rstream_message_view &view) {
  run &r = *m.r;
  SIM_CHECK(r, !m.closing && !m.ended && !m.closed,
            "consumer %u got a message after its end", m.serial);
  record what = check_body(r, view.offset, view.body, view.body_size);
  if (m.any) {
    SIM_CHECK(r, view.offset == m.next,
              "consumer %u got offset %" PRIu64 ", %" PRIu64 " was expected", m.serial,
              view.offset, m.next);
  } else {
    SIM_CHECK(r, first_is_plausible(m, view.offset),
              "consumer %u (offset type %d) starts at %" PRIu64 ", allowed is %" PRIu64
              " to %" PRIu64,
              m.serial, static_cast<int>(m.options.offset_type), view.offset, m.lowest,
              m.highest);
  }
  m.any = true;
  m.next = view.offset + 1;
  m.received.push_back(what);
  r.report.messages_consumed++;
}

void check_completion(const completion_model &c, uint64_t id, int status) {
  producer_model &m = *c.producer;
  run &r = *m.r;
  SIM_CHECK(r, !m.closed && !m.ended, "producer %u: a completion after its end",
            m.serial);
  bool known = c.number > 0 && c.number <= m.messages.size();
  SIM_CHECK(r, known, "producer %u: a completion of a message never sent", m.serial);
  if (!known) return;
  message_model &message = m.messages[c.number - 1];
  SIM_CHECK(r, message.has_completion && message.told_id == id,
            "producer %u: a completion with id %" PRIu64 " of message %" PRIu64, m.serial,
            id, message.told_id);
  SIM_CHECK(r, message.completion == no_outcome && message.outcome == no_outcome,
            "producer %u: the completion of message %" PRIu64 " came twice or late",
            m.serial, id);
  message.completion = status;
}

void check_outcomes(producer_model &m, const rstream_confirms &confirms) {
  run &r = *m.r;
  SIM_CHECK(r, !m.closed, "producer %u: outcomes after on_closed", m.serial);
  SIM_CHECK(r, !m.ended, "producer %u: outcomes after the state CLOSED", m.serial);
  SIM_CHECK(r, confirms.count > 0 && confirms.status <= 0, "producer %u: odd outcomes",
            m.serial);
  for (size_t i = 0; i < confirms.count; i++) {
    uint64_t id = confirms.ids[i];
    message_model *found = message_by_id(m, id);
    SIM_CHECK(r, found, "producer %u: outcome for message %" PRIu64 ", never sent",
              m.serial, id);
    if (!found) return;
    message_model &message = *found;
    int own = message.has_completion ? confirms.status : no_outcome;
    SIM_CHECK(r, message.completion == own,
              "producer %u: message %" PRIu64 ", outcome %d, its own callback got %d",
              m.serial, id, confirms.status, message.completion);
    SIM_CHECK(r, message.outcome == no_outcome,
              "producer %u: message %" PRIu64 " got a second outcome %d after %d",
              m.serial, id, confirms.status, message.outcome);
    message.outcome = confirms.status;
    m.settled++;
    if (confirms.status == 0) {
      m.confirmed++;
      m.highest_confirmed = std::max(m.highest_confirmed, id);
      r.report.messages_confirmed++;
    } else {
      r.report.messages_failed++;
    }
  }
}

void check_producer_closed(producer_model &m, int status) {
  run &r = *m.r;
  SIM_CHECK(r, m.closing && !m.closed, "producer %u: on_closed came unasked or twice",
            m.serial);
  SIM_CHECK(r, m.settled == m.messages.size(),
            "producer %u is closed, %zu messages have no outcome", m.serial,
            static_cast<size_t>(m.messages.size() - m.settled));
  SIM_CHECK(r, m.flushes == 0, "producer %u is closed, %u flushes were not answered",
            m.serial, m.flushes);
  SIM_CHECK(r, m.ended == (status != 0 && m.ended), "producer %u ended but closes with 0",
            m.serial);
}

void check_env_closed(env_model &m) {
  run &r = *m.r;
  SIM_CHECK(r, m.closing && !m.closed, "%s: on_closed came unasked or twice",
            m.name.c_str());
  for (const auto &p : r.producers) {
    if (p->env != &m) continue;
    SIM_CHECK(r, p->settled == p->messages.size(),
              "%s is closed, producer %u lacks outcomes", m.name.c_str(), p->serial);
    SIM_CHECK(r, !p->tells_closed || p->closed, "%s is closed, producer %u never told",
              m.name.c_str(), p->serial);
    SIM_CHECK(r, p->flushes == 0, "%s is closed, producer %u owes a flush",
              m.name.c_str(), p->serial);
  }
  for (const auto &c : r.consumers) {
    SIM_CHECK(r, c->env != &m || !c->tells_closed || c->closed,
              "%s is closed, consumer %u never told", m.name.c_str(), c->serial);
  }
  for (const auto &q : r.requests) {
    SIM_CHECK(r, q->env != &m || q->refused || q->calls == 1,
              "%s is closed, %s was not answered", m.name.c_str(), q->what);
  }
}

// The bytes of a chunk that is kept are still what they were.
void check_held(run &r, held_chunk &h) {
  rstream_chunk_rewind(h.chunk);
  size_t i = 0;
  while (const rstream_message_view *view = rstream_chunk_next(h.chunk)) {
    record what = check_body(r, view->offset, view->body, view->body_size);
    bool same = i < h.records.size() && h.records[i].offset == what.offset &&
                h.records[i].serial == what.serial && h.records[i].id == what.id;
    SIM_CHECK(r, same, "a chunk that was kept has changed at offset %" PRIu64,
              view->offset);
    i++;
  }
  SIM_CHECK(r, i == h.records.size(), "a chunk that was kept has %zu messages, not %zu",
            i, h.records.size());
}

void check_now(run &r) {
  for (const auto &m : r.producers) {
    if (m->p) check_producer_now(r, *m);
  }
  for (const auto &m : r.consumers) {
    if (m->c && open_and_alive(m->opened, m->ended, m->closing))
      check_consumer_now(r, *m);
  }
  check_followers_now(r);
  check_brokers_now(r);
}

bool is_settled(run &r, std::string &why) {
  return producers_settled(r, why) && consumers_settled(r, why) &&
         followers_settled(r, why);
}

void check_at_end(run &r) {
  for (size_t i = 0; i < r.streams.size(); i++) check_stream(r, i);
  for (const auto &q : r.requests) {
    SIM_CHECK(r, q->calls == (q->refused ? 0 : 1), "%s was answered %d times", q->what,
              q->calls);
  }
  for (const auto &f : r.flushes) {
    SIM_CHECK(r, f->calls == 1, "a flush of producer %u was answered %d times",
              f->producer->serial, f->calls);
  }
  for (const auto &m : r.envs) {
    SIM_CHECK(r, m->closed, "%s is not closed", m->name.c_str());
    SIM_CHECK(r, m->memory.blocks == 0, "%s has leaked %" PRIu64 " blocks",
              m->name.c_str(), m->memory.blocks);
  }
  // Waiting too long for a client that was cut off counts as well.
  SIM_CHECK(r,
            r.p.loses_connections || r.p.faults ||
                fake::totals(*r.brokers.cluster).refused == 0,
            "a broker ended a connection for breaking the protocol");
}

}  // namespace rstream::sim
