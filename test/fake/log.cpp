// What a stream stores: chunks that are slices of large segments. Appending, sealing and
// committing are separate steps, so that a crash can lose what was appended but not
// committed.
#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>

#include "codec/compression.h"
#include "codec/crc32.h"
#include "fake/internal.h"

namespace rstream::fake {

blob *blob_new(size_t capacity) {
  void *block = std::malloc(sizeof(blob) + capacity);
  assert(block);
  blob *b = new (block) blob();
  b->capacity = capacity;
  return b;
}

void blob_unref(blob *b) {
  if (--b->refs == 0) std::free(b);
}

namespace {

void write_header(chunk &ch, uint64_t epoch) {
  uint8_t *h = ch.header;
  h[0] = 0x50;
  h[1] = chunk_type_user;
  wire::store_u16be(h + 2, ch.entries);
  wire::store_u32be(h + 4, ch.records);
  wire::store_u64be(h + 8, static_cast<uint64_t>(ch.timestamp_ms));
  wire::store_u64be(h + 16, epoch);
  wire::store_u64be(h + 24, ch.first_offset);
  wire::store_u32be(h + 32, crc32_of({ch.data, ch.data_bytes}));
  wire::store_u32be(h + 36, ch.data_bytes);
  // As on disk, where tracking data and the Bloom filter stand; neither goes to
  // consumers.
  wire::store_u32be(h + 40, ch.sequences.empty() ? 0 : 32);
  h[44] = ch.filters.empty() ? 0 : 16;
  h[45] = h[46] = h[47] = 0;
}

void drop_front(stream &s) {
  chunk &front = s.log.front();
  s.log_bytes -= front.data_bytes;
  blob_unref(front.segment);
  s.log.pop_front();
  s.first_chunk++;
}

// Chunks numbered below may be dropped.
uint64_t unneeded_chunks(const stream &s) {
  uint64_t end = s.committed_chunks;
  if (!s.cluster->options.keep_unread) return end;
  for (const subscription *sub : s.subscriptions) end = std::min(end, sub->next_chunk);
  return end;
}

void retain_no_more(stream &s) {
  size_t limit = s.cluster->options.retention_bytes;
  if (limit == 0 || s.log_bytes <= limit) return;
  uint64_t end = unneeded_chunks(s);
  while (s.log.size() > 1 && s.log_bytes > limit && s.first_chunk < end) drop_front(s);
}

void on_commit_due(net_timer *timer) { stream_commit(owner_of<stream>(timer)); }

void commit_when_due(stream &s) {
  const options &o = s.cluster->options;
  if (!o.auto_commit || s.hold_commits) return;
  if (o.commit_max_ms == 0) {
    stream_commit(s);
    return;
  }
  if (s.commit_timer.timer.active) return;
  uint64_t range = o.commit_max_ms - o.commit_min_ms + 1;
  net &world = *s.cluster->world;
  start(world, s.commit_timer, s, o.commit_min_ms + net_random(world) % range,
        on_commit_due);
}

int64_t wall_clock_ms(const cluster &c) {
  return c.options.epoch_ms + static_cast<int64_t>(net_now_ms(*c.world));
}

void reset_open(stream &s) {
  s.open = chunk();
  s.open_at = s.used;
}

// The open chunk goes on in a larger segment, or the old one again when nobody else uses
// it.
void next_segment(stream &s, size_t n) {
  size_t have = s.used - s.open_at;
  size_t need = have + n + room_to_spare;
  if (s.segment && s.segment->refs == 1 && need <= s.segment->capacity) {
    std::memmove(s.segment->data(), s.segment->data() + s.open_at, have);
  } else {
    size_t capacity = std::max({s.cluster->options.segment_bytes, need, have * 2});
    blob *segment = blob_new(capacity);
    if (s.segment) {
      std::memcpy(segment->data(), s.segment->data() + s.open_at, have);
      blob_unref(s.segment);
    }
    s.segment = segment;
  }
  s.open_at = 0;
  s.used = have;
}

// A simple entry, whose body is to be filled in.
uint8_t *append_entry(stream &s, size_t body_bytes) {
  uint8_t *out = stream_room(s, 4 + body_bytes);
  wire::store_u32be(out, static_cast<uint32_t>(body_bytes));
  s.used += 4 + body_bytes;
  s.open.entries++;
  s.open.records++;
  return out + 4;
}

}  // namespace

stream::~stream() {
  for (chunk &ch : log) blob_unref(ch.segment);
  if (segment) blob_unref(segment);
  if (cluster) {
    stop(*cluster->world, commit_timer);
    stop(*cluster->world, settle_timer);
  }
}

uint64_t sealed_chunks(const stream &s) { return s.first_chunk + s.log.size(); }

const chunk &chunk_at(const stream &s, uint64_t number) {
  return s.log[static_cast<size_t>(number - s.first_chunk)];
}

void stream_gather(stream &s) {
  auto &list = s.cluster->gathering;
  if (list.empty() || list.back() != &s) {
    if (std::find(list.begin(), list.end(), &s) == list.end()) list.push_back(&s);
  }
}

uint8_t *stream_room(stream &s, size_t n) {
  const options &o = s.cluster->options;
  size_t have = open_bytes(s);
  bool full = s.open.entries >= o.max_chunk_entries || have + n > o.max_chunk_bytes;
  if (full && s.open.entries > 0) stream_seal(s);
  if (!s.segment || s.used + n + room_to_spare > s.segment->capacity) next_segment(s, n);
  return s.segment->data() + s.used;
}

void stream_seal(stream &s) {
  if (s.open.entries == 0) return;
  chunk ch = std::move(s.open);
  ch.segment = s.segment;
  ch.data = s.segment->data() + s.open_at;
  ch.data_bytes = static_cast<uint32_t>(s.used - s.open_at);
  ch.first_offset = s.next_offset;
  ch.timestamp_ms = wall_clock_ms(*s.cluster);
  s.next_offset += ch.records;
  s.last_chunk_id = ch.first_offset;
  if (s.cluster->options.count_only) {
    s.used = s.open_at;
    s.first_chunk++;
  } else {
    write_header(ch, s.epoch);
    blob_ref(s.segment);
    s.log_bytes += ch.data_bytes;
    s.log.push_back(std::move(ch));
  }
  reset_open(s);
  commit_when_due(s);
}

void stream_commit(stream &s, uint64_t chunks) {
  entry_scope scope(*s.cluster);
  uint64_t limit = sealed_chunks(s);
  uint64_t left = limit - std::min(s.committed_chunks, limit);
  uint64_t to = s.committed_chunks + std::min(chunks, left);
  for (uint64_t n = std::max(s.committed_chunks, s.first_chunk); n < to; n++) {
    const chunk &ch = chunk_at(s, n);
    s.committed_offset = ch.first_offset + ch.records;
    s.committed_chunk_id = ch.first_offset;
    for (auto &[name, highest] : ch.sequences) s.committed_sequences[name] = highest;
  }
  s.committed_chunks = to;
  if (s.cluster->options.count_only) {
    s.committed_offset = s.next_offset;
    s.committed_chunk_id = s.last_chunk_id;
  }
  confirm_committed(s);
  // Nothing here calls out, so the list stays as it is.
  for (subscription *sub : s.subscriptions) subscription_dispatch(*sub);
  retain_no_more(s);
}

void cluster_commit(cluster &c) {
  entry_scope scope(c);
  for (auto &[name, s] : c.streams) {
    stream_seal(*s);
    stream_commit(*s);
  }
}

uint64_t stream_position(const stream &s, const wire::offset_spec &spec) {
  auto first = s.log.begin();
  auto last = first + static_cast<ptrdiff_t>(std::max(s.committed_chunks, s.first_chunk) -
                                             s.first_chunk);
  auto number = [&](auto it) {
    return s.first_chunk + static_cast<uint64_t>(it - s.log.begin());
  };
  switch (static_cast<wire::offset_type>(spec.type)) {
  case wire::offset_type::first: return s.first_chunk;
  case wire::offset_type::last: return first == last ? number(last) : number(last) - 1;
  case wire::offset_type::offset: {
    // The chunk it is in: the last one that does not start behind it.
    auto it =
        std::upper_bound(first, last, spec.value, [](uint64_t offset, const chunk &ch) {
          return offset < ch.first_offset + ch.records;
        });
    return number(it);
  }
  case wire::offset_type::timestamp: {
    auto ms = static_cast<int64_t>(spec.value);
    auto it = std::lower_bound(first, last, ms, [](const chunk &ch, int64_t at) {
      return ch.timestamp_ms < at;
    });
    return number(it);
  }
  default: return number(last);
  }
}

void stream_append(stream &s, wire::bytes body, std::string_view filter) {
  entry_scope scope(*s.cluster);
  uint8_t *out = append_entry(s, body.size());
  if (!body.empty()) std::memcpy(out, body.data(), body.size());
  if (filter.empty()) {
    s.open.unfiltered = true;
  } else {
    s.open.filters.emplace_back(filter);
  }
  stream_gather(s);
}

void stream_append_many(stream &s, uint64_t count, size_t body_bytes,
                        const std::function<void(uint64_t index, uint8_t *body)> &write) {
  entry_scope scope(*s.cluster);
  for (uint64_t i = 0; i < count; i++) {
    write(i, append_entry(s, body_bytes));
    s.open.unfiltered = true;
  }
  stream_gather(s);
}

void stream_fill(stream &s, uint64_t count, wire::bytes body) {
  std::vector<uint8_t> entry(4 + body.size());
  wire::store_u32be(entry.data(), static_cast<uint32_t>(body.size()));
  std::copy(body.begin(), body.end(), entry.begin() + 4);
  stream_fill_entries(s, count, entry, 1);
}

void stream_fill_entries(stream &s, uint64_t count, wire::bytes entry, uint32_t records) {
  entry_scope scope(*s.cluster);
  stream_seal(s);
  const options &o = s.cluster->options;
  uint64_t per_chunk = std::max<uint64_t>(
      1, std::min<uint64_t>(o.max_chunk_entries, o.max_chunk_bytes / entry.size()));
  blob *b = blob_new(per_chunk * entry.size());
  for (uint64_t i = 0; i < per_chunk; i++)
    std::copy(entry.begin(), entry.end(), b->data() + i * entry.size());
  chunk made;
  uint64_t entries = (count + records - 1) / records;
  for (uint64_t left = entries; left > 0; left -= made.entries) {
    bool same = made.entries == per_chunk && left >= per_chunk;
    made.entries = static_cast<uint16_t>(std::min(left, per_chunk));
    made.records = made.entries * records;
    made.segment = b;
    made.data = b->data();
    made.data_bytes = static_cast<uint32_t>(made.entries * entry.size());
    made.first_offset = s.next_offset;
    made.timestamp_ms = wall_clock_ms(*s.cluster);
    made.unfiltered = true;
    if (same) {
      wire::store_u64be(made.header + 24, made.first_offset);
    } else {
      write_header(made, s.epoch);
    }
    blob_ref(b);
    s.log.push_back(made);
    s.next_offset += made.records;
    s.last_chunk_id = made.first_offset;
  }
  blob_unref(b);
  commit_when_due(s);
}

namespace {

// Unpacks what a chunk has compressed.
struct unpacking {
  slab_pool *pool = slab_pool_create(memory_functions_default());
  compression_set *set = compression_set_create(pool);
  std::vector<uint8_t> bytes;

