// The system's resolver, as a test wants it: in place of getaddrinfo() for the names that
// it was told about. Names end up with addresses of both kinds, fail, or take as long as
// the test likes. libuv calls it on threads of its own.
#pragma once

#include <netdb.h>

#include <string>
#include <vector>

namespace rstream::test {

struct named_places {
  int status = 0;                    // of getaddrinfo(): EAI_AGAIN ...
  std::vector<std::string> at = {};  // addresses in figures, in this order; may be none
  bool held = false;                 // no answer before names_release()
};

void names_set(const std::string &name, named_places places);
// How often a name was asked for.
size_t names_asked(const std::string &name);
// Blocks until a thread waits for names_release(). Whether one does.
void names_wait_until_held(const std::string &name);
bool names_held(const std::string &name);
void names_release(const std::string &name);
// Lets all go, and knows no name any more.
void names_clear();

}  // namespace rstream::test
