// AMQP 1.0 messages: whatever the bytes are, they are walked within their bounds; what
// could be read is made anew by hand, encoded, and must read the same.
#include <deque>
#include <string_view>

#include "codec/amqp_decode.h"
#include "codec/amqp_encode.h"
#include "codec/amqp_value.h"
#include "fuzz.h"

using namespace rstream;

namespace {

using value = rstream_amqp_value;
using values = std::vector<value>;

void require(bool is_so) {
  if (!is_so) abort();
}

// ---- comparing

values items_of(const value &v) {
  values out;
  rstream_amqp_iter it;
  value item;
  require(amqp_items(it, v) == 0);
  while (amqp_next(it, item) == 1) out.push_back(item);
  return out;
}

bool is_compound(const value &v) {
  return v.type >= RSTREAM_AMQP_LIST && v.type <= RSTREAM_AMQP_DESCRIBED;
}

size_t raw_bytes(const value &v) {
  if (v.type == RSTREAM_AMQP_FLOAT || v.type == RSTREAM_AMQP_DECIMAL32) return 4;
  if (v.type == RSTREAM_AMQP_DECIMAL128 || v.type == RSTREAM_AMQP_UUID) return 16;
  return v.type == RSTREAM_AMQP_NULL ? 0 : 8;
}

std::string_view text_of(const value &v) {
  return {static_cast<const char *>(v.as.bytes), v.size};
}

bool same(const value &a, const value &b) {
  if (a.type != b.type) return false;
  if (a.type == RSTREAM_AMQP_UNKNOWN) {
    return a.size == b.size &&
           std::equal(a.as.encoded.payload, a.as.encoded.payload + a.size,
                      b.as.encoded.payload);
  }
  if (a.type >= RSTREAM_AMQP_BINARY && a.type <= RSTREAM_AMQP_SYMBOL) {
    return text_of(a) == text_of(b);
  }
  if (!is_compound(a)) {
    return std::equal(a.as.raw, a.as.raw + raw_bytes(a), b.as.raw);
  }
  values x = items_of(a);
  values y = items_of(b);
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), same);
}

// ---- making anew

using arena = std::deque<values>;

// A copy of `v` that is not received any more, down to the last item. Elements that can't
// be made by hand stay in their array.
value make_anew(arena &memory, const value &v) {
  if (!is_compound(v)) return v;
  values items = items_of(v);
  bool by_hand = v.type != RSTREAM_AMQP_ARRAY || items.empty() ||
                 items[0].type < RSTREAM_AMQP_DESCRIBED;
  if (!by_hand) return v;
  for (value &item : items) item = make_anew(memory, item);
  memory.push_back(std::move(items));
  value out{};
  out.type = v.type;
  out.size = static_cast<uint32_t>(memory.back().size());
  out.as.items = memory.back().data();
  return out;
}

std::vector<uint8_t> encode(const value &v) {
  wire::writer counting = wire::counting_writer();
  amqp_put_value(counting, v);
  std::vector<uint8_t> bytes(counting.written);
  wire::writer w = wire::writer_of(bytes);
  amqp_put_value(w, v);
  require(!w.failed && w.written == bytes.size());
  return bytes;
}

void check_reads_back(const value &expected, const value &encoded) {
  std::vector<uint8_t> bytes = encode(encoded);
  wire::reader r = wire::reader_of(bytes);
  value again = amqp_read(r, 0);
  require(!r.failed && r.left() == 0);
  require(amqp_is_sound(again, 0));
  require(same(expected, again));
}

void check_value(const value &v) {
  bool sound = amqp_is_sound(v, 0);
  // Simple values may still be refused for what their text says.
  if (v.encoded) require(sound == (amqp_check_value(v, 0) == nullptr));
  if (!sound) return;
  check_reads_back(v, v);
  arena memory;
  value made = make_anew(memory, v);
  // It may be longer than what was received, and a descriptor then too long.
  const char *why = amqp_check_value(made, 0);
  require(!why || std::string_view(why) == "a descriptor is too large");
  if (!why) check_reads_back(v, made);
}

