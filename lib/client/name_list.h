#pragma once

// Names as applications see them: NUL-terminated, in one block with the pointers to them.

#include "util/memory.h"
#include "wire/cursor.h"

namespace rstream {

struct name_list {
  char **names = nullptr;  // the block; nullptr: none
  uint32_t count = 0;
};

// False when out of memory. An empty sequence gives an empty list, which is no failure.
[[nodiscard]] bool name_list_copy(name_list &to, memory &mem,
                                  const wire::seq<std::string_view> &from);
void name_list_release(name_list &names, memory &mem);

}  // namespace rstream
