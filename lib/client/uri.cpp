#include "client/uri.h"

#include <cstring>

#include "rstream/error.h"

namespace rstream {

namespace {

constexpr const char plain_scheme[] = "rabbitmq-stream://";
constexpr const char tls_scheme[] = "rabbitmq-stream+tls://";

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Decodes %XX in place. A NUL, coded or not, has no place in a name.
bool percent_decode(char *text) {
  char *to = text;
  for (const char *from = text; *from; from++) {
    char c = *from;
    if (c == '%') {
      int high = hex_digit(from[1]);
      int low = high < 0 ? -1 : hex_digit(from[2]);
      if (low < 0) return false;
      c = static_cast<char>(high << 4 | low);
      if (c == 0) return false;
      from += 2;
    }
    *to++ = c;
  }
  *to = 0;
  return true;
}

bool parse_port(const char *text, uint16_t &port) {
  uint32_t value = 0;
  if (!*text) return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return false;
    value = value * 10 + static_cast<uint32_t>(*text - '0');
    if (value > UINT16_MAX) return false;
  }
  port = static_cast<uint16_t>(value);
  return value > 0;
}

const char *parse_credentials(char *text, uri &parsed) {
  char *colon = strchr(text, ':');
  if (colon) {
    *colon = 0;
    if (!percent_decode(colon + 1)) return "bad percent-encoding in the password";
    parsed.password = colon + 1;
  }
  if (!percent_decode(text)) return "bad percent-encoding in the user name";
  if (!*text) return "the user name is empty";
  parsed.username = text;
  return nullptr;
}

const char *parse_host_and_port(char *text, uri &parsed) {
  char *port = nullptr;
  if (*text == '[') {  // an IPv6 address
    char *close = strchr(text, ']');
    if (!close) return "the IPv6 address lacks its closing bracket";
    *close = 0;
    text++;
    if (close[1] == ':') {
      port = close + 2;
    } else if (close[1]) {
      return "unexpected text behind the IPv6 address";
    }
  } else if ((port = strchr(text, ':'))) {
    *port++ = 0;
  }
  if (port && !parse_port(port, parsed.port))
    return "the port is not a number from 1 to 65535";
  if (!percent_decode(text)) return "bad percent-encoding in the host";
  if (*text) parsed.host = text;
  return nullptr;
}

const char *parse_authority(char *text, uri &parsed) {
  // The last @, for passwords that were not encoded as they should be.
  if (char *at = strrchr(text, '@')) {
    *at = 0;
    if (const char *reason = parse_credentials(text, parsed)) return reason;
    text = at + 1;
  }
  return parse_host_and_port(text, parsed);
}

const char *parse(char *text, uri &parsed) {
  if (strncmp(text, plain_scheme, sizeof plain_scheme - 1) == 0) {
    text += sizeof plain_scheme - 1;
  } else if (strncmp(text, tls_scheme, sizeof tls_scheme - 1) == 0) {
    text += sizeof tls_scheme - 1;
    parsed.tls = true;
  } else {
    return "it does not begin with rabbitmq-stream:// or rabbitmq-stream+tls://";
  }
  if (strpbrk(text, "?#")) return "a query or fragment has no meaning here";
  if (char *slash = strchr(text, '/')) {
    *slash = 0;
    if (strchr(slash + 1, '/')) return "a / in the virtual host must be written %2f";
    if (!percent_decode(slash + 1)) return "bad percent-encoding in the virtual host";
    if (slash[1]) parsed.vhost = slash + 1;
  }
  return parse_authority(text, parsed);
}

}  // namespace

int uri_parse(memory &mem, const char *text, uri &parsed, const char **reason) {
  parsed = uri();
  parsed.storage = memory_copy_text(mem, text);
  *reason = "out of memory";
  if (!parsed.storage) return RSTREAM_ENOMEM;
  *reason = parse(parsed.storage, parsed);
  if (!*reason) return 0;
  memory_release(mem, parsed.storage);
  parsed = uri();
  return RSTREAM_EURI;
}

}  // namespace rstream
