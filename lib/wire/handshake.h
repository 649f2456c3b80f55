// The life of a connection: PeerProperties, SaslHandshake, SaslAuthenticate, Tune, Open,
// ExchangeCommandVersions, Close, Heartbeat.
//
// encode() writes a whole frame; decode() reads the body after key and version and is
// false when it is malformed. Views and sequences are borrowed.
#pragma once

#include "wire/command.h"
#include "wire/cursor.h"

namespace rstream::wire {

// ---- PeerProperties

struct peer_properties {
  uint32_t correlation_id = 0;
  seq<property> properties{};
};
void encode(writer &w, const peer_properties &x);
bool decode(reader &r, peer_properties &x);

struct peer_properties_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  seq<property> properties{};
};
void encode(writer &w, const peer_properties_response &x);
bool decode(reader &r, peer_properties_response &x);

// ---- SaslHandshake

struct sasl_handshake {
  uint32_t correlation_id = 0;
};
void encode(writer &w, const sasl_handshake &x);
bool decode(reader &r, sasl_handshake &x);

struct sasl_handshake_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  seq<std::string_view> mechanisms{};
};
void encode(writer &w, const sasl_handshake_response &x);
bool decode(reader &r, sasl_handshake_response &x);

// ---- SaslAuthenticate

struct sasl_authenticate {
  uint32_t correlation_id = 0;
  std::string_view mechanism{};
  bytes data{};  // no data(): sent as null
};
void encode(writer &w, const sasl_authenticate &x);
bool decode(reader &r, sasl_authenticate &x);

// The protocol's text says a challenge is bytes (int32 length), the broker writes a
// string (int16 length). Both are understood.
enum class challenge_form : uint8_t { string, blob };

struct sasl_authenticate_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  bytes challenge{};  // only with response::sasl_challenge
  challenge_form form = challenge_form::string;
};
void encode(writer &w, const sasl_authenticate_response &x);
bool decode(reader &r, sasl_authenticate_response &x);

// ---- Tune

// The broker's offer, key 0x0014. The broker accepts the answer under this key, too.
struct tune {
  uint32_t frame_max = 0;    // 0: no limit
  uint32_t heartbeat_s = 0;  // 0: off
};
void encode(writer &w, const tune &x);
bool decode(reader &r, tune &x);

// The client's answer, key 0x8014: neither correlation id nor code.
struct tune_response {
  uint32_t frame_max = 0;
  uint32_t heartbeat_s = 0;
};
void encode(writer &w, const tune_response &x);
bool decode(reader &r, tune_response &x);

// What two values of a Tune come to, where 0 stands for "no limit" on either side.
constexpr uint32_t tune_negotiate(uint32_t client, uint32_t broker) {
  if (client == 0 || broker == 0) {
    return client > broker ? client : broker;
  }
  return client < broker ? client : broker;
}

// ---- Open

struct open {
  uint32_t correlation_id = 0;
  std::string_view vhost{};
};
void encode(writer &w, const open &x);
bool decode(reader &r, open &x);

// An empty map is left out, as the broker does.
struct open_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  seq<property> properties{};  // advertised_host, advertised_port
};
void encode(writer &w, const open_response &x);
bool decode(reader &r, open_response &x);

// ---- ExchangeCommandVersions

struct version_range {
  uint16_t key = 0;
  uint16_t min = 0;
  uint16_t max = 0;
};

template <>
struct element<version_range> {
  static constexpr size_t min_bytes = 6;
  static constexpr bool fixed = true;
  static void put(writer &w, const version_range &v) {
    w.u16(v.key);
    w.u16(v.min);
    w.u16(v.max);
  }
  static void get(reader &r, version_range &v) {
    v.key = r.u16();
    v.min = r.u16();
    v.max = r.u16();
  }
};

struct command_versions {
  uint32_t correlation_id = 0;
  seq<version_range> commands{};
};
void encode(writer &w, const command_versions &x);
bool decode(reader &r, command_versions &x);

struct command_versions_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  seq<version_range> commands{};
};
void encode(writer &w, const command_versions_response &x);
bool decode(reader &r, command_versions_response &x);

// ---- Close, from either side

struct close_request {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  std::string_view reason{};
};
void encode(writer &w, const close_request &x);
bool decode(reader &r, close_request &x);

struct close_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
};
void encode(writer &w, const close_response &x);
bool decode(reader &r, close_response &x);

// ---- Heartbeat, from either side

struct heartbeat {};
void encode(writer &w, const heartbeat &x);
bool decode(reader &r, heartbeat &x);

}  // namespace rstream::wire
