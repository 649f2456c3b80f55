#include "wire/publish.h"

namespace rstream::wire {

// ---- DeclarePublisher

void encode(writer &w, const declare_publisher &x) {
  size_t mark = request_begin(w, key::declare_publisher, x.correlation_id);
  w.u8(x.publisher_id);
  w.str(x.reference);
  w.str(x.stream);
  frame_end(w, mark);
}

bool decode(reader &r, declare_publisher &x) {
  x.correlation_id = r.u32();
  x.publisher_id = r.u8();
  x.reference = r.str();
  x.stream = r.str();
  return !r.failed;
}

// ---- DeletePublisher

void encode(writer &w, const delete_publisher &x) {
  size_t mark = request_begin(w, key::delete_publisher, x.correlation_id);
  w.u8(x.publisher_id);
  frame_end(w, mark);
}

bool decode(reader &r, delete_publisher &x) {
  x.correlation_id = r.u32();
  x.publisher_id = r.u8();
  return !r.failed;
}

// ---- QueryPublisherSequence

void encode(writer &w, const query_sequence &x) {
  size_t mark = request_begin(w, key::query_publisher_sequence, x.correlation_id);
  w.str(x.reference);
  w.str(x.stream);
  frame_end(w, mark);
}

bool decode(reader &r, query_sequence &x) {
  x.correlation_id = r.u32();
  x.reference = r.str();
  x.stream = r.str();
  return !r.failed;
}

void encode(writer &w, const query_sequence_response &x) {
  size_t mark =
      response_begin(w, key::query_publisher_sequence, x.correlation_id, x.code);
  w.u64(x.sequence);
  frame_end(w, mark);
}

bool decode(reader &r, query_sequence_response &x) {
  x = {};
  if (decode_response(r, x.correlation_id, x.code) == response_body::present) {
    x.sequence = r.u64();
  }
  return !r.failed;
}

// ---- Publish

static void put_entry(writer &w, const publish_entry &e, uint16_t version) {
  if (e.body.size() > max_entry_body_bytes) {
    w.failed = true;
    return;
  }
  if (e.is_sub_batch && (version != 1 || e.compression > max_sub_batch_compression)) {
    w.failed = true;
    return;
  }
  if (version == 1 && e.filter.data() != nullptr) {
    w.failed = true;
    return;
  }
  w.u64(e.id);
  if (version == 2) {
    w.optional_str(e.filter);
  }
  if (e.is_sub_batch) {
    w.u8(static_cast<uint8_t>(sub_batch_bit | e.compression << 4));
    w.u16(e.record_count);
    w.u32(e.uncompressed_bytes);
  }
  w.u32(static_cast<uint32_t>(e.body.size()));
  w.raw(e.body);
}

// Past the first byte, which the caller has looked at.
static void get_sub_batch(reader &r, publish_entry &e) {
  e.is_sub_batch = true;
  e.compression = (r.u8() >> 4) & max_sub_batch_compression;
  e.record_count = r.u16();
  e.uncompressed_bytes = r.u32();
  uint32_t n = r.u32();
  e.body = r.take(n);
}

static void get_entry(reader &r, publish_entry &e, uint16_t version) {
  e = {};
  const uint8_t *start = r.p;
  e.id = r.u64();
  if (version == 2) {
    e.filter = r.str();
  }
  if (r.left() > 0 && (*r.p & sub_batch_bit) != 0) {
    // Version 2 has no sub-batches.
    if (version == 1) {
      get_sub_batch(r, e);
    } else {
      r.fail();
    }
  } else {
    uint32_t n = r.u32();
    e.body = r.take(n);
  }
  if (!r.failed) {
    e.whole = bytes(start, static_cast<size_t>(r.p - start));
  }
}

bool publish_entries::next(publish_entry &e) {
  if (!items.empty()) {
    e = items.front();
    items = items.subspan(1);
    return true;
  }
  if (left == 0 || failed) {
    return false;
  }
  left--;
  get_entry(r, e, version);
  failed = r.failed;
  return !failed;
}

publish_entries publish_entries_of(bytes raw, uint32_t count, uint16_t version) {
  publish_entries it;
  it.r = reader_of(raw);
  it.left = count;
  it.version = version;
  it.failed = version != 1 && version != 2;
  return it;
}

static void put_entries(writer &w, const publish &x) {
  const publish_entries &from = x.entries;
  if (from.size() > INT32_MAX || from.failed) {
    w.failed = true;
    return;
  }
  w.u32(static_cast<uint32_t>(from.size()));
  if (from.items.empty()) {
    if (from.left > 0 && from.version != x.version) {
      w.failed = true;
      return;
    }
    w.raw({from.r.p, from.r.left()});
    return;
  }
  for (const publish_entry &e : from.items) {
    put_entry(w, e, x.version);
  }
}

void encode(writer &w, const publish &x) {
  if (x.version != 1 && x.version != 2) {
    w.failed = true;
    return;
  }
  size_t mark = frame_begin(w, raw(key::publish), x.version);
  w.u8(x.publisher_id);
  put_entries(w, x);
  frame_end(w, mark);
}

// A count larger than the bytes allow needs no check of its own: each step of the walk
// uses up bytes or ends it.
bool decode(reader &r, publish &x) {
  x.publisher_id = r.u8();
  uint32_t count = r.u32();
  const uint8_t *start = r.p;
  publish_entries walk = publish_entries_of({r.p, r.left()}, count, x.version);
  publish_entry ignored;
  while (walk.next(ignored)) {
  }
  if (r.failed || walk.failed) {
    r.fail();
    x.entries = {};
    return false;
  }
  bytes used = r.take(static_cast<size_t>(walk.r.p - start));
  x.entries = publish_entries_of(used, count, x.version);
  return true;
}

bool decode(reader &r, publish &x, uint16_t version) {
  x.version = version;
  return decode(r, x);
}

// ---- PublishConfirm

void encode(writer &w, const publish_confirm &x) {
  size_t mark = frame_begin(w, raw(key::publish_confirm), 1);
  w.u8(x.publisher_id);
  put(w, x.ids);
  frame_end(w, mark);
}

bool decode(reader &r, publish_confirm &x) {
  x.publisher_id = r.u8();
  get(r, x.ids);
  return !r.failed;
}

// ---- PublishError

void encode(writer &w, const publish_error &x) {
  size_t mark = frame_begin(w, raw(key::publish_error), 1);
  w.u8(x.publisher_id);
  put(w, x.ids);
  frame_end(w, mark);
}

bool decode(reader &r, publish_error &x) {
  x.publisher_id = r.u8();
  get(r, x.ids);
  return !r.failed;
}

}  // namespace rstream::wire
