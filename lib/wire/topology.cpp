#include "wire/topology.h"

namespace rstream::wire {

// ---- elements

void element<broker_ref>::put(writer &w, const broker_ref &v) {
  w.u16(v.reference);
  w.str(v.host);
  w.u32(v.port);
}

void element<broker_ref>::get(reader &r, broker_ref &v) {
  v.reference = r.u16();
  v.host = r.str();
  v.port = r.u32();
}

void element<stream_info>::put(writer &w, const stream_info &v) {
  w.str(v.stream);
  w.u16(v.code);
  w.u16(v.leader);
  wire::put(w, v.replicas);
}

void element<stream_info>::get(reader &r, stream_info &v) {
  v.stream = r.str();
  v.code = r.u16();
  v.leader = r.u16();
  wire::get(r, v.replicas);
}

void element<stat>::put(writer &w, const stat &v) {
  w.str(v.name);
  w.i64(v.value);
}

void element<stat>::get(reader &r, stat &v) {
  v.name = r.str();
  v.value = r.i64();
}

// ---- Create, Delete

void encode(writer &w, const create_stream &x) {
  size_t mark = request_begin(w, key::create, x.correlation_id);
  w.str(x.stream);
  put(w, x.arguments);
  frame_end(w, mark);
}

bool decode(reader &r, create_stream &x) {
  x.correlation_id = r.u32();
  x.stream = r.str();
  get_trailing_map(r, x.arguments);
  return !r.failed;
}

void encode(writer &w, const delete_stream &x) {
  size_t mark = request_begin(w, key::delete_stream, x.correlation_id);
  w.str(x.stream);
  frame_end(w, mark);
}

bool decode(reader &r, delete_stream &x) {
  x.correlation_id = r.u32();
  x.stream = r.str();
  return !r.failed;
}

// ---- CreateSuperStream, DeleteSuperStream

void encode(writer &w, const create_super_stream &x) {
  size_t mark = request_begin(w, key::create_super_stream, x.correlation_id);
  w.str(x.name);
  put(w, x.partitions);
  put(w, x.binding_keys);
  put(w, x.arguments);
  frame_end(w, mark);
}

bool decode(reader &r, create_super_stream &x) {
  x.correlation_id = r.u32();
  x.name = r.str();
  get(r, x.partitions);
  get(r, x.binding_keys);
  get_trailing_map(r, x.arguments);
  return !r.failed;
}

void encode(writer &w, const delete_super_stream &x) {
  size_t mark = request_begin(w, key::delete_super_stream, x.correlation_id);
  w.str(x.name);
  frame_end(w, mark);
}

bool decode(reader &r, delete_super_stream &x) {
  x.correlation_id = r.u32();
  x.name = r.str();
  return !r.failed;
}

// ---- Metadata

void encode(writer &w, const metadata &x) {
  size_t mark = request_begin(w, key::metadata, x.correlation_id);
  put(w, x.streams);
  frame_end(w, mark);
}

bool decode(reader &r, metadata &x) {
  x.correlation_id = r.u32();
  get(r, x.streams);
  return !r.failed;
}

void encode(writer &w, const metadata_response &x) {
  size_t mark = frame_begin(w, response_key(key::metadata), 1);
  w.u32(x.correlation_id);
  put(w, x.brokers);
  put(w, x.streams);
  frame_end(w, mark);
}

bool decode(reader &r, metadata_response &x) {
  x.correlation_id = r.u32();
  get(r, x.brokers);
  get(r, x.streams);
  return !r.failed;
}

// ---- MetadataUpdate

void encode(writer &w, const metadata_update &x) {
  size_t mark = frame_begin(w, raw(key::metadata_update), 1);
  w.u16(x.code);
  w.str(x.stream);
  frame_end(w, mark);
}

bool decode(reader &r, metadata_update &x) {
  x.code = r.u16();
  x.stream = r.str();
  return !r.failed;
}

// ---- Route

void encode(writer &w, const route &x) {
  size_t mark = request_begin(w, key::route, x.correlation_id);
  w.str(x.routing_key);
  w.str(x.super_stream);
  frame_end(w, mark);
}

bool decode(reader &r, route &x) {
  x.correlation_id = r.u32();
  x.routing_key = r.str();
  x.super_stream = r.str();
  return !r.failed;
}

void encode(writer &w, const route_response &x) {
  size_t mark = response_begin(w, key::route, x.correlation_id, x.code);
  put(w, x.streams);
  frame_end(w, mark);
}

bool decode(reader &r, route_response &x) {
  x = {};
  if (decode_response(r, x.correlation_id, x.code) == response_body::present) {
    get(r, x.streams);
  }
  return !r.failed;
}

// ---- Partitions

void encode(writer &w, const partitions &x) {
  size_t mark = request_begin(w, key::partitions, x.correlation_id);
  w.str(x.super_stream);
  frame_end(w, mark);
}

bool decode(reader &r, partitions &x) {
  x.correlation_id = r.u32();
  x.super_stream = r.str();
  return !r.failed;
}

void encode(writer &w, const partitions_response &x) {
  size_t mark = response_begin(w, key::partitions, x.correlation_id, x.code);
  put(w, x.streams);
  frame_end(w, mark);
}

bool decode(reader &r, partitions_response &x) {
  x = {};
  if (decode_response(r, x.correlation_id, x.code) == response_body::present) {
    get(r, x.streams);
  }
  return !r.failed;
}

// ---- StreamStats

void encode(writer &w, const stream_stats &x) {
  size_t mark = request_begin(w, key::stream_stats, x.correlation_id);
  w.str(x.stream);
  frame_end(w, mark);
}

bool decode(reader &r, stream_stats &x) {
  x.correlation_id = r.u32();
  x.stream = r.str();
  return !r.failed;
}

void encode(writer &w, const stream_stats_response &x) {
  size_t mark = response_begin(w, key::stream_stats, x.correlation_id, x.code);
  put(w, x.stats);
  frame_end(w, mark);
}

bool decode(reader &r, stream_stats_response &x) {
  x = {};
  if (decode_response(r, x.correlation_id, x.code) == response_body::present) {
    get(r, x.stats);
  }
  return !r.failed;
}

}  // namespace rstream::wire
