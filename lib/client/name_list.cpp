#include "client/name_list.h"

#include <cstring>

namespace rstream {

bool name_list_copy(name_list &to, memory &mem, const wire::seq<std::string_view> &from) {
  size_t bytes = 0;
  std::string_view name;
  for (wire::seq_iter<std::string_view> it(from); it.next(name);)
    bytes += sizeof(char *) + name.size() + 1;
  to = {};
  if (bytes == 0) return true;
  to.names = static_cast<char **>(memory_allocate(mem, bytes));
  if (!to.names) return false;
  char *text = reinterpret_cast<char *>(to.names + from.size());
  for (wire::seq_iter<std::string_view> it(from); it.next(name);) {
    to.names[to.count++] = text;
    if (!name.empty()) memcpy(text, name.data(), name.size());
    text += name.size();
    *text++ = 0;
  }
  return true;
}

void name_list_release(name_list &names, memory &mem) {
  memory_release(mem, names.names);
  names = {};
}

}  // namespace rstream
