#include "wire/consume.h"

namespace rstream::wire {

// ---- offset specification

static bool has_value(uint16_t type) {
  return type == raw(offset_type::offset) || type == raw(offset_type::timestamp);
}

void put(writer &w, const offset_spec &x) {
  if (x.type > raw(offset_type::timestamp)) {
    w.failed = true;
    return;
  }
  w.u16(x.type);
  if (has_value(x.type)) {
    w.u64(x.value);
  }
}

void get(reader &r, offset_spec &x) {
  x.type = r.u16();
  x.value = has_value(x.type) ? r.u64() : 0;
  if (x.type > raw(offset_type::timestamp)) {
    r.fail();
  }
}

// ---- Subscribe

void encode(writer &w, const subscribe &x) {
  size_t mark = request_begin(w, key::subscribe, x.correlation_id);
  w.u8(x.subscription_id);
  w.str(x.stream);
  put(w, x.spec);
  w.u16(x.credit);
  if (!x.properties.empty()) {
    put(w, x.properties);
  }
  frame_end(w, mark);
}

bool decode(reader &r, subscribe &x) {
  x.correlation_id = r.u32();
  x.subscription_id = r.u8();
  x.stream = r.str();
  get(r, x.spec);
  x.credit = r.u16();
  get_trailing_map(r, x.properties);
  return !r.failed;
}

// ---- Deliver

void encode(writer &w, const deliver &x) {
  if (x.version != 1 && x.version != 2) {
    w.failed = true;
    return;
  }
  size_t mark = frame_begin(w, raw(key::deliver), x.version);
  w.u8(x.subscription_id);
  if (x.version == 2) {
    w.u64(x.committed_chunk_id);
  }
  w.raw(x.chunk);
  frame_end(w, mark);
}

bool decode(reader &r, deliver &x) {
  if (x.version != 1 && x.version != 2) {
    r.fail();
  }
  x.subscription_id = r.u8();
  x.committed_chunk_id = x.version == 2 ? r.u64() : 0;
  x.chunk = r.rest();
  return !r.failed;
}

bool decode(reader &r, deliver &x, uint16_t version) {
  x.version = version;
  return decode(r, x);
}

// ---- Credit

void encode(writer &w, const credit &x) {
  size_t mark = frame_begin(w, raw(key::credit), 1);
  w.u8(x.subscription_id);
  w.i16(x.credits);
  frame_end(w, mark);
}

bool decode(reader &r, credit &x) {
  x.subscription_id = r.u8();
  x.credits = r.i16();
  return !r.failed;
}

void encode(writer &w, const credit_error &x) {
  size_t mark = frame_begin(w, response_key(key::credit), 1);
  w.u16(x.code);
  w.u8(x.subscription_id);
  frame_end(w, mark);
}

bool decode(reader &r, credit_error &x) {
  x.code = r.u16();
  x.subscription_id = r.u8();
  return !r.failed;
}

// ---- Unsubscribe

void encode(writer &w, const unsubscribe &x) {
  size_t mark = request_begin(w, key::unsubscribe, x.correlation_id);
  w.u8(x.subscription_id);
  frame_end(w, mark);
}

bool decode(reader &r, unsubscribe &x) {
  x.correlation_id = r.u32();
  x.subscription_id = r.u8();
  return !r.failed;
}

// ---- StoreOffset

void encode(writer &w, const store_offset &x) {
  size_t mark = frame_begin(w, raw(key::store_offset), 1);
  w.str(x.reference);
  w.str(x.stream);
  w.u64(x.offset);
  frame_end(w, mark);
}

bool decode(reader &r, store_offset &x) {
  x.reference = r.str();
  x.stream = r.str();
  x.offset = r.u64();
  return !r.failed;
}

// ---- QueryOffset

void encode(writer &w, const query_offset &x) {
  size_t mark = request_begin(w, key::query_offset, x.correlation_id);
  w.str(x.reference);
  w.str(x.stream);
  frame_end(w, mark);
}

bool decode(reader &r, query_offset &x) {
  x.correlation_id = r.u32();
  x.reference = r.str();
  x.stream = r.str();
  return !r.failed;
}

void encode(writer &w, const query_offset_response &x) {
  size_t mark = response_begin(w, key::query_offset, x.correlation_id, x.code);
  w.u64(x.offset);
  frame_end(w, mark);
}

bool decode(reader &r, query_offset_response &x) {
  x = {};
  if (decode_response(r, x.correlation_id, x.code) == response_body::present) {
    x.offset = r.u64();
  }
  return !r.failed;
}

// ---- ConsumerUpdate

void encode(writer &w, const consumer_update &x) {
  size_t mark = request_begin(w, key::consumer_update, x.correlation_id);
  w.u8(x.subscription_id);
  w.u8(x.active ? 1 : 0);
  frame_end(w, mark);
}

bool decode(reader &r, consumer_update &x) {
  x.correlation_id = r.u32();
  x.subscription_id = r.u8();
  x.active = r.u8() != 0;
  return !r.failed;
}

void encode(writer &w, const consumer_update_response &x) {
  size_t mark = response_begin(w, key::consumer_update, x.correlation_id, x.code);
  put(w, x.spec);
  frame_end(w, mark);
}

bool decode(reader &r, consumer_update_response &x) {
  x.correlation_id = r.u32();
  x.code = r.u16();
  get(r, x.spec);
  return !r.failed;
}

// ---- ResolveOffsetSpec

void encode(writer &w, const resolve_offset &x) {
  size_t mark = request_begin(w, key::resolve_offset_spec, x.correlation_id);
  w.str(x.stream);
  put(w, x.spec);
  put(w, x.properties);
  frame_end(w, mark);
}

bool decode(reader &r, resolve_offset &x) {
  x.correlation_id = r.u32();
  x.stream = r.str();
  get(r, x.spec);
  get_trailing_map(r, x.properties);
  return !r.failed;
}

void encode(writer &w, const resolve_offset_response &x) {
  size_t mark = response_begin(w, key::resolve_offset_spec, x.correlation_id, x.code);
  put(w, x.spec);
  frame_end(w, mark);
}

bool decode(reader &r, resolve_offset_response &x) {
  x = {};
  if (decode_response(r, x.correlation_id, x.code) == response_body::present) {
    get(r, x.spec);
  }
  return !r.failed;
}

}  // namespace rstream::wire