// ---- looking up

uint64_t touch(const value &v) {
  if (v.type >= RSTREAM_AMQP_BINARY && v.type <= RSTREAM_AMQP_SYMBOL) {
    uint64_t sum = 0;
    for (char c : text_of(v)) sum += static_cast<uint8_t>(c);
    return sum;
  }
  if (!is_compound(v)) return v.type;
  rstream_amqp_iter it;
  if (amqp_items(it, v) < 0) return 0;
  uint64_t sum = 0;
  value item;
  while (amqp_next(it, item) == 1) sum += touch(item);
  return sum;
}

// The last value of a key, found by a plain walk, is what the look-up gives.
void check_keys(const value &map) {
  if (map.type != RSTREAM_AMQP_MAP || !amqp_is_sound(map, 0)) return;
  values items = items_of(map);
  for (size_t k = 0; k < items.size() && k < 32; k += 2) {
    const value &key = items[k];
    if (key.type != RSTREAM_AMQP_STRING && key.type != RSTREAM_AMQP_SYMBOL) continue;
    value last{};
    for (size_t i = 0; i < items.size(); i += 2) {
      bool is_text =
          items[i].type == RSTREAM_AMQP_STRING || items[i].type == RSTREAM_AMQP_SYMBOL;
      if (is_text && text_of(items[i]) == text_of(key)) last = items[i + 1];
    }
    value found{};
    require(amqp_find_key(map, key, found) == (last.type != RSTREAM_AMQP_NULL));
    require(same(last, found));
  }
}

void check_body(wire::bytes message) {
  amqp_body body = amqp_body_of(message);
  amqp_body slow = amqp_body_slow(message);
  require(body.content.data() == slow.content.data() &&
          body.content.size() == slow.content.size() && body.type == slow.type &&
          body.status == slow.status);
  if (amqp_message_is_sound(message)) {
    // Then only bodies that do not go together are an error.
    require(body.status == 0 || body.status == RSTREAM_ECODEC);
  }
  std::vector<uint8_t> data(16);
  int64_t size = amqp_copy_data(message, data);
  require((size < 0) == (body.status < 0));
  if (body.status == 0 && body.type == RSTREAM_AMQP_BODY_DATA) {
    require(size == static_cast<int64_t>(body.content.size()));
  }
}

// ---- a whole message

// The sections of a message as a program would pass them to be published.
struct remade {
  arena memory;
  rstream_amqp_header header{};
  rstream_amqp_properties properties{};
  std::deque<std::vector<rstream_amqp_pair>> maps;
  values body;
  rstream_amqp_sections s{};
};

template <class T>
void fill_fields(remade &m, T &fields, const value &list) {
  fields = {};
  fields.struct_size = sizeof fields;
  if (list.type == RSTREAM_AMQP_NULL) return;
  values items = items_of(list);
  std::span<const value> room = amqp_fields_of(fields);
  for (size_t i = 0; i < items.size() && i < room.size(); i++) {
    const_cast<value &>(room[i]) = make_anew(m.memory, items[i]);
  }
}

void fill_map(remade &m, const rstream_amqp_pair *&pairs, size_t &count,
              const value &map) {
  m.maps.emplace_back();
  if (map.type != RSTREAM_AMQP_NULL) {
    values items = items_of(map);
    for (size_t i = 0; i < items.size(); i += 2) {
      m.maps.back().push_back(
          {make_anew(m.memory, items[i]), make_anew(m.memory, items[i + 1])});
    }
  }
  pairs = m.maps.back().data();
  count = m.maps.back().size();
}

