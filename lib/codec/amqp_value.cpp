#include "codec/amqp_value.h"

namespace rstream {

namespace {

using value = rstream_amqp_value;
using wire::bytes;
using wire::reader;

// ---- a value: its constructor, then its payload

bool is_zero_width(uint8_t code) { return code >> 4 == 0x4; }

// The payload of this code at r.p. Fails for the codes that AMQP 1.0 leaves without a
// length.
bytes take_payload(reader &r, uint8_t code) {
  switch (code >> 4) {
  case 0x4: return r.take(0);
  case 0x5: return r.take(1);
  case 0x6: return r.take(2);
  case 0x7: return r.take(4);
  case 0x8: return r.take(8);
  case 0x9: return r.take(16);
  case 0xa:
  case 0xc:
  case 0xe: {
    const uint8_t *start = r.p;
    r.take(r.u8());
    return {start, static_cast<size_t>(r.p - start)};
  }
  case 0xb:
  case 0xd:
  case 0xf: {
    const uint8_t *start = r.p;
    r.take(r.u32());
    return {start, static_cast<size_t>(r.p - start)};
  }
  default: r.fail(); return {};
  }
}

// A code, or of a described value 00, its descriptor and the constructor of what it
// describes, which may again be described.
bytes take_constructor(reader &r) {
  const uint8_t *start = r.p;
  while (r.u8() == amqp_code::described && !r.failed) amqp_skip(r);
  return {start, static_cast<size_t>(r.p - start)};
}

value encoded_value(rstream_amqp_type type, bytes constructor, bytes payload,
                    uint32_t depth) {
  value v{};
  v.type = type;
  v.encoded = static_cast<uint8_t>(depth + 1);
  v.constructor_size = static_cast<uint16_t>(constructor.size());
  v.size = static_cast<uint32_t>(payload.size());
  v.as.encoded = {payload.data(), constructor.data()};
  return v;
}

value unsigned_value(rstream_amqp_type type, uint64_t u) {
  value v{};
  v.type = type;
  v.as.u = u;
  return v;
}

value signed_value(rstream_amqp_type type, int64_t i) {
  value v{};
  v.type = type;
  v.as.i = i;
  return v;
}

value raw_value(rstream_amqp_type type, bytes payload) {
  value v{};
  v.type = type;
  memcpy(v.as.raw, payload.data(), payload.size());
  return v;
}

value bytes_value(rstream_amqp_type type, bytes payload, size_t size_bytes) {
  value v{};
  v.type = type;
  v.size = static_cast<uint32_t>(payload.size() - size_bytes);
  v.as.bytes = payload.data() + size_bytes;
  return v;
}

value float_value(bytes payload) {
  value v{};
  v.type = RSTREAM_AMQP_FLOAT;
  v.as.f = std::bit_cast<float>(wire::load_u32be(payload.data()));
  return v;
}

value double_value(bytes payload) {
  value v{};
  v.type = RSTREAM_AMQP_DOUBLE;
  v.as.d = std::bit_cast<double>(wire::load_u64be(payload.data()));
  return v;
}

// What a payload of its code's length says.
value make_value(reader &r, bytes constructor, bytes payload, uint32_t depth) {
  using namespace amqp_code;
  const uint8_t *p = payload.data();
  uint8_t code = constructor[0];
  auto i8 = [&] { return static_cast<int8_t>(*p); };
  auto i16 = [&] { return static_cast<int16_t>(wire::load_u16be(p)); };
  auto i32 = [&] { return static_cast<int32_t>(wire::load_u32be(p)); };
  auto i64 = [&] { return static_cast<int64_t>(wire::load_u64be(p)); };
  switch (code) {
  case described:
    return encoded_value(RSTREAM_AMQP_DESCRIBED, constructor, payload, depth);
  case null: return {};
  case true_0: return unsigned_value(RSTREAM_AMQP_BOOLEAN, 1);
  case false_0: return unsigned_value(RSTREAM_AMQP_BOOLEAN, 0);
  case boolean:
    if (*p > 1) r.fail();
    return unsigned_value(RSTREAM_AMQP_BOOLEAN, *p);
  case ubyte: return unsigned_value(RSTREAM_AMQP_UBYTE, *p);
  case ushort: return unsigned_value(RSTREAM_AMQP_USHORT, wire::load_u16be(p));
  case uint_0: return unsigned_value(RSTREAM_AMQP_UINT, 0);
  case uint_1: return unsigned_value(RSTREAM_AMQP_UINT, *p);
  case uint_4: return unsigned_value(RSTREAM_AMQP_UINT, wire::load_u32be(p));
  case ulong_0: return unsigned_value(RSTREAM_AMQP_ULONG, 0);
  case ulong_1: return unsigned_value(RSTREAM_AMQP_ULONG, *p);
  case ulong_8: return unsigned_value(RSTREAM_AMQP_ULONG, wire::load_u64be(p));
  case byte: return signed_value(RSTREAM_AMQP_BYTE, i8());
  case short_2: return signed_value(RSTREAM_AMQP_SHORT, i16());
  case int_1: return signed_value(RSTREAM_AMQP_INT, i8());
  case int_4: return signed_value(RSTREAM_AMQP_INT, i32());
  case long_1: return signed_value(RSTREAM_AMQP_LONG, i8());
  case long_8: return signed_value(RSTREAM_AMQP_LONG, i64());
  case float_4: return float_value(payload);
  case double_8: return double_value(payload);
  case decimal_4: return raw_value(RSTREAM_AMQP_DECIMAL32, payload);
  case decimal_8: return raw_value(RSTREAM_AMQP_DECIMAL64, payload);
  case decimal_16: return raw_value(RSTREAM_AMQP_DECIMAL128, payload);
  case char_4: return unsigned_value(RSTREAM_AMQP_CHAR, wire::load_u32be(p));
  case timestamp: return signed_value(RSTREAM_AMQP_TIMESTAMP, i64());
  case uuid: return raw_value(RSTREAM_AMQP_UUID, payload);
  case binary_1: return bytes_value(RSTREAM_AMQP_BINARY, payload, 1);
  case binary_4: return bytes_value(RSTREAM_AMQP_BINARY, payload, 4);
  case string_1: return bytes_value(RSTREAM_AMQP_STRING, payload, 1);
  case string_4: return bytes_value(RSTREAM_AMQP_STRING, payload, 4);
  case symbol_1: return bytes_value(RSTREAM_AMQP_SYMBOL, payload, 1);
  case symbol_4: return bytes_value(RSTREAM_AMQP_SYMBOL, payload, 4);
  case list_0:
  case list_1:
  case list_4: return encoded_value(RSTREAM_AMQP_LIST, constructor, payload, depth);
  case map_1:
  case map_4: return encoded_value(RSTREAM_AMQP_MAP, constructor, payload, depth);
  case array_1:
  case array_4: return encoded_value(RSTREAM_AMQP_ARRAY, constructor, payload, depth);
  default: return encoded_value(RSTREAM_AMQP_UNKNOWN, constructor, payload, depth);
  }
}

// A value whose payload is next and whose constructor is elsewhere.
value read_with(reader &r, bytes constructor, uint32_t depth) {
  bytes payload = take_payload(r, constructor.back());
  // The largest that a rstream_amqp_value can tell of. A descriptor of 64 KiB has never
  // been seen.
  if (payload.size() > UINT32_MAX || constructor.size() > UINT16_MAX) r.fail();
  if (r.failed) return {};
  value v = make_value(r, constructor, payload, depth);
  return r.failed ? value{} : v;
}

// ---- iterating

// A broken one has no item to read, whatever is left.
enum kind : uint8_t { broken, items, elements, described, made };

int break_off(rstream_amqp_iter &it) {
  it.kind = broken;
  return RSTREAM_ECODEC;
}

int begin_described(rstream_amqp_iter &it, const value &v) {
  it.kind = described;
  it.left = 2;
  it.at = v.as.encoded.payload;
  it.end = it.at + v.size;
  it.constructor = v.as.encoded.constructor + 1;
  it.constructor_size = static_cast<uint16_t>(v.constructor_size - 1);
  return 0;
}

// Elements without bytes are not bounded by the bytes there are.
bool may_be_many(uint8_t code, uint32_t count) {
  return !is_zero_width(code) || count <= RSTREAM_AMQP_MAX_EMPTY_ELEMENTS;
}

int begin_elements(rstream_amqp_iter &it, const amqp_compound &parts) {
  it.kind = elements;
  if (parts.count == 0 && parts.items.empty()) return 0;  // not quite legal, but clear
  reader r = wire::reader_of(parts.items);
  bytes constructor = take_constructor(r);
  if (r.failed || constructor.size() > UINT16_MAX) return break_off(it);
  if (!may_be_many(constructor.back(), parts.count)) return break_off(it);
  it.constructor = constructor.data();
  it.constructor_size = static_cast<uint16_t>(constructor.size());
  it.at = r.p;
  return 0;
}

int begin_compound(rstream_amqp_iter &it, const value &v) {
  amqp_compound parts = amqp_compound_of(v);
  if (!parts.ok) return break_off(it);
  it.left = parts.count;
  it.at = parts.items.data();
  it.end = it.at + parts.items.size();
  if (v.type == RSTREAM_AMQP_ARRAY) return begin_elements(it, parts);
  if (v.type == RSTREAM_AMQP_MAP && parts.count % 2 != 0) return break_off(it);
  it.kind = items;
  return 0;
}

// The descriptor lies in the constructor; what follows it there is the constructor of the
// value.
value read_described(rstream_amqp_iter &it, reader &r) {
  reader c = wire::reader_of({it.constructor, it.constructor_size});
  if (it.left == 2) {
    value descriptor = amqp_read(c, it.depth);
    r.failed = c.failed;
    it.constructor_size = static_cast<uint16_t>(c.left());
    it.constructor = c.p;
    return descriptor;
  }
  return read_with(r, c.rest(), it.depth);
}

value read_item(rstream_amqp_iter &it, reader &r) {
  switch (it.kind) {
  case items: return amqp_read(r, it.depth);
  case elements: return read_with(r, {it.constructor, it.constructor_size}, it.depth);
  case described: return read_described(it, r);
  default: r.fail(); return {};
  }
}

const value &next_made(rstream_amqp_iter &it) {
  const value *item = static_cast<const value *>(static_cast<const void *>(it.at));
  it.at += sizeof *item;
  return *item;
}

// A count that leaves bytes over is as wrong as one that exceeds them.
int end_of_items(rstream_amqp_iter &it) {
  return it.kind == broken || it.at != it.end ? break_off(it) : 0;
}

}  // namespace

void amqp_skip(reader &r) {
  // A described value is a descriptor and a value behind one byte.
  for (size_t pending = 1; pending > 0 && !r.failed;) {
    uint8_t code = r.u8();
    if (code == amqp_code::described) {
      pending++;
    } else {
      take_payload(r, code);
      pending--;
    }
  }
}

value amqp_read(reader &r, uint32_t depth) {
  bytes constructor = take_constructor(r);
  return r.failed ? value{} : read_with(r, constructor, depth);
}

amqp_compound amqp_compound_of(const value &v) {
  reader r = wire::reader_of({v.as.encoded.payload, v.size});
  amqp_compound parts;
  switch (*v.as.encoded.constructor) {
  case amqp_code::list_0: break;
  case amqp_code::list_1:
  case amqp_code::map_1:
  case amqp_code::array_1:
    r.u8();
    parts.count = r.u8();
    break;
  default:
    r.u32();
    parts.count = r.u32();
    break;
  }
  parts.ok = !r.failed;
  parts.items = r.rest();
  return parts;
}

int amqp_items(rstream_amqp_iter &it, const value &v) {
  it = {};
  if (v.type < RSTREAM_AMQP_LIST || v.type > RSTREAM_AMQP_DESCRIBED) {
    return RSTREAM_EINVAL;
  }
  if (!v.encoded) {
    it.kind = made;
    it.left = v.size;
    it.at = static_cast<const uint8_t *>(static_cast<const void *>(v.as.items));
    it.end = it.at + v.size * sizeof(value);
    return 0;
  }
  if (v.encoded > RSTREAM_AMQP_MAX_DEPTH) return break_off(it);
  it.depth = v.encoded;
  return v.type == RSTREAM_AMQP_DESCRIBED ? begin_described(it, v)
                                          : begin_compound(it, v);
}

int amqp_next(rstream_amqp_iter &it, value &item) {
  if (it.left == 0) return end_of_items(it);
  if (it.kind == made) {
    item = next_made(it);
    it.left--;
    return 1;
  }
  reader r{it.at, it.end};
  item = read_item(it, r);
  if (r.failed) return break_off(it);
  it.at = r.p;
  it.left--;
  return 1;
}

int amqp_next_skipped(rstream_amqp_iter &it) {
  if (it.kind != items || it.left == 0) {
    value ignored;
    return amqp_next(it, ignored);
  }
  reader r{it.at, it.end};
  amqp_skip(r);
  if (r.failed) return break_off(it);
  it.at = r.p;
  it.left--;
  return 1;
}

bool amqp_is_sound(const value &root, uint32_t depth) {
  if (!root.encoded || root.type == RSTREAM_AMQP_UNKNOWN) return true;
  rstream_amqp_iter levels[RSTREAM_AMQP_MAX_DEPTH + 1];
  value v = root;
  v.encoded = static_cast<uint8_t>(depth + 1);
  if (amqp_items(levels[0], v) < 0) return false;
  for (int level = 0; level >= 0;) {
    int rc = amqp_next(levels[level], v);
    if (rc < 0) return false;
    if (rc == 0) {
      level--;
    } else if (v.encoded && v.type != RSTREAM_AMQP_UNKNOWN) {
      // Ends at the deepest level allowed, so the array is long enough.
      if (amqp_items(levels[++level], v) < 0) return false;
    }
  }
  return true;
}

}  // namespace rstream
