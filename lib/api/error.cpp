#include "rstream/error.h"

#include "net/net_errors.h"

const char *rstream_error_text(int code) {
  switch (code) {
  case RSTREAM_OK: return "success";
#define RSTREAM_CASE(number, name, text, retry) \
  case number: return text;
    RSTREAM_ERROR_MAP(RSTREAM_CASE)
#undef RSTREAM_CASE
  default: break;
  }
  const char *text = rstream::net_error_text(code);
  return text ? text : "unknown error";
}

const char *rstream_error_name(int code) {
  switch (code) {
  case RSTREAM_OK: return "RSTREAM_OK";
#define RSTREAM_CASE(number, name, text, retry) \
  case number: return "RSTREAM_" #name;
    RSTREAM_ERROR_MAP(RSTREAM_CASE)
#undef RSTREAM_CASE
  default: break;
  }
  const char *name = rstream::net_error_name(code);
  return name ? name : "UNKNOWN";
}

int rstream_error_is_retriable(int code) {
  switch (code) {
#define RSTREAM_CASE(number, name, text, retry) \
  case number: return retry;
    RSTREAM_ERROR_MAP(RSTREAM_CASE)
#undef RSTREAM_CASE
  default: return code < 0 && code > -4096 ? RSTREAM_RETRY : RSTREAM_FINAL;
  }
}
