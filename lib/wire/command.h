// The commands of the RabbitMQ stream protocol, the response codes, and what all frames
// have in common: Size u32 (not counting itself), Key u16, Version u16.
//
// Encoding writes whole frames, the size included. Decoding gets what follows the size:
// first the frame_header, then the body by the command's own decode().
#pragma once

#include <cstddef>
#include <cstdint>

#include "wire/cursor.h"

namespace rstream::wire {

enum class key : uint16_t {
  declare_publisher = 1,
  publish = 2,
  publish_confirm = 3,
  publish_error = 4,
  query_publisher_sequence = 5,
  delete_publisher = 6,
  subscribe = 7,
  deliver = 8,
  credit = 9,
  store_offset = 10,
  query_offset = 11,
  unsubscribe = 12,
  create = 13,
  delete_stream = 14,
  metadata = 15,
  metadata_update = 16,
  peer_properties = 17,
  sasl_handshake = 18,
  sasl_authenticate = 19,
  tune = 20,
  open = 21,
  close = 22,
  heartbeat = 23,
  route = 24,
  partitions = 25,
  consumer_update = 26,
  exchange_command_versions = 27,
  stream_stats = 28,
  create_super_stream = 29,
  delete_super_stream = 30,
  resolve_offset_spec = 31,
};

constexpr uint16_t first_key = 1;
constexpr uint16_t last_key = 31;

// Set in the key of every response.
constexpr uint16_t response_bit = 0x8000;

constexpr bool is_response(uint16_t frame_key) { return (frame_key & response_bit) != 0; }
constexpr uint16_t raw(key k) { return static_cast<uint16_t>(k); }
constexpr uint16_t response_key(key k) {
  return static_cast<uint16_t>(raw(k) | response_bit);
}
constexpr uint16_t without_response_bit(uint16_t frame_key) {
  return static_cast<uint16_t>(frame_key & ~response_bit);
}

enum class reply_kind : uint8_t {
  none,        // nothing ever comes back
  correlated,  // key | 0x8000, found by its correlation id
  plain,       // key | 0x8000 without correlation id (Tune)
  on_error,    // key | 0x8000 without correlation id, only when refused (Credit)
  other_key,   // under keys of their own (Publish: PublishConfirm, PublishError)
};

// `from_client` and `from_broker` tell who may send the command itself; the response, if
// any, goes the other way.
struct command_info {
  wire::key key;
  const char *name;  // as the protocol spells it
  bool from_client;
  bool from_broker;
  bool has_correlation;
  uint16_t min_version;
  uint16_t max_version;
  reply_kind reply;
  uint16_t since_broker;  // first release line that has it: 0x030b is 3.11
};

// Null for what is not a command. O(1).
const command_info *command_find(uint16_t key_without_bit);

// For logs; takes keys with the response bit as well. Never null.
const char *command_name(uint16_t frame_key);

enum class response : uint16_t {
  ok = 1,
  stream_does_not_exist = 2,
  subscription_id_already_exists = 3,
  subscription_id_does_not_exist = 4,
  stream_already_exists = 5,
  stream_not_available = 6,
  sasl_mechanism_not_supported = 7,
  authentication_failure = 8,
  sasl_error = 9,
  sasl_challenge = 10,
  authentication_failure_loopback = 11,
  virtual_host_access_failure = 12,
  unknown_frame = 13,
  frame_too_large = 14,
  internal_error = 15,
  access_refused = 16,
  precondition_failed = 17,
  publisher_does_not_exist = 18,
  no_offset = 19,
  sasl_cannot_change_mechanism = 20,
  sasl_cannot_change_username = 21,
};

constexpr uint16_t last_response = 21;

constexpr uint16_t raw(response r) { return static_cast<uint16_t>(r); }
constexpr bool is_ok(uint16_t code) { return code == raw(response::ok); }

// "stream does not exist"; never null.
const char *response_name(uint16_t code);

// ---- frames

constexpr size_t frame_size_bytes = 4;
constexpr size_t frame_header_bytes = 4;

struct frame_header {
  uint16_t key = 0;
  uint16_t version = 0;
};

bool decode(reader &r, frame_header &h);

// Reserves the size and writes key and version; the mark goes to frame_end(), which
// patches the size in.
size_t frame_begin(writer &w, uint16_t frame_key, uint16_t version);
void frame_end(writer &w, size_t mark);

// frame_begin() for version 1 and what follows the header in requests and in responses.
size_t request_begin(writer &w, key k, uint32_t correlation_id);
size_t response_begin(writer &w, key k, uint32_t correlation_id, uint16_t code);

// ---- the response that says no more than yes or no

struct response_frame {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
};

// The response bit of the key is set here if it is not.
void encode(writer &w, const response_frame &x, uint16_t frame_key);
inline void encode(writer &w, const response_frame &x, key k) { encode(w, x, raw(k)); }
bool decode(reader &r, response_frame &x);

// Whether a response's own fields follow its code: the broker may answer anything but OK
// with the code alone.
enum class response_body : uint8_t { malformed, absent, present };
response_body decode_response(reader &r, uint32_t &correlation_id, uint16_t &code);

}  // namespace rstream::wire
