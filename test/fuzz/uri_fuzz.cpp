// URIs: whatever the text, the parts are inside the storage and nothing leaks.
#include <cstring>
#include <string>

#include "client/uri.h"
#include "fuzz.h"
#include "rstream/error.h"

using namespace rstream;

static void check_part(const uri &u, const char *part, size_t text_bytes) {
  if (!part) return;
  if (part < u.storage || part + strlen(part) > u.storage + text_bytes) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  text.resize(strlen(text.c_str()));
  memory mem{memory_functions_default()};
  uri u;
  const char *reason = nullptr;
  int rc = uri_parse(mem, text.c_str(), u, &reason);
  if (rc < 0 && (rc != RSTREAM_EURI || !reason)) abort();
  if (rc == 0) {
    check_part(u, u.username, text.size());
    check_part(u, u.password, text.size());
    check_part(u, u.host, text.size());
    check_part(u, u.vhost, text.size());
    memory_release(mem, u.storage);
  }
  if (mem.bytes_held != 0) abort();
  return 0;
}
