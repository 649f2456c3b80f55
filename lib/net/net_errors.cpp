#include "net/net_errors.h"

#include <uv.h>

#include "rstream/error.h"

namespace rstream {

// Not uv_strerror(): that allocates, for good, when it does not know the number.
const char *net_error_text(int code) {
  switch (code) {
#define RSTREAM_CASE(name, text) \
  case UV_##name: return text;
    UV_ERRNO_MAP(RSTREAM_CASE)
#undef RSTREAM_CASE
  default: return nullptr;
  }
}

const char *net_error_name(int code) {
  switch (code) {
#define RSTREAM_CASE(name, text) \
  case UV_##name: return "UV_" #name;
    UV_ERRNO_MAP(RSTREAM_CASE)
#undef RSTREAM_CASE
  default: return nullptr;
  }
}

bool net_error_is_no_memory(int code) { return code == UV_ENOMEM || code == UV_ENOBUFS; }
int net_error_no_memory() { return UV_ENOMEM; }
bool net_error_is_about_peer(int code) {
  return code == RSTREAM_ETLS || code == RSTREAM_ECERT || code == RSTREAM_ECLIENTCERT;
}
int net_error_end() { return UV_EOF; }
int net_error_lost() { return UV_ECONNRESET; }

}  // namespace rstream
