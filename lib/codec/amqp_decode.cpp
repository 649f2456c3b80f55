#include "codec/amqp_decode.h"

#include "codec/amqp_value.h"

namespace rstream {

namespace {

using value = rstream_amqp_value;
using wire::bytes;
using wire::reader;

// ---- sections

struct section_name {
  std::string_view symbol;
  uint8_t code;
};

constexpr section_name section_names[] = {
    {"amqp:header:list", amqp_section::header},
    {"amqp:delivery-annotations:map", amqp_section::delivery_annotations},
    {"amqp:message-annotations:map", amqp_section::message_annotations},
    {"amqp:properties:list", amqp_section::properties},
    {"amqp:application-properties:map", amqp_section::application_properties},
    {"amqp:data:binary", amqp_section::data},
    {"amqp:amqp-sequence:list", amqp_section::sequence},
    {"amqp:amqp-value:*", amqp_section::value},
    {"amqp:footer:map", amqp_section::footer},
};

std::string_view text_of(const value &v) {
  return {static_cast<const char *>(v.as.bytes), v.size};
}

// 0 for what does not describe a section.
uint8_t section_code(const value &descriptor) {
  if (descriptor.type == RSTREAM_AMQP_ULONG) {
    bool known = descriptor.as.u >= amqp_section::header &&
                 descriptor.as.u <= amqp_section::footer;
    return known ? static_cast<uint8_t>(descriptor.as.u) : uint8_t{0};
  }
  if (descriptor.type != RSTREAM_AMQP_SYMBOL) return 0;
  for (const section_name &name : section_names) {
    if (name.symbol == text_of(descriptor)) return name.code;
  }
  return 0;
}

// A null instead of a list or a map stands for an empty one.
bool has_its_type(uint8_t code, const value &content) {
  switch (code) {
  case amqp_section::data: return content.type == RSTREAM_AMQP_BINARY;
  case amqp_section::sequence: return content.type == RSTREAM_AMQP_LIST;
  case amqp_section::value: return true;
  case amqp_section::header:
  case amqp_section::properties:
    return content.type == RSTREAM_AMQP_LIST || content.type == RSTREAM_AMQP_NULL;
  default: return content.type == RSTREAM_AMQP_MAP || content.type == RSTREAM_AMQP_NULL;
  }
}

// Nearly all descriptors are a ulong of one byte.
uint8_t read_descriptor(reader &r) {
  if (r.left() >= 2 && r.p[0] == amqp_code::ulong_1) {
    uint8_t code = r.p[1];
    r.p += 2;
    return code >= amqp_section::header && code <= amqp_section::footer ? code
                                                                        : uint8_t{0};
  }
  return section_code(amqp_read(r, 0));
}

void read_section(reader &r, amqp_section_view &s) {
  reader whole = r;
  if (r.u8() != amqp_code::described) {
    r.fail();
    return;
  }
  s.code = read_descriptor(r);
  if (s.code != 0) {
    s.value = amqp_read(r, 0);
    if (!has_its_type(s.code, s.value)) r.fail();
  } else {
    // As a whole, so that its descriptor can be read; an illegal descriptor has failed.
    s.value = r.failed ? value{} : amqp_read(whole, 0);
    r.failed |= whole.failed;
    r.p = whole.p;
  }
}

// ---- keys

enum class key_kind : uint8_t { none, text, number };

key_kind kind_of(const value &key) {
  switch (key.type) {
  case RSTREAM_AMQP_STRING:
  case RSTREAM_AMQP_SYMBOL: return key_kind::text;
  case RSTREAM_AMQP_UBYTE:
  case RSTREAM_AMQP_USHORT:
  case RSTREAM_AMQP_UINT:
  case RSTREAM_AMQP_ULONG: return key_kind::number;
  default: return key_kind::none;
  }
}

bool same_key(key_kind kind, const value &wanted, const value &key) {
  if (kind_of(key) != kind) return false;
  if (kind == key_kind::number) return key.as.u == wanted.as.u;
  return key.size == wanted.size &&
         (key.size == 0 || memcmp(key.as.bytes, wanted.as.bytes, key.size) == 0);
}

// ---- the body

struct body_scan {
  amqp_body body{.type = RSTREAM_AMQP_BODY_NONE};
  const uint8_t *begin = nullptr;  // of its sections
  const uint8_t *end = nullptr;
};

// False for what can't follow what there was.
bool scan_body_section(body_scan &scan, const amqp_section_view &s) {
  rstream_amqp_body_type was = scan.body.type;
  rstream_amqp_body_type is = RSTREAM_AMQP_BODY_VALUE;
  if (s.code == amqp_section::sequence) is = RSTREAM_AMQP_BODY_SEQUENCE;
  if (s.code == amqp_section::data) {
    is = was == RSTREAM_AMQP_BODY_NONE ? RSTREAM_AMQP_BODY_DATA
                                       : RSTREAM_AMQP_BODY_DATA_LIST;
    scan.body.content = {static_cast<const uint8_t *>(s.value.as.bytes), s.value.size};
    if (was == RSTREAM_AMQP_BODY_DATA) was = RSTREAM_AMQP_BODY_DATA_LIST;
  }
  if (!scan.begin) scan.begin = s.whole.data();
  scan.end = s.whole.data() + s.whole.size();
  scan.body.type = is;
  bool may_repeat = is != RSTREAM_AMQP_BODY_VALUE;
  return was == RSTREAM_AMQP_BODY_NONE || (may_repeat && was == is);
}

bool is_body(uint8_t code) {
  return code >= amqp_section::data && code <= amqp_section::value;
}

}  // namespace

void amqp_sections(rstream_amqp_iter &it, bytes message) {
  it = {};
  it.at = message.data();
  it.end = it.at + message.size();
}

int amqp_next_section(rstream_amqp_iter &it, amqp_section_view &s) {
  if (it.at == it.end) return it.left ? RSTREAM_ECODEC : 0;
  reader r{it.at, it.end};
  read_section(r, s);
  if (r.failed) {
    it.at = it.end;
    it.left = 1;  // the error stays
    return RSTREAM_ECODEC;
  }
  s.whole = {it.at, static_cast<size_t>(r.p - it.at)};
  it.at = r.p;
  return 1;
}

int amqp_find_section(bytes message, uint8_t code, value &content) {
  rstream_amqp_iter it;
  amqp_sections(it, message);
  amqp_section_view s;
  int rc;
  while ((rc = amqp_next_section(it, s)) == 1) {
    if (s.code != code) continue;
    content = s.value;
    return 1;
  }
  return rc;
}

int amqp_find_field(bytes message, uint8_t section, size_t n, value &v) {
  value list;
  int rc = amqp_find_section(message, section, list);
  if (rc != 1 || list.type == RSTREAM_AMQP_NULL) return rc == 1 ? 0 : rc;
  rstream_amqp_iter it;
  rc = amqp_items(it, list);
  if (rc < 0) return rc;
  for (size_t i = 0; i < n; i++) {
    rc = amqp_next_skipped(it);
    if (rc != 1) return rc;
  }
  value found;
  rc = amqp_next(it, found);
  if (rc != 1) return rc;
  if (found.type == RSTREAM_AMQP_NULL) return 0;
  v = found;
  return 1;
}

int amqp_find_key(const value &map, const value &key, value &v) {
  key_kind kind = kind_of(key);
  if (map.type != RSTREAM_AMQP_MAP || kind == key_kind::none) return RSTREAM_EINVAL;
  rstream_amqp_iter it;
  int rc = amqp_items(it, map);
  if (rc < 0) return rc;
  int found = 0;
  value name;
  value last{};
  while ((rc = amqp_next(it, name)) == 1) {
    if (same_key(kind, key, name)) {
      rc = amqp_next(it, last);
      found = 1;
    } else {
      rc = amqp_next_skipped(it);
    }
    if (rc != 1) break;
  }
  if (rc < 0) return rc;
  if (!found || last.type == RSTREAM_AMQP_NULL) return 0;
  v = last;
  return 1;
}

int amqp_find_entry(bytes message, uint8_t section, const value &key, value &v) {
  value map;
  int rc = amqp_find_section(message, section, map);
  if (rc != 1 || map.type == RSTREAM_AMQP_NULL) return rc == 1 ? 0 : rc;
  return amqp_find_key(map, key, v);
}

amqp_body amqp_body_slow(bytes message) {
  rstream_amqp_iter it;
  amqp_sections(it, message);
  amqp_section_view s;
  body_scan scan;
  int rc;
  while ((rc = amqp_next_section(it, s)) == 1) {
    if (!is_body(s.code) || scan_body_section(scan, s)) continue;
    rc = RSTREAM_ECODEC;
    break;
  }
  if (rc < 0) return {message, RSTREAM_AMQP_BODY_DATA, RSTREAM_ECODEC};
  if (scan.body.type != RSTREAM_AMQP_BODY_DATA) {
    scan.body.content = {scan.begin, static_cast<size_t>(scan.end - scan.begin)};
  }
  return scan.body;
}

int64_t amqp_copy_data(bytes message, std::span<uint8_t> out) {
  amqp_body body = amqp_body_of(message);
  if (body.status < 0) return body.status;
  rstream_amqp_iter it;
  amqp_sections(it, message);
  amqp_section_view s;
  size_t total = 0;
  while (amqp_next_section(it, s) == 1) {
    if (s.code != amqp_section::data) continue;
    size_t room = total < out.size() ? out.size() - total : 0;
    size_t n = s.value.size < room ? s.value.size : room;
    if (n > 0) memcpy(out.data() + total, s.value.as.bytes, n);
    total += s.value.size;
  }
  return static_cast<int64_t>(total);
}

bool amqp_message_is_sound(bytes message) {
  rstream_amqp_iter it;
  amqp_sections(it, message);
  amqp_section_view s;
  int rc;
  while ((rc = amqp_next_section(it, s)) == 1) {
    if (!amqp_is_sound(s.value, 0)) return false;
  }
  return rc == 0;
}

}  // namespace rstream
