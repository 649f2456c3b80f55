#include "wire/command.h"

#include <array>

namespace rstream::wire {

namespace {

constexpr command_info command_table[] = {
    // key, name, from client, from broker, correlation, versions, reply, since
    {key::declare_publisher, "DeclarePublisher", true, false, true, 1, 1,
     reply_kind::correlated, 0x0309},
    {key::publish, "Publish", true, false, false, 1, 2, reply_kind::other_key, 0x0309},
    {key::publish_confirm, "PublishConfirm", false, true, false, 1, 1, reply_kind::none,
     0x0309},
    {key::publish_error, "PublishError", false, true, false, 1, 1, reply_kind::none,
     0x0309},
    {key::query_publisher_sequence, "QueryPublisherSequence", true, false, true, 1, 1,
     reply_kind::correlated, 0x0309},
    {key::delete_publisher, "DeletePublisher", true, false, true, 1, 1,
     reply_kind::correlated, 0x0309},
    {key::subscribe, "Subscribe", true, false, true, 1, 1, reply_kind::correlated,
     0x0309},
    {key::deliver, "Deliver", false, true, false, 1, 2, reply_kind::none, 0x0309},
    {key::credit, "Credit", true, false, false, 1, 1, reply_kind::on_error, 0x0309},
    {key::store_offset, "StoreOffset", true, false, false, 1, 1, reply_kind::none,
     0x0309},
    {key::query_offset, "QueryOffset", true, false, true, 1, 1, reply_kind::correlated,
     0x0309},
    {key::unsubscribe, "Unsubscribe", true, false, true, 1, 1, reply_kind::correlated,
     0x0309},
    {key::create, "Create", true, false, true, 1, 1, reply_kind::correlated, 0x0309},
    {key::delete_stream, "Delete", true, false, true, 1, 1, reply_kind::correlated,
     0x0309},
    {key::metadata, "Metadata", true, false, true, 1, 1, reply_kind::correlated, 0x0309},
    {key::metadata_update, "MetadataUpdate", false, true, false, 1, 1, reply_kind::none,
     0x0309},
    {key::peer_properties, "PeerProperties", true, false, true, 1, 1,
     reply_kind::correlated, 0x0309},
    {key::sasl_handshake, "SaslHandshake", true, false, true, 1, 1,
     reply_kind::correlated, 0x0309},
    {key::sasl_authenticate, "SaslAuthenticate", true, false, true, 1, 1,
     reply_kind::correlated, 0x0309},
    // The client answers with the response bit; the broker takes the plain key as well.
    {key::tune, "Tune", true, true, false, 1, 1, reply_kind::plain, 0x0309},
    {key::open, "Open", true, false, true, 1, 1, reply_kind::correlated, 0x0309},
    {key::close, "Close", true, true, true, 1, 1, reply_kind::correlated, 0x0309},
    {key::heartbeat, "Heartbeat", true, true, false, 1, 1, reply_kind::none, 0x0309},
    {key::route, "Route", true, false, true, 1, 1, reply_kind::correlated, 0x0309},
    {key::partitions, "Partitions", true, false, true, 1, 1, reply_kind::correlated,
     0x0309},
    {key::consumer_update, "ConsumerUpdate", false, true, true, 1, 1,
     reply_kind::correlated, 0x030b},
    {key::exchange_command_versions, "ExchangeCommandVersions", true, false, true, 1, 1,
     reply_kind::correlated, 0x030b},
    {key::stream_stats, "StreamStats", true, false, true, 1, 1, reply_kind::correlated,
     0x030b},
    {key::create_super_stream, "CreateSuperStream", true, false, true, 1, 1,
     reply_kind::correlated, 0x030d},
    {key::delete_super_stream, "DeleteSuperStream", true, false, true, 1, 1,
     reply_kind::correlated, 0x030d},
    {key::resolve_offset_spec, "ResolveOffsetSpec", true, false, true, 1, 1,
     reply_kind::correlated, 0x0403},
};

constexpr bool table_is_dense() {
  uint16_t expected = first_key;
  for (const command_info &c : command_table) {
    if (raw(c.key) != expected || c.name == nullptr) {
      return false;
    }
    expected++;
  }
  return expected == last_key + 1;
}

constexpr bool table_is_consistent() {
  for (const command_info &c : command_table) {
    if (c.min_version == 0 || c.min_version > c.max_version) {
      return false;
    }
    if (!c.from_client && !c.from_broker) {
      return false;
    }
    if (c.has_correlation != (c.reply == reply_kind::correlated)) {
      return false;
    }
  }
  return true;
}

static_assert(table_is_dense(), "command_find() indexes by key");
static_assert(table_is_consistent());

// Indexed by code.
constexpr std::array<const char *, last_response + 1> response_names = {
    "unknown response code",
    "ok",
    "stream does not exist",
    "subscription id already exists",
    "subscription id does not exist",
    "stream already exists",
    "stream not available",
    "SASL mechanism not supported",
    "authentication failure",
    "SASL error",
    "SASL challenge",
    "authentication failure, user may connect from loopback only",
    "virtual host access failure",
    "unknown frame",
    "frame too large",
    "internal error",
    "access refused",
    "precondition failed",
    "publisher does not exist",
    "no offset",
    "SASL mechanism cannot be changed",
    "SASL user name cannot be changed",
};
static_assert(response_names[last_response] != nullptr);

}  // namespace

const command_info *command_find(uint16_t key_without_bit) {
  if (key_without_bit < first_key || key_without_bit > last_key) {
    return nullptr;
  }
  return &command_table[key_without_bit - first_key];
}

const char *command_name(uint16_t frame_key) {
  const command_info *c = command_find(without_response_bit(frame_key));
  return c != nullptr ? c->name : "unknown command";
}

const char *response_name(uint16_t code) {
  return response_names[code <= last_response ? code : 0];
}

bool decode(reader &r, frame_header &h) {
  h.key = r.u16();
  h.version = r.u16();
  return !r.failed;
}

size_t frame_begin(writer &w, uint16_t frame_key, uint16_t version) {
  size_t mark = w.written;
  w.u32(0);
  w.u16(frame_key);
  w.u16(version);
  return mark;
}

void frame_end(writer &w, size_t mark) {
  if (w.failed) {
    return;
  }
  size_t total = w.written - mark;
  if (total - frame_size_bytes > UINT32_MAX) {
    w.failed = true;
    return;
  }
  if (!w.counting) {
    store_u32be(w.p - total, static_cast<uint32_t>(total - frame_size_bytes));
  }
}

size_t request_begin(writer &w, key k, uint32_t correlation_id) {
  size_t mark = frame_begin(w, raw(k), 1);
  w.u32(correlation_id);
  return mark;
}

size_t response_begin(writer &w, key k, uint32_t correlation_id, uint16_t code) {
  size_t mark = frame_begin(w, response_key(k), 1);
  w.u32(correlation_id);
  w.u16(code);
  return mark;
}

void encode(writer &w, const response_frame &x, uint16_t frame_key) {
  size_t mark = frame_begin(w, static_cast<uint16_t>(frame_key | response_bit), 1);
  w.u32(x.correlation_id);
  w.u16(x.code);
  frame_end(w, mark);
}

bool decode(reader &r, response_frame &x) {
  x.correlation_id = r.u32();
  x.code = r.u16();
  return !r.failed;
}

response_body decode_response(reader &r, uint32_t &correlation_id, uint16_t &code) {
  correlation_id = r.u32();
  code = r.u16();
  if (r.failed) {
    return response_body::malformed;
  }
  return r.left() == 0 && !is_ok(code) ? response_body::absent : response_body::present;
}

}  // namespace rstream::wire