void fill_body(remade &m, uint8_t code, const value &v) {
  m.body.push_back(make_anew(m.memory, v));
  m.s.body_type = code == amqp_section::value      ? RSTREAM_AMQP_BODY_VALUE
                  : code == amqp_section::sequence ? RSTREAM_AMQP_BODY_SEQUENCE
                                                   : RSTREAM_AMQP_BODY_DATA_LIST;
}

void fill_section(remade &m, uint8_t code, const value &v) {
  rstream_amqp_sections &s = m.s;
  switch (code) {
  case amqp_section::header:
    fill_fields(m, m.header, v);
    s.header = &m.header;
    break;
  case amqp_section::properties:
    fill_fields(m, m.properties, v);
    s.properties = &m.properties;
    break;
  case amqp_section::delivery_annotations:
    fill_map(m, s.delivery_annotations, s.delivery_annotation_count, v);
    break;
  case amqp_section::message_annotations:
    fill_map(m, s.message_annotations, s.message_annotation_count, v);
    break;
  case amqp_section::application_properties:
    fill_map(m, s.application_properties, s.application_property_count, v);
    break;
  case amqp_section::footer: fill_map(m, s.footer, s.footer_count, v); break;
  case 0: break;
  default: fill_body(m, code, v); break;
  }
}

bool reads_same(wire::bytes message, uint8_t code, const value &expected) {
  value found{};
  int rc = amqp_find_section(message, code, found);
  if (rc < 0) return false;
  bool is_list = code == amqp_section::header || code == amqp_section::properties;
  if (is_list) return true;  // looked at field by field
  bool empty = expected.type == RSTREAM_AMQP_NULL || items_of(expected).empty();
  return rc == 0 ? empty : same(expected, found);
}

void check_fields(wire::bytes message, uint8_t code, std::span<const value> fields) {
  for (size_t i = 0; i < fields.size(); i++) {
    value found{};
    require(amqp_find_field(message, code, i, found) ==
            (fields[i].type != RSTREAM_AMQP_NULL));
    require(same(fields[i], found));
  }
}

// Sections that are there twice are taken as they come last, so are not compared.
void check_message(wire::bytes message) {
  remade m;
  m.s.struct_size = sizeof m.s;
  m.s.body_type = RSTREAM_AMQP_BODY_NONE;
  value last[amqp_section::footer + 1] = {};
  rstream_amqp_iter it;
  amqp_sections(it, message);
  for (amqp_section_view s; amqp_next_section(it, s) == 1;) {
    fill_section(m, s.code, s.value);
    last[s.code] = s.value;
  }
  m.s.body_values = m.body.data();
  m.s.body_value_count = m.body.size();
  if (amqp_check(m.s, nullptr) < 0) return;
  int64_t size = rstream_amqp_encode(&m.s, nullptr, 0, nullptr, 0);
  require(size >= 0);
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  require(rstream_amqp_encode(&m.s, nullptr, 0, bytes.data(), bytes.size()) == size);
  require(amqp_message_is_sound(bytes));
  require(amqp_body_of(bytes).status == 0);
  for (uint8_t code = amqp_section::header; code <= amqp_section::footer; code++) {
    bool is_body = code >= amqp_section::data && code <= amqp_section::value;
    if (!is_body) require(reads_same(bytes, code, last[code]));
  }
  if (m.s.header) check_fields(bytes, amqp_section::header, amqp_fields_of(m.header));
  if (m.s.properties) {
    check_fields(bytes, amqp_section::properties, amqp_fields_of(m.properties));
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::vector<uint8_t> exact(data, data + size);
  exact.shrink_to_fit();
  wire::bytes message = exact;
  check_body(message);
  uint64_t sum = 0;
  rstream_amqp_iter it;
  amqp_sections(it, message);
  amqp_section_view s;
  while (amqp_next_section(it, s) == 1) {
    sum += touch(s.value);
    check_value(s.value);
    check_keys(s.value);
  }
  if (amqp_message_is_sound(message)) check_message(message);
  volatile uint64_t used = sum;
  (void)used;
  return 0;
}
