#include <cstdlib>
#include <cstring>

#include "amqp_fields.h"
#include "session.h"

namespace interop {

namespace {

using value = rstream_amqp_value;

struct header_field {
  const char *name;
  value rstream_amqp_header::*member;
};

constexpr header_field header_fields[] = {
    {"durable", &rstream_amqp_header::durable},
    {"priority", &rstream_amqp_header::priority},
    {"ttl", &rstream_amqp_header::ttl},
    {"first-acquirer", &rstream_amqp_header::first_acquirer},
    {"delivery-count", &rstream_amqp_header::delivery_count},
};

struct property_field {
  const char *name;
  value rstream_amqp_properties::*member;
};

constexpr property_field property_fields[] = {
    {"message-id", &rstream_amqp_properties::message_id},
    {"user-id", &rstream_amqp_properties::user_id},
    {"to", &rstream_amqp_properties::to},
    {"subject", &rstream_amqp_properties::subject},
    {"reply-to", &rstream_amqp_properties::reply_to},
    {"correlation-id", &rstream_amqp_properties::correlation_id},
    {"content-type", &rstream_amqp_properties::content_type},
    {"content-encoding", &rstream_amqp_properties::content_encoding},
    {"absolute-expiry-time", &rstream_amqp_properties::absolute_expiry_time},
    {"creation-time", &rstream_amqp_properties::creation_time},
    {"group-id", &rstream_amqp_properties::group_id},
    {"group-sequence", &rstream_amqp_properties::group_sequence},
    {"reply-to-group-id", &rstream_amqp_properties::reply_to_group_id},
};

template <typename Fields, typename Struct>
void set_member(const Fields &fields, Struct *target, const std::string &name,
                const value &v) {
  for (const auto &field : fields) {
    if (name == field.name) {
      target->*field.member = v;
      return;
    }
  }
  fail("no such field", name.c_str());
}

uint8_t type_of(const std::string &name) {
  for (int type = RSTREAM_AMQP_NULL; type <= RSTREAM_AMQP_DESCRIBED; ++type) {
    if (name == rstream_amqp_type_name(type)) return static_cast<uint8_t>(type);
  }
  fail("no such type", name.c_str());
}

// The items between the brackets of a compound, whose items may have brackets themselves.
std::vector<std::string_view> split_items(std::string_view text) {
  std::vector<std::string_view> items;
  int depth = 0;
  size_t begin = 1;
  for (size_t at = 0; at < text.size(); ++at) {
    char c = text[at];
    if (c == '[') depth++;
    if (c == ']') depth--;
    bool ends = (c == ',' && depth == 1) || (c == ']' && depth == 0);
    if (!ends || at <= begin) continue;
    items.push_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  return items;
}

uint64_t big_endian(const std::string &bytes) {
  uint64_t number = 0;
  for (char c : bytes) number = number << 8 | static_cast<uint8_t>(c);
  return number;
}

// Keeps text for as long as the message.
const std::string &keep(message_parts *parts, std::string text) {
  parts->texts.push_back(std::move(text));
  return parts->texts.back();
}

value make_value(message_parts *parts, const std::string &type_name,
                 const std::string &text);

value make_compound(message_parts *parts, uint8_t type, const std::string &text) {
  std::vector<value> made;
  for (std::string_view item : split_items(text)) {
    size_t colon = item.find(':');
    made.push_back(make_value(parts, std::string(item.substr(0, colon)),
                              std::string(item.substr(colon + 1))));
  }
  parts->items.push_back(std::move(made));
  value v = {};
  v.type = type;
  v.size = static_cast<uint32_t>(parts->items.back().size());
  v.as.items = parts->items.back().data();
  return v;
}

value make_float(const std::string &bytes) {
  auto bits = static_cast<uint32_t>(big_endian(bytes));
  float number;
  memcpy(&number, &bits, sizeof number);
  return rstream_amqp_float(number);
}

value make_double(const std::string &bytes) {
  uint64_t bits = big_endian(bytes);
  double number;
  memcpy(&number, &bits, sizeof number);
  return rstream_amqp_double(number);
}

value make_value(message_parts *parts, const std::string &type_name,
                 const std::string &text) {
  uint8_t type = type_of(type_name);
  uint64_t u = strtoull(text.c_str(), nullptr, 10);
  int64_t i = strtoll(text.c_str(), nullptr, 10);
  switch (type) {
  case RSTREAM_AMQP_BOOLEAN: return rstream_amqp_boolean(text == "true");
  case RSTREAM_AMQP_UBYTE: return rstream_amqp_ubyte(static_cast<uint8_t>(u));
  case RSTREAM_AMQP_USHORT: return rstream_amqp_ushort(static_cast<uint16_t>(u));
  case RSTREAM_AMQP_UINT: return rstream_amqp_uint(static_cast<uint32_t>(u));
  case RSTREAM_AMQP_ULONG: return rstream_amqp_ulong(u);
  case RSTREAM_AMQP_BYTE: return rstream_amqp_byte(static_cast<int8_t>(i));
  case RSTREAM_AMQP_SHORT: return rstream_amqp_short(static_cast<int16_t>(i));
  case RSTREAM_AMQP_INT: return rstream_amqp_int(static_cast<int32_t>(i));
  case RSTREAM_AMQP_LONG: return rstream_amqp_long(i);
  case RSTREAM_AMQP_FLOAT: return make_float(from_hex(text));
  case RSTREAM_AMQP_DOUBLE: return make_double(from_hex(text));
  case RSTREAM_AMQP_DECIMAL32: return rstream_amqp_decimal32(from_hex(text).data());
  case RSTREAM_AMQP_DECIMAL64: return rstream_amqp_decimal64(from_hex(text).data());
  case RSTREAM_AMQP_DECIMAL128: return rstream_amqp_decimal128(from_hex(text).data());
  case RSTREAM_AMQP_CHAR: return rstream_amqp_char(static_cast<uint32_t>(u));
  case RSTREAM_AMQP_TIMESTAMP: return rstream_amqp_timestamp(i);
  case RSTREAM_AMQP_UUID: return rstream_amqp_uuid(from_hex(text).data());
  case RSTREAM_AMQP_BINARY: {
    const std::string &bytes = keep(parts, from_hex(text));
    return rstream_amqp_binary(bytes.data(), bytes.size());
  }
  case RSTREAM_AMQP_STRING: {
    const std::string &kept = keep(parts, unquoted(text));
    return rstream_amqp_string_n(kept.data(), kept.size());
  }
  case RSTREAM_AMQP_SYMBOL: {
    const std::string &kept = keep(parts, unquoted(text));
    return rstream_amqp_symbol_n(kept.data(), kept.size());
  }
  case RSTREAM_AMQP_NULL: return rstream_amqp_null();
  default: return make_compound(parts, type, text);
  }
}

// KEY or TYPE:KEY, whose type is the section's usual one without it.
value make_key(message_parts *parts, const std::string &text, const char *usual) {
  size_t colon = text.find(':');
  if (colon == std::string::npos) return make_value(parts, usual, text);
  return make_value(parts, text.substr(0, colon), text.substr(colon + 1));
}

void fill_field(message_parts *parts, const field &f) {
  size_t slash = f.name.find('/');
  std::string section = f.name.substr(0, slash);
  std::string rest = slash == std::string::npos ? "" : f.name.substr(slash + 1);
  if (section == "body") {
    parts->body = from_hex(f.value);
    parts->sections.body_type = RSTREAM_AMQP_BODY_DATA;
    return;
  }
  value v = make_value(parts, f.type, f.value);
  auto pair = [&](const char *usual) {
    return rstream_amqp_pair{make_key(parts, rest, usual), v};
  };
  if (section == "header") {
    set_member(header_fields, &parts->header, rest, v);
    parts->sections.header = &parts->header;
  } else if (section == "property") {
    set_member(property_fields, &parts->properties, rest, v);
    parts->sections.properties = &parts->properties;
  } else if (section == "delivery-annotation") {
    parts->delivery_annotations.push_back(pair("symbol"));
  } else if (section == "annotation") {
    parts->annotations.push_back(pair("symbol"));
  } else if (section == "application") {
    parts->application.push_back(pair("string"));
  } else if (section == "footer") {
    parts->footer.push_back(pair("symbol"));
  } else if (section == "value" || section == "sequence") {
    parts->body_values.push_back(v);
    parts->sections.body_type =
        section == "value" ? RSTREAM_AMQP_BODY_VALUE : RSTREAM_AMQP_BODY_SEQUENCE;
  } else {
    fail("no such section", section.c_str());
  }
}

}  // namespace

void fill_parts(message_parts *parts, const manifest_line &line) {
  rstream_amqp_sections_init(&parts->sections);
  rstream_amqp_header_init(&parts->header);
  rstream_amqp_properties_init(&parts->properties);
  rstream_amqp_sections *sections = &parts->sections;
  sections->body_type = RSTREAM_AMQP_BODY_NONE;
  for (const field &f : line) fill_field(parts, f);
  sections->delivery_annotations = parts->delivery_annotations.data();
  sections->delivery_annotation_count = parts->delivery_annotations.size();
  sections->message_annotations = parts->annotations.data();
  sections->message_annotation_count = parts->annotations.size();
  sections->application_properties = parts->application.data();
  sections->application_property_count = parts->application.size();
  sections->footer = parts->footer.data();
  sections->footer_count = parts->footer.size();
  sections->body_values = parts->body_values.data();
  sections->body_value_count = parts->body_values.size();
}

}  // namespace interop
