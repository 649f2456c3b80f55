#pragma once

// Between the files of requests that the application makes through the locator.

#include "client/env.h"
#include "rstream/stream.h"

namespace rstream {

using request_done = void (*)(locator_op *op, int status, wire::bytes body,
                              const char *text);

// The application's callback travels as a bare function pointer; the on_done that belongs
// to the request knows its type.
template <class Callback>
Callback request_callback(const locator_op *op) {
  return reinterpret_cast<Callback>(op->callback);
}

template <class X, class Callback>
[[nodiscard]] int request_submit(env *e, wire::key key, const X &x, request_done on_done,
                                 Callback callback, void *user) {
  locator_op *op = locator_prepare(e, key, x);
  if (!op) return env_error(e, RSTREAM_ENOMEM, "no memory for a request");
  op->on_done = on_done;
  op->callback = reinterpret_cast<void (*)()>(callback);
  op->user = user;
  int rc = locator_submit(op);
  if (rc < 0) return env_error(e, rc, "can't ask the broker: %s", rstream_error_text(rc));
  return 0;
}

template <class X>
[[nodiscard]] bool request_decode(wire::bytes body, X &x) {
  wire::reader r = wire::reader_of(body);
  return decode(r, x);
}

// For requests that are answered by a code alone; the callback may be nullptr.
void request_on_result(locator_op *op, int status, wire::bytes body, const char *text);

// The arguments of Create and CreateSuperStream.
struct create_arguments {
  static constexpr size_t digits_bytes = 24;
  wire::property list[6];
  size_t count = 0;
  char digits[4][digits_bytes];
  size_t numbers = 0;
};
void create_arguments_of(create_arguments &arguments, const rstream_stream_options &o);

}  // namespace rstream
