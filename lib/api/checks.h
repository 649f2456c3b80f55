#pragma once

// Checks of arguments that several functions share. Each returns 0, or refuses with a
// code and words in the environment's error text.

#include <cstdint>
#include <cstring>

#include "client/env.h"
#include "rstream/stream.h"

namespace rstream {

constexpr size_t max_name_bytes = 255;

// 1 to 255 bytes.
[[nodiscard]] int check_name(env *e, const char *what, const char *name);
// The same, or NULL.
[[nodiscard]] int check_optional_name(env *e, const char *what, const char *name);
[[nodiscard]] int check_range(env *e, const char *what, uint64_t value, uint64_t low,
                              uint64_t high);
// RSTREAM_EINVAL for what is none, RSTREAM_ENOTSUP for what is not built in.
[[nodiscard]] int check_compression(env *e, const rstream_compression &compression);
// Of a sub-entry that the application makes: of how many messages, and how.
constexpr uint32_t most_sub_entry_messages = UINT16_MAX;
[[nodiscard]] int check_sub_entry(env *e, size_t count,
                                  const rstream_compression &compression);
// Arguments of a new stream.
[[nodiscard]] int check_stream_options(env *e, const rstream_stream_options &o);
[[nodiscard]] int check_recovery(env *e, const rstream_recovery &recovery);
// RSTREAM_ECLOSED once the environment is closing.
[[nodiscard]] int check_open(env *e);

// What an application's enum holds, which need not be one of its values: in C it may be
// any number, which C++ does not allow to be looked at as the enum.
template <class T>
uint32_t number_of(const T &value) {
  static_assert(sizeof(T) == sizeof(uint32_t));
  uint32_t number;
  memcpy(&number, &value, sizeof number);
  return number;
}

template <class T>
void default_to(T &option, T value) {
  if (option == T{}) option = value;
}

}  // namespace rstream