  ~unpacking() {
    compression_set_unref(set);
    slab_pool_leave(pool);
  }
  void enter(chunk_cursor &cursor, const chunk_gap &packed) {
    sub_entry_header header = load_sub_entry(packed.bytes.data());
    bytes.resize(header.uncompressed_bytes);
    wire::bytes data = packed.bytes.subspan(sub_entry_header_bytes);
    bool known = compression_available(*set, header.compression) && !bytes.empty();
    if (known && compression_unpack(*set, header.compression, data, bytes) ==
                     unpack_result::done) {
      chunk_enter(cursor, packed, bytes);
    }
  }
};

}  // namespace

void stream_each(const stream &s,
                 const std::function<void(uint64_t offset, wire::bytes body)> &f) {
  unpacking packed;
  for (const chunk &ch : s.log) {
    chunk_header h;
    wire::bytes entries(ch.data, ch.data_bytes);
    h.entry_count = ch.entries;
    h.record_count = ch.records;
    h.first_offset = ch.first_offset;
    chunk_cursor cursor = chunk_cursor_of(h, entries);
    chunk_record record;
    chunk_gap gap;
    for (;;) {
      chunk_step step = chunk_next(cursor, record, gap);
      if (step == chunk_step::end) break;
      if (step == chunk_step::record) f(record.offset, {record.data, record.size});
      if (step == chunk_step::packed) packed.enter(cursor, gap);
    }
  }
}

void stream_lose_leader(stream &s) {
  entry_scope scope(*s.cluster);
  int node = s.leader;
  if (node < 0) return;
  s.leader = -1;
  s.replicas.push_back(node);
  while (sealed_chunks(s) > std::max(s.committed_chunks, s.first_chunk)) {
    s.log_bytes -= s.log.back().data_bytes;
    blob_unref(s.log.back().segment);
    s.log.pop_back();
  }
  s.used = s.open_at;
  reset_open(s);
  s.next_offset = s.committed_offset;
  s.last_chunk_id = s.committed_chunk_id;
  s.sequences = s.committed_sequences;
  stop(*s.cluster->world, s.commit_timer);
  stream_drop_users(s, node);
  s.waiting.clear();  // the chunks will not come to be, nor is anybody left to tell
}

void stream_elect(stream &s, int leader) {
  assert(s.leader < 0);
  s.leader = leader;
  s.epoch++;
  s.settled = true;
  std::erase(s.replicas, leader);
}

}  // namespace rstream::fake
