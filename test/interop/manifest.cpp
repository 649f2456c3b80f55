#include "manifest.h"

#include <cctype>
#include <cstdio>
#include <cstring>

namespace interop {

namespace {

// What stands before the first `separator`; `rest` becomes what stands behind it.
std::string_view cut(std::string_view *rest, char separator) {
  size_t at = rest->find(separator);
  std::string_view before = rest->substr(0, at);
  rest->remove_prefix(at == std::string_view::npos ? rest->size() : at + 1);
  return before;
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return (c | 0x20) - 'a' + 10;
}

char byte_of(const char *digits) {
  return static_cast<char>(digit_value(digits[0]) * 16 + digit_value(digits[1]));
}

void append_hex(std::string *out, uint8_t byte) {
  static constexpr char digits[] = "0123456789abcdef";
  out->push_back(digits[byte >> 4]);
  out->push_back(digits[byte & 15]);
}

}  // namespace

manifest_line parse_line(std::string_view line) {
  manifest_line fields;
  while (!line.empty()) {
    std::string_view rest = cut(&line, ' ');
    std::string_view name = cut(&rest, '=');
    std::string_view type = cut(&rest, ':');
    fields.push_back({std::string(name), std::string(type), std::string(rest)});
  }
  return fields;
}

bool read_line(std::string *line) {
  line->clear();
  for (int c = getchar(); c != EOF; c = getchar()) {
    if (c == '\n') return true;
    line->push_back(static_cast<char>(c));
  }
  return !line->empty();
}

std::string from_hex(std::string_view digits) {
  std::string bytes;
  bytes.reserve(digits.size() / 2);
  for (size_t at = 0; at + 1 < digits.size(); at += 2) {
    bytes.push_back(byte_of(digits.data() + at));
  }
  return bytes;
}

std::string to_hex(const void *bytes, size_t size) {
  std::string out;
  out.reserve(size * 2);
  for (size_t at = 0; at < size; ++at) {
    append_hex(&out, static_cast<const uint8_t *>(bytes)[at]);
  }
  return out;
}

std::string unquoted(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    bool escape = text[at] == '%' && at + 2 < text.size();
    out.push_back(escape ? byte_of(text.data() + at + 1) : text[at]);
    if (escape) at += 2;
  }
  return out;
}

std::string quoted(std::string_view text) {
  std::string out;
  for (char c : text) {
    auto byte = static_cast<uint8_t>(c);
    if (isalnum(byte) || (c != '\0' && strchr("_.-~", c))) {
      out.push_back(c);
    } else {
      out.push_back('%');
      append_hex(&out, byte);
    }
  }
  return out;
}

}  // namespace interop
