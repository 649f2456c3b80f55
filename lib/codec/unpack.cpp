#include "codec/unpack.h"

#include "rstream/error.h"

namespace rstream {

// In a slab, in front of its bytes.
struct unpacked {
  unpacked *next;
  const uint8_t
      *entry;  // where it came from; entries are met in the same order each time
  size_t size;

  uint8_t *data() { return reinterpret_cast<uint8_t *>(this + 1); }
};

namespace {

constexpr uint32_t record_length_bytes = 4;

// Many small sub-entries share a slab. Each slab is twice as large as the one before, so
// that a chunk of few takes little, up to this.
constexpr size_t largest_shared_slab_bytes = 256u << 10;

constexpr const char *missing[compression_count] = {
    "",
    "gzip is not built in",
    "Snappy is not built in",
    "LZ4 is not built in",
    "Zstandard is not built in",
    "no codec is registered for compression 5",
    "no codec is registered for compression 6",
    "no codec is registered for compression 7",
};

// Why it is not even tried, or nullptr. All of this before any memory is set aside.
const char *objection(const unpacker &u, const sub_entry_header &h) {
  if (!compression_available(*u.set, h.compression)) return missing[h.compression];
  if (h.uncompressed_bytes / record_length_bytes < h.record_count)
    return "a sub-entry declares more messages than its size can hold";
  if (h.uncompressed_bytes > u.limits.sub_entry_bytes)
    return "a sub-entry declares a size above max_sub_entry_bytes";
  if (h.uncompressed_bytes > u.bytes_left)
    return "the sub-entries of a chunk declare sizes above max_chunk_decompressed_bytes";
  if (!compression_can_hold(*u.set, h.compression, h.data_bytes, h.uncompressed_bytes))
    return "a sub-entry declares a size that its data can't have";
  return nullptr;
}

const char *text_of(unpack_result r) {
  switch (r) {
  case unpack_result::wrong_size: return "a sub-entry does not have the size it declares";
  case unpack_result::no_memory: return "out of memory for a sub-entry";
  default: return "a compressed sub-entry is damaged";
  }
}

// Multiple of the alignment of `unpacked`, which slabs start with as well.
size_t room_for(size_t size) {
  constexpr size_t unit = alignof(unpacked);
  return (sizeof(unpacked) + size + unit - 1) / unit * unit;
}

bool fits(const unpacker &u, size_t bytes) {
  return u.slabs && u.slabs->capacity - u.used >= bytes;
}

void drop_slab(unpacker &u) {
  slab *s = u.slabs;
  u.slabs = s->next_free;
  slab_unref(s);
}

// Room in the slab in use, or in a new one. False when out of memory.
bool make_room(unpacker &u, slab_pool &pool, size_t bytes) {
  if (u.keep == unpack_keep::latest) u.used = 0;
  if (fits(u, bytes)) return true;
  size_t wanted = bytes;
  if (u.keep == unpack_keep::all && u.slabs) {
    size_t twice = size_t{u.slabs->capacity} * 2;
    if (twice > largest_shared_slab_bytes) twice = largest_shared_slab_bytes;
    if (wanted < twice) wanted = twice;
  }
  if (u.keep == unpack_keep::latest && u.slabs) drop_slab(u);
  slab *s = slab_acquire(pool, wanted);
  if (!s) return false;
  s->next_free = u.slabs;  // it is no one else's while it is out
  u.slabs = s;
  u.used = 0;
  return true;
}

// nullptr: what was there before is there still, and no more.
unpacked *unpack(unpacker &u, slab_pool &pool, const chunk_gap &gap,
                 const sub_entry_header &h, unpack_result &result) {
  slab *in_use = u.slabs;
  size_t used = u.used;
  size_t room = room_for(h.uncompressed_bytes);
  result = unpack_result::no_memory;
  if (!make_room(u, pool, room)) return nullptr;
  auto *one = reinterpret_cast<unpacked *>(u.slabs->data() + u.used);
  *one = {nullptr, gap.bytes.data(), h.uncompressed_bytes};
  result =
      compression_unpack(*u.set, h.compression, gap.bytes.subspan(sub_entry_header_bytes),
                         {one->data(), one->size});
  if (result == unpack_result::done) {
    u.used += room;
    return one;
  }
  if (u.slabs != in_use) {
    drop_slab(u);
    u.used = used;
  }
  return nullptr;
}

}  // namespace

void unpacker_start(unpacker &u, compression_set &set, const unpack_limits &limits,
                    unpack_keep keep) {
  u.set = &set;
  u.limits = limits;
  u.keep = keep;
  unpacker_rewind(u);
}

void unpacker_release(unpacker &u) {
  while (u.slabs) drop_slab(u);
  u.first = nullptr;
  u.next = &u.first;
}

void unpacker_rewind(unpacker &u) {
  u.bytes_left = u.limits.chunk_bytes;
  u.next = &u.first;
}

int unpacker_open(unpacker &u, slab_pool &pool, chunk_cursor &cursor, chunk_gap &gap) {
  sub_entry_header h = load_sub_entry(gap.bytes.data());
  if (h.record_count == 0) return 0;
  gap.reason = objection(u, h);
  if (gap.reason) return RSTREAM_ECODEC;
  u.bytes_left -= h.uncompressed_bytes;
  unpacked *one = *u.next;
  if (!one || one->entry != gap.bytes.data()) {
    unpack_result result;
    one = unpack(u, pool, gap, h, result);
    if (!one) {
      gap.reason = text_of(result);
      return result == unpack_result::no_memory ? RSTREAM_ENOMEM : RSTREAM_ECODEC;
    }
    if (u.keep == unpack_keep::all) {
      one->next = *u.next;
      *u.next = one;
    }
  }
  if (u.keep == unpack_keep::all) u.next = &one->next;
  chunk_enter(cursor, gap, {one->data(), one->size});
  return 0;
}

}  // namespace rstream
