#pragma once

// The lines of a manifest, which manifest.py describes: NAME=TYPE:VALUE NAME=TYPE:VALUE
// ...

#include <string>
#include <string_view>
#include <vector>

namespace interop {

struct field {
  std::string name;
  std::string type;
  std::string value;  // as it stands in the line
};

using manifest_line = std::vector<field>;

manifest_line parse_line(std::string_view line);

// The next line of standard input, without its end; false at the end.
bool read_line(std::string *line);

// Bytes and their hexadecimal digits.
std::string from_hex(std::string_view digits);
std::string to_hex(const void *bytes, size_t size);

// Text with %XX for everything but letters, digits and _ . - ~
std::string unquoted(std::string_view text);
std::string quoted(std::string_view text);

}  // namespace interop
