// Frames that were made before the broker told its frame size, and exceed it, are cut
// anew: entries of one frame go into several, and a sub-entry that exceeds it alone
// becomes several. So are those to be sent again of which some messages have their
// outcome: what is left goes into new frames.
#include <cstring>

#include "client/env.h"
#include "client/producer_internal.h"
#include "codec/compression.h"

namespace rstream {

namespace {

struct recut {
  producer *p;
  const batch *from;
  ring<batch *> *out;
  slab *owner;    // of the new frames
  uint32_t used;  // of it
  batch *current = nullptr;
  uint32_t frame_bytes = 0;
  uint32_t count = 0;    // messages in the current frame
  uint32_t entries = 0;  // in the current frame
};

bool must_be_cut(const producer *p, const batch *b) {
  return b->left > 0 && (b->frame_bytes > p->frame_limit || b->left < b->count);
}

bool fits_limit(const producer *p, uint64_t entry_bytes) {
  return wire::publish_header_bytes + entry_bytes <= p->frame_limit;
}

void recut_seal(recut &r) {
  if (!r.current) return;
  r.used += batch_seal(*r.current, 0, r.frame_bytes, r.count, r.entries);
  r.out->count++;
  r.out->back() = r.current;
  r.current = nullptr;
}

bool recut_begin(recut &r, uint64_t id) {
  if (!ring_reserve(env_memory(r.p->env), *r.out, 1)) return false;
  r.current = object_acquire(env_memory(r.p->env), r.p->env->batches);
  if (!r.current) return false;
  slab_ref(r.owner);
  r.current->owner = r.owner;
  r.current->frame = r.owner->data() + r.used;
  r.current->first_id = id;
  r.current->version = r.from->version;
  r.current->sub_entries = r.from->sub_entries;
  r.current->closed_ms = r.from->closed_ms;
  r.current->sent = r.from->sent;
  r.current->cut = true;
  r.frame_bytes = static_cast<uint32_t>(wire::publish_header_bytes);
  r.count = r.entries = 0;
  return true;
}

// Where an entry of that size goes; nullptr when out of memory. It fits the limit.
uint8_t *recut_place(recut &r, uint64_t id, uint32_t entry_bytes, uint32_t messages) {
  if (r.current && r.frame_bytes + entry_bytes > r.p->frame_limit) recut_seal(r);
  if (!r.current && !recut_begin(r, id)) return nullptr;
  uint8_t *place = r.current->frame + r.frame_bytes;
  r.frame_bytes += entry_bytes;
  r.count += messages;
  r.entries++;
  return place;
}

// A message that no frame can hold: a frame without entries keeps its place. False when
// out of memory.
bool recut_unfit(recut &r, uint64_t id) {
  recut_seal(r);
  if (!recut_begin(r, id)) return false;
  r.current->unfit = true;
  r.count = 1;
  recut_seal(r);
  return true;
}

// ---- sub-entries too large

struct sub_entry_parts {
  uint8_t compression;
  uint32_t uncompressed_bytes;
  wire::bytes data;
};

sub_entry_parts parts_of(const batch_entry &entry) {
  const uint8_t *p = entry.begin + 8;
  return {static_cast<uint8_t>(p[0] >> 4 & 7),
          wire::load_u32be(p + 3),
          {entry.begin + wire::publish_sub_batch_overhead,
           entry.bytes - wire::publish_sub_batch_overhead}};
}

// Records that stand one behind the other, as one sub-entry. `id` is the first one's.
bool recut_piece(recut &r, uint64_t id, wire::bytes records, uint32_t count) {
  if (count == 0) return true;
  auto bytes = static_cast<uint32_t>(records.size());
  uint64_t last_id = id + count - 1;
  uint64_t publishing_id =
      r.p->options.ids_given ? producer_told_id(r.p, last_id) : last_id + r.p->id_base;
  constexpr auto overhead = static_cast<uint32_t>(wire::publish_sub_batch_overhead);
  uint8_t *to = recut_place(r, id, overhead + bytes, count);
  if (!to) return false;
  to = wire::write_sub_batch_header(to, publishing_id, RSTREAM_COMPRESSION_NONE,
                                    static_cast<uint16_t>(count), bytes, bytes);
  memcpy(to, records.data(), bytes);
  return true;
}

// As few uncompressed sub-entries as fit, leaving out records that can't fit alone.
bool recut_records(recut &r, uint64_t id, wire::bytes records) {
  const uint8_t *piece = records.data();
  const uint8_t *end = piece + records.size();
  uint32_t count = 0;
  for (const uint8_t *at = piece; at < end;) {
    const uint8_t *behind = at + record_overhead + wire::load_u32be(at);
    auto with_this = static_cast<uint64_t>(behind - piece);
    if (!fits_limit(r.p, wire::publish_sub_batch_overhead + with_this)) {
      if (!recut_piece(r, id, {piece, at}, count)) return false;
      id += count;
      count = 0;
      piece = at;
      auto alone = static_cast<uint64_t>(behind - at);
      if (!fits_limit(r.p, wire::publish_sub_batch_overhead + alone)) {
        if (!recut_unfit(r, id)) return false;
        id++;
        piece = at = behind;
        continue;
      }
    }
    count++;
    at = behind;
  }
  return recut_piece(r, id, {piece, end}, count);
}

bool recut_sub_entry(recut &r, uint64_t id, const batch_entry &entry) {
  sub_entry_parts parts = parts_of(entry);
  if (parts.compression == RSTREAM_COMPRESSION_NONE) {
    return recut_records(r, id, parts.data);
  }
  slab *records = slab_acquire(*r.p->env->pool, parts.uncompressed_bytes);
  if (!records) return false;
  std::span<uint8_t> out(records->data(), parts.uncompressed_bytes);
  // We packed it ourselves: what fails here is memory.
  bool ok = compression_unpack(*r.p->env->compression, parts.compression, parts.data,
                               out) == unpack_result::done &&
            recut_records(r, id, out);
  slab_unref(records);
  return ok;
}

// ---- a frame

bool is_sub_entry(const batch *b, const batch_entry &entry) {
  return b->version == 1 && (entry.begin[8] & wire::sub_batch_bit);
}

// Room for the worst case, a frame of its own for each message that may need one.
uint64_t recut_space(const producer *p, const batch *b) {
  constexpr uint64_t frame_overhead =
      wire::publish_header_bytes + batch_padding + 2 * batch_bits_bytes(1);
  uint64_t bytes = 0;
  batch_walk walk = batch_entries(*b);
  batch_entry entry;
  while (walk.next(entry)) {
    if (fits_limit(p, entry.bytes)) {
      bytes += entry.bytes + frame_overhead + 2 * batch_bits_bytes(entry.messages);
    } else if (is_sub_entry(b, entry)) {
      bytes += parts_of(entry).uncompressed_bytes +
               entry.messages * (frame_overhead + wire::publish_sub_batch_overhead);
    } else {
      bytes += frame_overhead;
    }
  }
  return bytes;
}

bool recut_entry(recut &r, uint64_t id, const batch_entry &entry) {
  if (batch_is_done(*r.from, static_cast<uint32_t>(id - r.from->first_id))) {
    recut_seal(r);  // ids are consecutive within a frame
    return true;
  }
  if (fits_limit(r.p, entry.bytes)) {
    uint8_t *to = recut_place(r, id, entry.bytes, entry.messages);
    if (to) memcpy(to, entry.begin, entry.bytes);
    return to;
  }
  if (is_sub_entry(r.from, entry)) return recut_sub_entry(r, id, entry);
  return recut_unfit(r, id);
}

bool recut_batch(producer *p, const batch *b, ring<batch *> &out) {
  slab *owner = slab_acquire(*p->env->pool, static_cast<size_t>(recut_space(p, b)));
  if (!owner) return false;
  recut r{p, b, &out, owner, 0};
  batch_walk walk = batch_entries(*b);
  batch_entry entry;
  bool ok = true;
  for (uint64_t id = b->first_id; ok && walk.next(entry); id += entry.messages) {
    ok = recut_entry(r, id, entry);
  }
  if (ok) recut_seal(r);
  if (r.current) producer_release_batch(p, r.current);
  slab_unref(owner);
  return ok;
}

// Drops what was cut; the frames it was cut from are still in place.
void recut_undo(producer *p, ring<batch *> &out) {
  for (uint32_t i = 0; i < out.count; i++) {
    if (out[i]->cut) producer_release_batch(p, out[i]);
  }
  ring_release(env_memory(p->env), out);
}

void take_in(producer *p, batch *b) {
  if (b->left == 0) return;
  p->bytes_in_flight += batch_entries_bytes(b);
  if (!b->cut) return;
  b->cut = false;
  if (p->env->max_bytes_in_flight == 0) return;
  b->budget_bytes = batch_entries_bytes(b);
  p->env->bytes_in_flight += b->budget_bytes;
}

// Frames in `out` replace those they were cut from; the others stay.
void recut_commit(producer *p, const ring<batch *> &out) {
  for (uint32_t i = 0; i < p->batches.count; i++) {
    if (must_be_cut(p, p->batches[i])) producer_release_batch(p, p->batches[i]);
  }
  ring_release(env_memory(p->env), p->batches);
  p->batches = out;
  p->unsent = out.count;
  p->hint = 0;
  p->bytes_in_flight = 0;
  for (uint32_t i = 0; i < out.count; i++) take_in(p, p->batches[i]);
}

}  // namespace

bool producer_recut(producer *p) {
  producer_seal(p);
  bool all_fit = true;
  for (uint32_t i = 0; i < p->batches.count; i++) {
    if (must_be_cut(p, p->batches[i])) all_fit = false;
  }
  if (all_fit) return true;
  ring<batch *> out;
  for (uint32_t i = 0; i < p->batches.count; i++) {
    batch *b = p->batches[i];
    bool ok = must_be_cut(p, b) ? recut_batch(p, b, out)
                                : ring_push(env_memory(p->env), out, b);
    if (!ok) {
      recut_undo(p, out);
      return false;
    }
  }
  recut_commit(p, out);
  producer_fail_unfit(p);
  return true;
}

}  // namespace rstream
