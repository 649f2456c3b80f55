#include <cstdio>
#include <cstring>

#include "amqp_fields.h"
#include "session.h"

namespace interop {

namespace {

// The bytes of a number in the order they go over the wire.
template <typename Number>
std::string big_endian_hex(Number number) {
  uint8_t bytes[sizeof number];
  memcpy(bytes, &number, sizeof number);
  for (size_t at = 0; at < sizeof bytes / 2; ++at) {
    std::swap(bytes[at], bytes[sizeof bytes - 1 - at]);
  }
  return to_hex(bytes, sizeof bytes);
}

std::string format_items(const rstream_amqp_value &value) {
  std::string out = "[";
  rstream_amqp_iter it;
  rstream_amqp_value item;
  check(rstream_amqp_items(&it, &value), "reading a compound");
  int rc;
  while ((rc = rstream_amqp_next(&it, &item)) == 1) {
    if (out.size() > 1) out += ',';
    out += format_value(item);
  }
  check(rc, "reading an item");
  return out + "]";
}

std::string value_text(const rstream_amqp_value &value) {
  const auto *text = static_cast<const char *>(value.as.bytes);
  switch (value.type) {
  case RSTREAM_AMQP_NULL: return "";
  case RSTREAM_AMQP_BOOLEAN: return value.as.u ? "true" : "false";
  case RSTREAM_AMQP_UBYTE:
  case RSTREAM_AMQP_USHORT:
  case RSTREAM_AMQP_UINT:
  case RSTREAM_AMQP_ULONG:
  case RSTREAM_AMQP_CHAR: return std::to_string(value.as.u);
  case RSTREAM_AMQP_BYTE:
  case RSTREAM_AMQP_SHORT:
  case RSTREAM_AMQP_INT:
  case RSTREAM_AMQP_LONG:
  case RSTREAM_AMQP_TIMESTAMP: return std::to_string(value.as.i);
  case RSTREAM_AMQP_FLOAT: return big_endian_hex(value.as.f);
  case RSTREAM_AMQP_DOUBLE: return big_endian_hex(value.as.d);
  case RSTREAM_AMQP_DECIMAL32: return to_hex(value.as.raw, 4);
  case RSTREAM_AMQP_DECIMAL64: return to_hex(value.as.raw, 8);
  case RSTREAM_AMQP_DECIMAL128:
  case RSTREAM_AMQP_UUID: return to_hex(value.as.raw, 16);
  case RSTREAM_AMQP_BINARY: return to_hex(text, value.size);
  case RSTREAM_AMQP_STRING:
  case RSTREAM_AMQP_SYMBOL: return quoted({text, value.size});
  default: return format_items(value);
  }
}

// Fields of the sections that are lists, in their order.
constexpr const char *header_names[] = {"durable", "priority", "ttl", "first-acquirer",
                                        "delivery-count"};
constexpr const char *property_names[] = {
    "message-id",        "user-id",          "to",
    "subject",           "reply-to",         "correlation-id",
    "content-type",      "content-encoding", "absolute-expiry-time",
    "creation-time",     "group-id",         "group-sequence",
    "reply-to-group-id",
};

struct formatter {
  const void *encoded;
  size_t size;
  std::string fields;
  bool has_data;
  std::string data;
};

void add(formatter *self, const std::string &name, const std::string &value) {
  if (!self->fields.empty()) self->fields += ' ';
  self->fields += name + '=' + value;
}

// What a walk finds, looking for it alone has to find, too.
void expect_same(int found, const rstream_amqp_value &by_name, const std::string &walked,
                 const std::string &name) {
  if (found != 1 || format_value(by_name) != walked) {
    fail(name.c_str(), "is not the same when it alone is looked for");
  }
}

void add_header(formatter *self, const rstream_amqp_value &list) {
  rstream_amqp_iter it;
  rstream_amqp_value item, again;
  check(rstream_amqp_items(&it, &list), "reading the header");
  for (int at = 0; rstream_amqp_next(&it, &item) == 1; ++at) {
    if (item.type == RSTREAM_AMQP_NULL) continue;
    std::string name = std::string("header/") + header_names[at];
    std::string value = format_value(item);
    auto which = static_cast<rstream_amqp_header_field>(at);
    int found = rstream_amqp_find_header_field(self->encoded, self->size, which, &again);
    expect_same(found, again, value, name);
    add(self, name, value);
  }
}

void add_properties(formatter *self, const rstream_amqp_value &list) {
  rstream_amqp_iter it;
  rstream_amqp_value item, again;
  check(rstream_amqp_items(&it, &list), "reading the properties");
  for (int at = 0; rstream_amqp_next(&it, &item) == 1; ++at) {
    if (item.type == RSTREAM_AMQP_NULL) continue;
    std::string name = std::string("property/") + property_names[at];
    std::string value = format_value(item);
    auto which = static_cast<rstream_amqp_property>(at);
    int found = rstream_amqp_find_property(self->encoded, self->size, which, &again);
    expect_same(found, again, value, name);
    add(self, name, value);
  }
}

using find_function = int (*)(const void *, size_t, const char *, rstream_amqp_value *);

// KEY, or TYPE:KEY when the key's type is not the section's usual one.
void add_map(formatter *self, const char *section, uint8_t usual,
             const rstream_amqp_value &map, find_function find) {
  rstream_amqp_iter it;
  rstream_amqp_value key, value, again;
  check(rstream_amqp_items(&it, &map), "reading a map");
  while (rstream_amqp_next(&it, &key) == 1) {
    if (rstream_amqp_next(&it, &value) != 1) fail(section, "a key without a value");
    std::string name = std::string(section) + '/';
    name += key.type == usual ? value_text(key) : format_value(key);
    std::string text = format_value(value);
    if (find && key.type == usual && value.type != RSTREAM_AMQP_NULL) {
      std::string wanted(static_cast<const char *>(key.as.bytes), key.size);
      int found = find(self->encoded, self->size, wanted.c_str(), &again);
      expect_same(found, again, text, name);
    }
    add(self, name, text);
  }
}

void add_section(formatter *self, rstream_amqp_section which,
                 const rstream_amqp_value &content) {
  switch (which) {
  case RSTREAM_AMQP_SECTION_HEADER: return add_header(self, content);
  case RSTREAM_AMQP_SECTION_DELIVERY_ANNOTATIONS:
    return add_map(self, "delivery-annotation", RSTREAM_AMQP_SYMBOL, content, nullptr);
  case RSTREAM_AMQP_SECTION_MESSAGE_ANNOTATIONS:
    return add_map(self, "annotation", RSTREAM_AMQP_SYMBOL, content,
                   rstream_amqp_find_message_annotation);
  case RSTREAM_AMQP_SECTION_PROPERTIES: return add_properties(self, content);
  case RSTREAM_AMQP_SECTION_APPLICATION_PROPERTIES:
    return add_map(self, "application", RSTREAM_AMQP_STRING, content,
                   rstream_amqp_find_application_property);
  case RSTREAM_AMQP_SECTION_DATA:
    self->has_data = true;
    self->data += to_hex(content.as.bytes, content.size);
    return;
  case RSTREAM_AMQP_SECTION_SEQUENCE: return add(self, "sequence", format_value(content));
  case RSTREAM_AMQP_SECTION_VALUE: return add(self, "value", format_value(content));
  case RSTREAM_AMQP_SECTION_FOOTER:
    return add_map(self, "footer", RSTREAM_AMQP_SYMBOL, content, nullptr);
  default: fail("section", "of no AMQP 1.0");
  }
}

}  // namespace

std::string format_value(const rstream_amqp_value &value) {
  return std::string(rstream_amqp_type_name(value.type)) + ":" + value_text(value);
}

std::string format_message(const void *encoded, size_t size) {
  check(rstream_amqp_validate(encoded, size), "validating a message");
  formatter self = {encoded, size, "", false, ""};
  rstream_amqp_iter it;
  rstream_amqp_section which;
  rstream_amqp_value content;
  check(rstream_amqp_sections_of(&it, encoded, size), "reading a message");
  int rc;
  while ((rc = rstream_amqp_next_section(&it, &which, &content)) == 1) {
    add_section(&self, which, content);
  }
  check(rc, "reading a section");
  if (self.has_data) add(&self, "body", "data:" + self.data);
  return self.fields;
}

}  // namespace interop
