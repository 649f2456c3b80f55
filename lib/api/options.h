#pragma once

// Sized structs: a caller compiled against an older header has a shorter one, against a
// newer header a longer one. Only what both know is read and written.

#include <cstddef>
#include <cstring>

namespace rstream {

// Copies what the caller's struct has; the rest of `to` stays as it was set.
template <class T>
[[nodiscard]] bool sized_read(T &to, const T *from) {
  if (!from || from->struct_size < sizeof(size_t)) return false;
  size_t bytes = from->struct_size < sizeof(T) ? from->struct_size : sizeof(T);
  memcpy(&to, from, bytes);
  to.struct_size = sizeof(T);
  return true;
}

// Fills the caller's struct as far as it reaches, and sets its struct_size to what was
// filled.
template <class T>
[[nodiscard]] bool sized_write(T *to, T &from) {
  if (!to || to->struct_size < sizeof(size_t)) return false;
  size_t bytes = to->struct_size < sizeof(T) ? to->struct_size : sizeof(T);
  from.struct_size = bytes;
  memcpy(to, &from, bytes);
  return true;
}

// What an init macro does: all zero, with the caller's size.
template <class T>
void sized_init(T *options, size_t size) {
  memset(static_cast<void *>(options), 0, size);
  options->struct_size = size;
}

}  // namespace rstream
