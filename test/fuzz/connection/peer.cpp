// What the peer does: answers that went wrong, and what nobody asked for.
#include <algorithm>

#include "connection/session.h"
#include "fake/script.h"
#include "gzip.h"

namespace rstream::fuzz {

namespace {

constexpr size_t most_tamperings = 64;

fake::broker &node(session &s) { return fake::node(*s.brokers.cluster); }

// ---- answers

void change(std::vector<uint8_t> &out, size_t begin, const tampering &t) {
  size_t size = out.size() - begin;
  size_t at = begin + (size ? t.at % size : 0);
  auto place = out.begin() + static_cast<ptrdiff_t>(at);
  switch (t.how) {
  case damage::change:
    for (size_t i = 0; i < t.bytes.size() && at + i < out.size(); i++)
      out[at + i] = t.bytes[i];
    return;
  case damage::cut: out.erase(place, out.end()); return;
  case damage::twice: {
    std::vector<uint8_t> again(out.begin() + static_cast<ptrdiff_t>(begin), out.end());
    out.insert(out.end(), again.begin(), again.end());
    return;
  }
  case damage::insert: out.insert(place, t.bytes.begin(), t.bytes.end()); return;
  case damage::other_id:  // of a response: size, key, version, correlation id
    if (size >= 12) out[begin + 11] ^= static_cast<uint8_t>(t.at | 1);
    return;
  default: return;
  }
}

void answer_badly(session &s, fake::peer &from, const fake::frame &fr) {
  tampering t = std::move(s.tamperings.front());
  s.tamperings.pop_front();
  sim::trace_line(s.world, nullptr, "damage %u to the answer to %s",
                  static_cast<unsigned>(t.how), wire::command_name(fr.key));
  if (t.how == damage::drop) return;
  if (t.how == damage::replace) return fake::peer_send(from, t.bytes);
  if (t.how == damage::refuse) {
    auto code = static_cast<wire::response>(t.at % (wire::last_response + 2));
    return fake::peer_send(from, fake::response_to(fr, code));
  }
  size_t begin = from.out.size();
  fake::peer_handle(from, fr);
  if (begin <= from.out.size()) change(from.out, begin, t);
  if (t.how == damage::close_after) fake::peer_close(from);
}

fake::verdict on_frame(session &s, fake::peer &from, const fake::frame &fr) {
  if (!wire::is_response(fr.key)) s.last_correlation_id = fake::correlation_of(fr);
  if (!s.tamperings.empty()) {
    if (s.tamperings.front().skip == 0) {
      answer_badly(s, from, fr);
      return fake::verdict::handled;
    }
    s.tamperings.front().skip--;
  }
  return s.deaf ? fake::verdict::handled : fake::verdict::pass;
}

void tamper(session &s, wire::reader &in) {
  tampering t;
  t.skip = in.u8() & 15;
  t.how = static_cast<damage>(in.u8() % static_cast<uint8_t>(damage::count));
  t.at = in.u8();
  wire::bytes bytes = some(in, in.u8());
  t.bytes.assign(bytes.begin(), bytes.end());
  if (s.tamperings.size() < most_tamperings) s.tamperings.push_back(std::move(t));
}

// ---- what nobody asked for

fake::peer *pick_peer(session &s, uint8_t which) {
  auto &peers = node(s).peers;
  return peers.empty() ? nullptr : peers[which % peers.size()];
}

fake::byte_vector frame_to_say(wire::reader &in) {
  uint8_t key = in.u8();
  uint16_t version = in.u8();
  uint16_t bit = key & 0x80 ? wire::response_bit : 0;
  return fake::raw_frame((key & 0x7f) | bit, version, some(in, in.u8()));
}

fake::byte_vector deliver_to_say(wire::reader &in) {
  uint8_t subscription = in.u8();
  uint8_t flags = in.u8();
  fake::chunk_parts parts;
  parts.first_offset = flags & 1 ? UINT64_MAX - in.u8() : in.u8();
  parts.type = flags & 2 ? in.u8() : 0;
  parts.crc_xor = flags & 4 ? 1 : 0;
  parts.data_bytes_off = flags & 8 ? in.i8() : 0;
  uint8_t messages = flags & 16 ? in.u8() & 15 : 0;
  std::vector<std::string> bodies;
  for (uint8_t i = 0; i < messages; i++) bodies.emplace_back(i, 'm');
  if (flags & 32) {
    fake::chunk_add_batch(parts, bodies, flags & 64 ? in.u8() : -1);
  } else {
    for (const std::string &body : bodies) fake::chunk_add(parts, body);
  }
  wire::bytes entries = some(in, in.u8());
  parts.entries.insert(parts.entries.end(), entries.begin(), entries.end());
  parts.entry_count = static_cast<uint16_t>(parts.entry_count + in.i8());
  parts.record_count += static_cast<uint32_t>(in.i8());
  return fake::deliver_frame(subscription, flags & 128 ? 2 : 1, parts);
}

// A chunk with one sub-entry between two messages. Its data is the input's, or packed
// with gzip: then it reaches the messages inside.
fake::byte_vector packed_to_say(wire::reader &in) {
  uint8_t subscription = in.u8();
  uint8_t flags = in.u8();
  fake::chunk_parts parts;
  parts.first_offset = in.u8();
  uint16_t records = in.u8();
  uint32_t uncompressed = flags & 8 ? in.u32() : in.u8();
  wire::bytes data = some(in, in.u8());
  fake::byte_vector packed(data.begin(), data.end());
  if (flags & 16) {
    if (!(flags & 8)) uncompressed = static_cast<uint32_t>(data.size());
    packed = gzipped(data);
  }
  fake::chunk_add(parts, "before");
  fake::chunk_add_packed(parts, flags & 7, records, uncompressed, packed);
  fake::chunk_add(parts, "behind");
  return fake::deliver_frame(subscription, 1, parts);
}

fake::byte_vector outcome_to_say(wire::reader &in) {
  uint8_t publisher = in.u8();
  uint8_t first = in.u8();
  uint8_t count = in.u8();
  uint8_t code = in.u8();
  std::vector<uint64_t> ids;
  std::vector<wire::failed_id> failed;
  for (uint8_t i = 0; i < count; i++) {
    // Backwards and twice as well.
    uint64_t id = count & 1 ? uint64_t{first} + i : uint64_t{first} - i / 2;
    ids.push_back(id);
    failed.push_back({id, code});
  }
  if (code == 0) return fake::frame_of(wire::publish_confirm{publisher, {ids}});
  return fake::frame_of(wire::publish_error{publisher, {failed}});
}

fake::byte_vector answer_to_say(session &s, wire::reader &in) {
  uint8_t key = in.u8();
  uint32_t id = s.last_correlation_id + static_cast<uint32_t>(in.i8());
  uint8_t code = in.u8();
  std::vector<uint8_t> body(6);
  wire::store_u32be(body.data(), id);
  wire::store_u16be(body.data() + 4, code);
  wire::bytes rest = some(in, in.u8());
  body.insert(body.end(), rest.begin(), rest.end());
  return fake::raw_frame(key | wire::response_bit, 1, body);
}

fake::byte_vector bytes_to_say(wire::reader &in) {
  wire::bytes bytes = some(in, in.u8());
  return {bytes.begin(), bytes.end()};
}

fake::byte_vector update_to_say(wire::reader &in) {
  uint8_t stream = in.u8();
  return fake::frame_of(wire::metadata_update{in.u8(), stream_names[stream & 3]});
}

fake::byte_vector consumer_update_to_say(wire::reader &in) {
  uint8_t id = in.u8();
  return fake::frame_of(wire::consumer_update{in.u8(), id, (id & 1) != 0});
}

void say(session &s, op what, wire::reader &in) {
  fake::peer *p = pick_peer(s, in.u8());
  fake::byte_vector bytes;
  switch (what) {
  case op::say_frame: bytes = frame_to_say(in); break;
  case op::say_bytes: bytes = bytes_to_say(in); break;
  case op::say_deliver: bytes = deliver_to_say(in); break;
  case op::say_packed: bytes = packed_to_say(in); break;
  case op::say_outcome: bytes = outcome_to_say(in); break;
  case op::say_answer: bytes = answer_to_say(s, in); break;
  case op::say_metadata_update: bytes = update_to_say(in); break;
  case op::say_consumer_update: bytes = consumer_update_to_say(in); break;
  default: break;
  }
  if (p) fake::peer_send(*p, bytes);
}

// ---- the broker's own doings

void store_messages(session &s, wire::reader &in) {
  uint8_t stream = in.u8();
  uint8_t count = in.u8() & 15;
  std::vector<uint8_t> body(in.u8(), 'b');
  fake::stream *to = fake::stream_find(*s.brokers.cluster, stream_names[stream & 3]);
  for (uint8_t i = 0; to && i < count; i++) fake::stream_append(*to, body);
}

void lose_connection(session &s, uint8_t which) {
  auto &all = s.world.connections;
  if (!all.empty())
    sim::connection_lose(s.world, *all[which % all.size()], sim::loss::silence);
}

void end_peer(session &s, wire::reader &in) {
  uint8_t which = in.u8();
  uint8_t how = in.u8();
  fake::peer *p = pick_peer(s, which);
  if (!p) return;
  switch (how & 7) {
  case 0: return fake::peer_close(*p);
  case 1: return fake::peer_reset(*p);
  case 2:
    return fake::peer_send_close(*p, static_cast<wire::response>(how >> 3), "no reason");
  case 3: return fake::peer_stop_reading(*p);
  case 4: return fake::peer_resume_reading(*p);
  case 5: return lose_connection(s, which);
  default: return;
  }
}

void pace(session &s, wire::reader &in) {
  fake::peer *p = pick_peer(s, in.u8());
  uint8_t piece = in.u8();
  uint8_t interval_ms = in.u8() & 31;
  if (p) fake::peer_pace(*p, piece, interval_ms);
}

void disturb(session &s, wire::reader &in) {
  uint8_t what = in.u8();
  fake::cluster &c = *s.brokers.cluster;
  const char *name = stream_names[what >> 4 & 1];
  fake::stream *stream = fake::stream_find(c, name);
  switch (what & 7) {
  case 0: return fake::broker_crash(node(s));
  case 1: return fake::broker_start(node(s));
  case 2:
    if (stream) fake::stream_delete(c, name);
    return;
  case 3:
    if (!stream) fake::stream_create(c, name);
    return;
  case 4:
    if (stream && stream->leader >= 0) fake::stream_lose_leader(*stream);
    return;
  case 5:
    if (stream && stream->leader < 0) fake::stream_elect(*stream, 0);
    return;
  case 6:
    if (stream) stream->hold_commits = !stream->hold_commits;
    return;
  default: return fake::cluster_commit(c);
  }
}

void set_weather(session &s, wire::reader &in) {
  uint8_t segment = in.u8();
  uint8_t more = in.u8();
  sim::weather &w = s.world.sky;
  w.segment_bytes_max = segment;
  w.pipe_bytes_min = w.pipe_bytes_max = more & 1 ? 200 : 256 << 10;
  w.short_write = more & 2 ? 300 : 0;
  w.resolve_fails = more & 4 ? 500 : 0;
  w.connect_refused = more & 8 ? 500 : 0;
  w.connect_silent = more & 16 ? 500 : 0;
  w.latency_us_min = w.latency_us_max = more & 32 ? 20000 : 0;
}

}  // namespace

void start_brokers(session &s, uint8_t settings) {
  sim::weather &w = s.world.sky;
  w.latency_us_min = w.latency_us_max = w.jitter_us = w.turn_us_max = 0;
  w.timer_late_us_max = w.resolve_us_max = 0;
  w.pipe_bytes_min = w.pipe_bytes_max = 256 << 10;
  sim::cluster_start(s.brokers, s.world, 1);
  fake::options &o = s.brokers.cluster->options;
  constexpr const char *versions[] = {"4.3.6", "3.10", "3.13.7", "4.0.5"};
  constexpr uint32_t frames[] = {1048576, 4096, 500, 0};
  o.version = versions[settings & 3];
  o.frame_max = frames[settings >> 2 & 3];
  o.max_chunk_entries = settings & 16 ? 3 : 8192;
  o.segment_bytes = 64u << 10;
  s.deaf = settings & 128;
  fake::stream_create(*s.brokers.cluster, stream_names[0]);
  fake::stream_create(*s.brokers.cluster, stream_names[1]);
  fake::on_any_frame(node(s), [&s](fake::peer &from, const fake::frame &fr) {
    return on_frame(s, from, fr);
  });
}

void hurry(session &s) {
  s.world.sky.segment_bytes_max = 0;
  std::vector<fake::peer *> peers = node(s).peers;
  for (fake::peer *p : peers) fake::peer_pace(*p, 0);
}

void run_peer_op(session &s, op what, wire::reader &in) {
  switch (what) {
  case op::tamper: return tamper(s, in);
  case op::store_messages: return store_messages(s, in);
  case op::end_peer: return end_peer(s, in);
  case op::pace: return pace(s, in);
  case op::disturb: return disturb(s, in);
  case op::weather: return set_weather(s, in);
  case op::say_frame:
  case op::say_bytes:
  case op::say_deliver:
  case op::say_packed:
  case op::say_outcome:
  case op::say_answer:
  case op::say_metadata_update:
  case op::say_consumer_update: return say(s, what, in);
  default: return;
  }
}

}  // namespace rstream::fuzz
