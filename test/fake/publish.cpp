// DeclarePublisher, Publish and what follows from them.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "fake/internal.h"

namespace rstream::fake {

namespace {

constexpr size_t max_reference_bytes = 255;
constexpr uint32_t max_uncompressed_bytes = 64u << 20;
constexpr size_t sub_header_bytes = 1 + 2 + 4 + 4;

wire::response declare_code(peer &p, const wire::declare_publisher &x) {
  cluster &c = *p.broker->cluster;
  stream *s = stream_find(c, x.stream);
  if (c.disk_alarm || p.publishers[x.publisher_id])
    return wire::response::precondition_failed;
  if (x.reference.size() > max_reference_bytes)
    return wire::response::precondition_failed;
  if (p.user && !p.user->write) return wire::response::access_refused;
  if (!s) return wire::response::stream_does_not_exist;
  for (publisher *pub : s->publishers) {
    if (pub->peer == &p && !x.reference.empty() && pub->reference == x.reference) {
      return wire::response::precondition_failed;
    }
  }
  if (!stream_has_leader(*s)) return wire::response::stream_not_available;
  return wire::response::ok;
}

// One run of entries of a frame, on its way into the stream.
struct intake {
  peer &p;
  publisher &pub;
  stream &s;
  const uint8_t *at;
  const uint8_t *end;
  uint32_t run = 0;  // entries whose ids wait for the chunk at hand

