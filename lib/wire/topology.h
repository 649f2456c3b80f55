// Streams and where they live: Create, Delete, Metadata, MetadataUpdate, Route,
// Partitions, StreamStats, CreateSuperStream, DeleteSuperStream.
//
// encode() writes a whole frame; decode() reads the body after key and version and is
// false when it is malformed. Views and sequences are borrowed. The commands that create
// and delete are answered by a response_frame.
#pragma once

#include "wire/command.h"
#include "wire/cursor.h"

namespace rstream::wire {

// ---- Create, Delete

struct create_stream {
  uint32_t correlation_id = 0;
  std::string_view stream{};
  seq<property> arguments{};
};
void encode(writer &w, const create_stream &x);
bool decode(reader &r, create_stream &x);

struct delete_stream {
  uint32_t correlation_id = 0;
  std::string_view stream{};
};
void encode(writer &w, const delete_stream &x);
bool decode(reader &r, delete_stream &x);

// ---- CreateSuperStream, DeleteSuperStream

// As many binding keys as partitions.
struct create_super_stream {
  uint32_t correlation_id = 0;
  std::string_view name{};
  seq<std::string_view> partitions{};
  seq<std::string_view> binding_keys{};
  seq<property> arguments{};
};
void encode(writer &w, const create_super_stream &x);
bool decode(reader &r, create_super_stream &x);

struct delete_super_stream {
  uint32_t correlation_id = 0;
  std::string_view name{};
};
void encode(writer &w, const delete_super_stream &x);
bool decode(reader &r, delete_super_stream &x);

// ---- Metadata

struct metadata {
  uint32_t correlation_id = 0;
  seq<std::string_view> streams{};
};
void encode(writer &w, const metadata &x);
bool decode(reader &r, metadata &x);

// References mean something within one response only.
struct broker_ref {
  uint16_t reference = 0;
  std::string_view host{};
  uint32_t port = 0;
};

template <>
struct element<broker_ref> {
  static constexpr size_t min_bytes = 2 + 2 + 4;
  static constexpr bool fixed = false;
  static void put(writer &w, const broker_ref &v);
  static void get(reader &r, broker_ref &v);
};

// Leader of a stream that has none right now. A replica may be it as well, or name a
// broker that is not listed: skip those.
constexpr uint16_t no_broker = 0xffff;

struct stream_info {
  std::string_view stream{};
  uint16_t code = 0;
  uint16_t leader = no_broker;
  seq<uint16_t> replicas{};  // without the leader
};

template <>
struct element<stream_info> {
  static constexpr size_t min_bytes = 2 + 2 + 2 + 4;
  static constexpr bool fixed = false;
  static void put(writer &w, const stream_info &v);
  static void get(reader &r, stream_info &v);
};

// Has no code of its own; each stream has one.
struct metadata_response {
  uint32_t correlation_id = 0;
  seq<broker_ref> brokers{};
  seq<stream_info> streams{};
};
void encode(writer &w, const metadata_response &x);
bool decode(reader &r, metadata_response &x);

// ---- MetadataUpdate

struct metadata_update {
  uint16_t code = 0;
  std::string_view stream{};
};
void encode(writer &w, const metadata_update &x);
bool decode(reader &r, metadata_update &x);

// ---- Route

struct route {
  uint32_t correlation_id = 0;
  std::string_view routing_key{};
  std::string_view super_stream{};
};
void encode(writer &w, const route &x);
bool decode(reader &r, route &x);

struct route_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  seq<std::string_view> streams{};
};
void encode(writer &w, const route_response &x);
bool decode(reader &r, route_response &x);

// ---- Partitions

struct partitions {
  uint32_t correlation_id = 0;
  std::string_view super_stream{};
};
void encode(writer &w, const partitions &x);
bool decode(reader &r, partitions &x);

struct partitions_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  seq<std::string_view> streams{};  // the order matters: hash routing goes by it
};
void encode(writer &w, const partitions_response &x);
bool decode(reader &r, partitions_response &x);

// ---- StreamStats

struct stream_stats {
  uint32_t correlation_id = 0;
  std::string_view stream{};
};
void encode(writer &w, const stream_stats &x);
bool decode(reader &r, stream_stats &x);

struct stat {
  std::string_view name{};
  int64_t value = 0;  // -1: the stream is empty
};

template <>
struct element<stat> {
  static constexpr size_t min_bytes = 2 + 8;
  static constexpr bool fixed = false;
  static void put(writer &w, const stat &v);
  static void get(reader &r, stat &v);
};

struct stream_stats_response {
  uint32_t correlation_id = 0;
  uint16_t code = 0;
  seq<stat> stats{};
};
void encode(writer &w, const stream_stats_response &x);
bool decode(reader &r, stream_stats_response &x);

}  // namespace rstream::wire
