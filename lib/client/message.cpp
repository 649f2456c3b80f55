#include "client/message.h"

#include <cstring>

namespace rstream {

bool message_read(message_storage &s, const void *from, size_t size) {
  if (size < sizeof(size_t)) return false;
  s.m = {};
  memcpy(&s.m, from, size < sizeof s.m ? size : sizeof s.m);
  const rstream_amqp_sections *given = s.m.amqp;
  if (!given || given->struct_size == sizeof *given) return true;
  if (given->struct_size < sizeof(size_t)) return false;
  s.sections = {};
  memcpy(&s.sections, given,
         given->struct_size < sizeof s.sections ? given->struct_size : sizeof s.sections);
  s.m.amqp = &s.sections;
  return true;
}

}  // namespace rstream