  size_t left() const { return static_cast<size_t>(end - at); }
};

// The ids of the run are confirmed once the chunk at hand is committed, or what precedes
// it when it is empty because they all were duplicates.
void end_run(intake &in) {
  if (in.run == 0) return;
  stream &s = in.s;
  uint64_t chunks = sealed_chunks(s) + (s.open.entries > 0 ? 1 : 0);
  if (!s.waiting.empty() && s.waiting.back().chunks == chunks &&
      s.waiting.back().serial == in.pub.serial) {
    s.waiting.back().count += in.run;
  } else {
    s.waiting.push_back({chunks, &in.p, in.pub.serial, in.pub.id, in.run});
  }
  in.run = 0;
}

// As stream_room(), which may seal the chunk that the run waits for.
uint8_t *room_for(intake &in, size_t n) {
  const options &o = in.s.cluster->options;
  if (in.s.open.entries >= o.max_chunk_entries ||
      open_bytes(in.s) + n > o.max_chunk_bytes) {
    end_run(in);
  }
  return stream_room(in.s, n);
}

void remember_sequence(stream &s, publisher &pub, uint64_t id) {
  s.sequences[pub.reference] = id;
  for (auto &[name, highest] : s.open.sequences) {
    if (name == pub.reference) {
      highest = id;
      return;
    }
  }
  s.open.sequences.emplace_back(pub.reference, id);
}

bool is_duplicate(const stream &s, const publisher &pub, uint64_t id) {
  if (pub.reference.empty()) return false;
  auto it = s.sequences.find(pub.reference);
  return it != s.sequences.end() && id <= it->second;
}

void add_id(intake &in, const uint8_t *id) {
  auto &ids = in.pub.unconfirmed;
  ids.insert(ids.end(), id, id + 8);
  in.run++;
  in.p.unconfirmed++;
  in.p.count.entries++;
}

// A frame of simple entries of an unnamed publisher: nearly all there are. Stops at what
// it does not take.
void take_plain(intake &in) {
  stream &s = in.s;
  const options &o = s.cluster->options;
  auto &ids = in.pub.unconfirmed;
  while (in.left() >= 12 && in.at[8] < 0x80) {
    size_t first_size = 4 + size_t{wire::load_u32be(in.at + 8)};
    if (first_size > in.left() - 8) return;
    uint8_t *out = room_for(in, first_size);
    const uint8_t *limit = s.segment->data() + s.segment->capacity - room_to_spare;
    const uint8_t *chunk_limit = s.segment->data() + s.open_at + o.max_chunk_bytes;
    if (chunk_limit < limit) limit = chunk_limit;
    uint32_t entries = s.open.entries;
    size_t ids_before = ids.size();
    size_t most = std::min<size_t>(o.max_chunk_entries - entries, in.left() / 12);
    ids.resize(ids_before + most * 8);
    uint8_t *id_out = ids.data() + ids_before;
    const uint8_t *at = in.at;
    const uint8_t *end = in.end;
    size_t taken = 0;
    while (taken < most && end - at >= 12) {
      uint32_t size = wire::load_u32be(at + 8);
      if (size >= 0x80000000u || size > static_cast<size_t>(end - at) - 12) break;
      size_t n = 4 + size_t{size};
      if (taken > 0 && n > static_cast<size_t>(limit - out)) break;
      std::memcpy(id_out, at, 8);
      if (n <= 32 && end - at >= 40) {
        std::memcpy(out, at + 8,
                    32);  // What is too much is overwritten or left behind the end.
      } else {
        std::memcpy(out, at + 8, n);
      }
      id_out += 8;
      out += n;
      at += 8 + n;
      taken++;
      if (out > limit) break;
    }
    ids.resize(ids_before + taken * 8);
    in.at = at;
    in.run += static_cast<uint32_t>(taken);
    in.p.unconfirmed += taken;
    in.p.count.entries += taken;
    s.used = static_cast<size_t>(out - s.segment->data());
    s.open.entries = static_cast<uint16_t>(entries + taken);
    s.open.records += static_cast<uint32_t>(taken);
    s.open.unfiltered = true;
  }
}

enum class taken : uint8_t { ok, malformed, refused };

// The record count of a sub-entry, or 1; `size` is that of the whole entry. The checks
// of 4.3.5.
taken measure_entry(const intake &in, const uint8_t *entry, size_t &size,
                    uint32_t &records) {
  auto room = static_cast<size_t>(in.end - entry);
  records = 1;
  if (room < 4) return taken::malformed;
  if (entry[0] < 0x80) {
    size = 4 + size_t{wire::load_u32be(entry)};
    return size > room ? taken::malformed : taken::ok;
  }
  if (room < sub_header_bytes) return taken::malformed;
  size = sub_header_bytes + size_t{wire::load_u32be(entry + 7)};
  if (size > room) return taken::malformed;
  records = wire::load_u16be(entry + 1);
  uint32_t plain_bytes = wire::load_u32be(entry + 3);
  const cluster &c = *in.s.cluster;
  if (!c.options.verify_entries || !at_least(c, 40305)) return taken::ok;
  bool fits = plain_bytes <= max_uncompressed_bytes && records > 0 &&
              uint64_t{records} * 4 <= plain_bytes && (entry[0] >> 4 & 7) <= 4;
  return fits ? taken::ok : taken::refused;
}

// From the entry at hand on, all of the frame is refused, so that no gap in the ids comes
// up.
void refuse_rest(intake &in, uint16_t version, wire::response code) {
  std::vector<wire::failed_id> failed;
  wire::publish_entries rest =
      wire::publish_entries_of({in.at, in.left()}, UINT32_MAX, version);
  wire::publish_entry entry;
  while (rest.next(entry)) failed.push_back({entry.id, wire::raw(code)});
  in.at = in.end;
  in.p.count.publish_errors += failed.size();
  if (!failed.empty()) emit(in.p, wire::publish_error{in.pub.id, {failed}});
}

taken take_one(intake &in, uint16_t version) {
  if (in.left() < 12) return taken::malformed;
  const uint8_t *entry = in.at + 8;
  std::string_view filter;
  if (version == 2) {
    uint16_t n = wire::load_u16be(entry);
    entry += 2;
    if (n != wire::null_string_length) {
      if (static_cast<size_t>(in.end - entry) < n) return taken::malformed;
      filter = {reinterpret_cast<const char *>(entry), n};
      entry += n;
    }
    // The broker has no clause for a sub-entry here and crashes.
    if (entry < in.end && *entry >= 0x80) return taken::malformed;
  }
  size_t size = 0;
  uint32_t records = 0;
  taken result = measure_entry(in, entry, size, records);
  if (result != taken::ok) return result;
  stream &s = in.s;
  uint64_t id = wire::load_u64be(in.at);
  if (is_duplicate(s, in.pub, id)) {
    in.p.count.duplicates++;
  } else {
    uint8_t *out = room_for(in, size);
    std::memcpy(out, entry, size);
    s.used += size;
    s.open.entries++;
    s.open.records += records;
    if (filter.empty()) {
      s.open.unfiltered = true;
    } else if (std::find(s.open.filters.begin(), s.open.filters.end(), filter) ==
               s.open.filters.end()) {
      s.open.filters.emplace_back(filter);
    }
    if (!in.pub.reference.empty()) remember_sequence(s, in.pub, id);
  }
  add_id(in, in.at);
  in.at = entry + size;
  return taken::ok;
}

bool refuse_unknown_publisher(peer &p, wire::publish &x) {
  std::vector<wire::failed_id> failed;
  wire::publish_entry entry;
  wire::publish_entries it = x.entries;
  while (it.next(entry)) failed.push_back({entry.id, 18});
  p.count.publish_errors += failed.size();
  emit(p, wire::publish_error{x.publisher_id, {failed}});
  return true;
}

}  // namespace

bool handle_declare_publisher(peer &p, const frame &fr) {
  wire::declare_publisher x;
  if (!take(fr, x) || is_null(x.reference) || is_null(x.stream)) return false;
  wire::response code = declare_code(p, x);
  if (code == wire::response::ok) {
    auto pub = std::make_unique<publisher>();
    pub->peer = &p;
    pub->stream = stream_find(*p.broker->cluster, x.stream);
    pub->serial = ++p.broker->cluster->serials;
    pub->id = x.publisher_id;
    pub->reference = x.reference;
    pub->stream->publishers.push_back(pub.get());
    p.publishers[x.publisher_id] = std::move(pub);
  }
  emit_code(p, wire::key::declare_publisher, x.correlation_id, code);
  return true;
}

void publisher_remove(peer &p, uint8_t id) {
  publisher *pub = p.publishers[id].get();
  if (!pub) return;
  stream &s = *pub->stream;
  std::erase(s.publishers, pub);
  for (auto &waiting : s.waiting) {
    if (waiting.serial == pub->serial) waiting.peer = nullptr;
  }
  p.unconfirmed -= pub->unconfirmed.size() / 8;
  p.publishers[id].reset();
  peer_check_reading(p);
}

bool handle_delete_publisher(peer &p, const frame &fr) {
  wire::delete_publisher x;
  if (!take(fr, x)) return false;
  bool known = p.publishers[x.publisher_id] != nullptr;
  publisher_remove(p, x.publisher_id);
  emit_code(p, wire::key::delete_publisher, x.correlation_id,
            known ? wire::response::ok : wire::response::publisher_does_not_exist);
  return true;
}

bool handle_query_sequence(peer &p, const frame &fr) {
  wire::query_sequence x;
  if (!take(fr, x) || is_null(x.reference) || is_null(x.stream)) return false;
  stream *s;
  wire::response code = read_code(p, x.stream, s);
  wire::query_sequence_response answer = {.correlation_id = x.correlation_id,
                                          .code = wire::raw(code)};
  if (code == wire::response::ok) {
    auto it = s->sequences.find(std::string(x.reference));
    if (it != s->sequences.end()) answer.sequence = it->second;
  }
  emit(p, answer);
  return true;
}

bool handle_publish(peer &p, const frame &fr) {
  if (fr.body.size() < 5) return false;
  publisher *pub = p.publishers[fr.body[0]].get();
  if (!pub) {
    wire::publish x;
    if (!take(fr, x)) return false;
    return refuse_unknown_publisher(p, x);
  }
  intake in = {p, *pub, *pub->stream, fr.body.data() + 5,
               fr.body.data() + fr.body.size()};
  taken result = taken::ok;
  if (fr.version == 1 && pub->reference.empty()) take_plain(in);
  while (in.left() > 0 && result == taken::ok) result = take_one(in, fr.version);
  end_run(in);
  stream_gather(in.s);
  peer_check_reading(p);
  if (result == taken::malformed) {
    peer_crashed(p);
    return true;
  }
  if (result == taken::refused)
    refuse_rest(in, fr.version, wire::response::precondition_failed);
  return true;
}

void confirm_committed(stream &s) {
  while (!s.waiting.empty() && s.waiting.front().chunks <= s.committed_chunks) {
    stream::waiting_confirm w = s.waiting.front();
    s.waiting.pop_front();
    while (!s.waiting.empty() && s.waiting.front().serial == w.serial &&
           s.waiting.front().chunks <= s.committed_chunks) {
      w.count += s.waiting.front().count;
      s.waiting.pop_front();
    }
    publisher *pub = w.peer ? w.peer->publishers[w.id].get() : nullptr;
    if (!pub || pub->serial != w.serial) continue;
    size_t id_bytes = size_t{w.count} * 8;
    assert(id_bytes <= pub->unconfirmed.size());
    uint8_t *out = peer_put(*w.peer, 4 + 4 + 1 + 4 + id_bytes);
    wire::store_u32be(out, static_cast<uint32_t>(4 + 1 + 4 + id_bytes));
    wire::store_u16be(out + 4, wire::raw(wire::key::publish_confirm));
    wire::store_u16be(out + 6, 1);
    out[8] = w.id;
    wire::store_u32be(out + 9, w.count);
    std::memcpy(out + 13, pub->unconfirmed.data(), id_bytes);
    pub->unconfirmed.erase(pub->unconfirmed.begin(),
                           pub->unconfirmed.begin() + static_cast<ptrdiff_t>(id_bytes));
    w.peer->count.confirms += w.count;
    w.peer->unconfirmed -= w.count;
    peer_check_reading(*w.peer);
  }
}

}  // namespace rstream::fake
