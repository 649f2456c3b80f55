// Publishing: DeclarePublisher, Publish, PublishConfirm, PublishError,
// QueryPublisherSequence, DeletePublisher.
//
// encode() writes a whole frame; decode() reads the body after key and version and is
// false when it is malformed. Views and sequences are borrowed. DeclarePublisher and
// DeletePublisher are answered by a response_frame.
#pragma once

#include "wire/command.h"
#include "wire/cursor.h"

namespace rstream::wire {

// ---- DeclarePublisher

struct declare_publisher {
  uint32_t correlation_id = 0;
  uint8_t publisher_id = 0;
  std::string_view reference{};  // empty: no deduplication
  std::string_view stream{};
};
void encode(writer &w, const declare_publisher &x);
bool decode(reader &r, declare_publisher &x);

// ---- DeletePublisher

struct delete_publisher {
  uint32_t correlation_id = 0;
  uint8_t publisher_id = 0;
};
void encode(writer &w, const delete_publisher &x);
bool decode(reader &r, delete_publisher &x);

// ---- QueryPublisherSequence

struct query_sequence {
  uint32_t correlation_id = 0;
  std::string_view reference{};
  std::string_view stream{};
};
void encode(writer &w, const query_sequence &x);
bool decode(reader &r, query_sequence &x);

struct query_sequence_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  uint64_t sequence = 0;  // 0: nothing was published, or the highest id is 0
};
void encode(writer &w, const query_sequence_response &x);
bool decode(reader &r, query_sequence_response &x);

// ---- Publish

// The frame as a batch builds it in place: this header, then entries back to back.
//   Size u32, Key u16, Version u16, PublisherId u8, Count u32
constexpr size_t publish_header_bytes = 4 + 2 + 2 + 1 + 4;
constexpr size_t publish_publisher_id_at = 4 + 2 + 2;

// What an entry needs beside its body: id u64 and length u32.
constexpr size_t publish_entry_overhead = 8 + 4;
// In version 2 the filter's length stands between the two; its bytes come on top.
constexpr size_t publish_filtered_entry_overhead = 8 + 2 + 4;
// id u64, kind u8, record count u16, uncompressed length u32, length u32.
constexpr size_t publish_sub_batch_overhead = 8 + 1 + 2 + 4 + 4;

// The length of a message has 31 bits; the top one marks a sub-batch.
constexpr uint32_t max_entry_body_bytes = 0x7fffffff;
constexpr uint8_t sub_batch_bit = 0x80;
constexpr uint8_t max_sub_batch_compression = 7;  // three bits

// `frame_bytes` is the whole frame, its size field included.
inline void write_publish_header(uint8_t *frame, uint8_t publisher_id, uint16_t version,
                                 uint32_t frame_bytes, uint32_t count) {
  store_u32be(frame, frame_bytes - static_cast<uint32_t>(frame_size_bytes));
  store_u16be(frame + 4, raw(key::publish));
  store_u16be(frame + 6, version);
  frame[publish_publisher_id_at] = publisher_id;
  store_u32be(frame + 9, count);
}

// A batch that goes out again after a reconnect keeps its bytes but for the publisher id.
inline void patch_publisher_id(uint8_t *frame, uint8_t publisher_id) {
  frame[publish_publisher_id_at] = publisher_id;
}

// These write what precedes an entry's body and return where the body goes. The caller
// has checked that there is room.
inline uint8_t *write_entry_header(uint8_t *p, uint64_t id, uint32_t body_bytes) {
  store_u64be(p, id);
  store_u32be(p + 8, body_bytes);
  return p + publish_entry_overhead;
}

// A filter without data() is null: the entry counts as unfiltered.
inline uint8_t *write_filtered_entry_header(uint8_t *p, uint64_t id,
                                            std::string_view filter,
                                            uint32_t body_bytes) {
  store_u64be(p, id);
  p += 8;
  if (filter.data() == nullptr) {
    store_u16be(p, null_string_length);
    p += 2;
  } else {
    store_u16be(p, static_cast<uint16_t>(filter.size()));
    std::memcpy(p + 2, filter.data(), filter.size());
    p += 2 + filter.size();
  }
  store_u32be(p, body_bytes);
  return p + 4;
}

inline uint8_t *write_sub_batch_header(uint8_t *p, uint64_t id, uint8_t compression,
                                       uint16_t record_count, uint32_t uncompressed_bytes,
                                       uint32_t data_bytes) {
  store_u64be(p, id);
  p[8] = static_cast<uint8_t>(sub_batch_bit | compression << 4);
  store_u16be(p + 9, record_count);
  store_u32be(p + 11, uncompressed_bytes);
  store_u32be(p + 15, data_bytes);
  return p + publish_sub_batch_overhead;
}

// A message, or in version 1 a sub-batch: several messages that share one publishing id
// and that the broker stores and delivers as they are.
struct publish_entry {
  uint64_t id = 0;
  std::string_view filter{};  // version 2; no data(): unfiltered
  bytes body{};               // of a sub-batch: its data, compressed if it says so
  bool is_sub_batch = false;
  uint8_t compression = 0;  // these three are a sub-batch's only
  uint16_t record_count = 0;
  uint32_t uncompressed_bytes = 0;
  bytes whole{};  // set by decoding: id, filter, headers and body as they came
};

// The entries of a Publish of either version: borrowed structs to encode, or bytes to
// walk. Copy it to walk more than once.
//   publish_entries it = frame.entries;
//   while (it.next(entry)) ...
// It ends early and sets `failed` where the bytes are malformed; behind decode() that
// cannot happen any more.
struct publish_entries {
  std::span<const publish_entry> items{};
  reader r{};
  uint32_t left = 0;  // entries that `r` has yet to give
  uint16_t version = 1;
  bool failed = false;

  bool next(publish_entry &e);
  size_t size() const { return items.size() + left; }  // one of them is 0
};

// The entries in `raw`, bytes that need not have been looked at before.
publish_entries publish_entries_of(bytes raw, uint32_t count, uint16_t version);

struct publish {
  uint8_t publisher_id = 0;
  uint16_t version = 1;  // from the frame's header; set it before decode()
  publish_entries entries{};
};
// Fails for what the broker cannot take: a sub-batch in version 2, a filter in version 1.
void encode(writer &w, const publish &x);
// Walks all entries once. A caller that walks them anyway can use publish_entries_of().
bool decode(reader &r, publish &x);
bool decode(reader &r, publish &x, uint16_t version);

// ---- PublishConfirm

struct publish_confirm {
  uint8_t publisher_id = 0;
  seq<uint64_t> ids{};  // in no particular order
};
void encode(writer &w, const publish_confirm &x);
bool decode(reader &r, publish_confirm &x);

// ---- PublishError

struct failed_id {
  uint64_t id = 0;
  uint16_t code = 0;
};

template <>
struct element<failed_id> {
  static constexpr size_t min_bytes = 10;
  static constexpr bool fixed = true;
  static void put(writer &w, const failed_id &v) {
    w.u64(v.id);
    w.u16(v.code);
  }
  static void get(reader &r, failed_id &v) {
    v.id = r.u64();
    v.code = r.u16();
  }
};

struct publish_error {
  uint8_t publisher_id = 0;
  seq<failed_id> ids{};
};
void encode(writer &w, const publish_error &x);
bool decode(reader &r, publish_error &x);

}  // namespace rstream::wire
