// Consuming: Subscribe, Deliver, Credit, Unsubscribe, StoreOffset, QueryOffset,
// ConsumerUpdate, ResolveOffsetSpec.
//
// encode() writes a whole frame; decode() reads the body after key and version and is
// false when it is malformed. Views and sequences are borrowed. Subscribe and Unsubscribe
// are answered by a response_frame.
#pragma once

#include "wire/command.h"
#include "wire/cursor.h"

namespace rstream::wire {

// ---- offset specification

enum class offset_type : uint16_t {
  none = 0,  // only in the answer to ConsumerUpdate: keep what Subscribe said
  first = 1,
  last = 2,
  next = 3,
  offset = 4,
  timestamp = 5,
};

constexpr uint16_t raw(offset_type t) { return static_cast<uint16_t>(t); }

struct offset_spec {
  uint16_t type = 0;   // raw(offset_type)
  uint64_t value = 0;  // an offset, or an int64 in ms since the epoch; else not sent
};

constexpr offset_spec offset_none() { return {raw(offset_type::none), 0}; }
constexpr offset_spec offset_first() { return {raw(offset_type::first), 0}; }
constexpr offset_spec offset_last() { return {raw(offset_type::last), 0}; }
constexpr offset_spec offset_next() { return {raw(offset_type::next), 0}; }
constexpr offset_spec offset_at(uint64_t offset) {
  return {raw(offset_type::offset), offset};
}
constexpr offset_spec offset_timestamp(int64_t ms) {
  return {raw(offset_type::timestamp), static_cast<uint64_t>(ms)};
}

// A type the broker does not know crashes its side of the connection, so both fail on it.
void put(writer &w, const offset_spec &x);
void get(reader &r, offset_spec &x);

// ---- Subscribe

// An empty map is left out: brokers before 3.11 know none.
struct subscribe {
  uint32_t correlation_id = 0;
  uint8_t subscription_id = 0;
  std::string_view stream{};
  offset_spec spec{};
  uint16_t credit = 0;
  seq<property> properties{};
};
void encode(writer &w, const subscribe &x);
bool decode(reader &r, subscribe &x);

// ---- Deliver

// Bytes of the frame before the chunk, the size field included.
constexpr size_t deliver_prefix_bytes(uint16_t version) {
  return size_t{4} + 2 + 2 + 1 + (version >= 2 ? 8 : 0);
}

struct deliver {
  uint8_t subscription_id = 0;
  uint16_t version = 1;             // from the frame's header; set it before decode()
  uint64_t committed_chunk_id = 0;  // version 2
  bytes chunk{};                    // all the rest; not looked at here
};
void encode(writer &w, const deliver &x);
bool decode(reader &r, deliver &x);
bool decode(reader &r, deliver &x, uint16_t version);

// ---- Credit

struct credit {
  uint8_t subscription_id = 0;
  int16_t credits = 0;  // the broker reads it as signed
};
void encode(writer &w, const credit &x);
bool decode(reader &r, credit &x);

// Key 0x8009, sent only when a Credit was refused. It has no correlation id.
struct credit_error {
  uint16_t code = 0;
  uint8_t subscription_id = 0;
};
void encode(writer &w, const credit_error &x);
bool decode(reader &r, credit_error &x);

// ---- Unsubscribe

struct unsubscribe {
  uint32_t correlation_id = 0;
  uint8_t subscription_id = 0;
};
void encode(writer &w, const unsubscribe &x);
bool decode(reader &r, unsubscribe &x);

// ---- StoreOffset (never answered)

struct store_offset {
  std::string_view reference{};
  std::string_view stream{};
  uint64_t offset = 0;
};
void encode(writer &w, const store_offset &x);
bool decode(reader &r, store_offset &x);

// ---- QueryOffset

struct query_offset {
  uint32_t correlation_id = 0;
  std::string_view reference{};
  std::string_view stream{};
};
void encode(writer &w, const query_offset &x);
bool decode(reader &r, query_offset &x);

struct query_offset_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  uint64_t offset = 0;
};
void encode(writer &w, const query_offset_response &x);
bool decode(reader &r, query_offset_response &x);

// ---- ConsumerUpdate (the broker asks)

struct consumer_update {
  uint32_t correlation_id = 0;
  uint8_t subscription_id = 0;
  bool active = false;
};
void encode(writer &w, const consumer_update &x);
bool decode(reader &r, consumer_update &x);

// Unlike other responses it needs its offset specification with an error code as well:
// the broker closes the connection over an answer that is the code alone.
struct consumer_update_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  offset_spec spec{};
};
void encode(writer &w, const consumer_update_response &x);
bool decode(reader &r, consumer_update_response &x);

// ---- ResolveOffsetSpec

struct resolve_offset {
  uint32_t correlation_id = 0;
  std::string_view stream{};
  offset_spec spec{};
  seq<property> properties{};
};
void encode(writer &w, const resolve_offset &x);
bool decode(reader &r, resolve_offset &x);

struct resolve_offset_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  offset_spec spec{};
};
void encode(writer &w, const resolve_offset_response &x);
bool decode(reader &r, resolve_offset_response &x);

}  // namespace rstream::wire
