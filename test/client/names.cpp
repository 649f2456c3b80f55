#include "names.h"

#include <dlfcn.h>

#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>

namespace rstream::test {

namespace {

struct known_name {
  named_places places;
  size_t asked = 0;
  size_t held = 0;
};

std::mutex lock;
std::condition_variable changed;
std::map<std::string, known_name> known;

using resolver = int (*)(const char *, const char *, const addrinfo *, addrinfo **);

resolver of_system() {
  static auto found = reinterpret_cast<resolver>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return found;
}

// A chain, which freeaddrinfo() takes apart link by link.
int chain_of(const std::vector<std::string> &figures, const char *service,
             const addrinfo *hints, addrinfo **result) {
  *result = nullptr;
  addrinfo **end = result;
  for (const std::string &one : figures) {
    addrinfo numeric = hints ? *hints : addrinfo{};
    numeric.ai_flags |= AI_NUMERICHOST;
    int rc = of_system()(one.c_str(), service, &numeric, end);
    if (rc) return rc;
    end = &(*end)->ai_next;
  }
  return 0;
}

}  // namespace

void names_set(const std::string &name, named_places places) {
  std::lock_guard guard(lock);
  known[name].places = std::move(places);
  changed.notify_all();
}

size_t names_asked(const std::string &name) {
  std::lock_guard guard(lock);
  return known[name].asked;
}

void names_wait_until_held(const std::string &name) {
  std::unique_lock guard(lock);
  changed.wait(guard, [&] { return known[name].held > 0; });
}

bool names_held(const std::string &name) {
  std::lock_guard guard(lock);
  return known[name].held > 0;
}

void names_release(const std::string &name) {
  std::lock_guard guard(lock);
  known[name].places.held = false;
  changed.notify_all();
}

void names_clear() {
  std::unique_lock guard(lock);
  for (auto &[name, one] : known) one.places.held = false;
  changed.notify_all();
  changed.wait(guard, [] {
    for (auto &[name, one] : known) {
      if (one.held) return false;
    }
    return true;
  });
  known.clear();
}

}  // namespace rstream::test

using namespace rstream::test;

// Found before the system's own, by libuv as well.
extern "C" [[gnu::visibility("default")]] int getaddrinfo(const char *name,
                                                          const char *service,
                                                          const addrinfo *hints,
                                                          addrinfo **result) {
  std::unique_lock guard(lock);
  auto it = name ? known.find(name) : known.end();
  if (it == known.end()) {
    guard.unlock();
    return of_system()(name, service, hints, result);
  }
  known_name &one = it->second;
  one.asked++;
  one.held++;
  changed.notify_all();
  changed.wait(guard, [&] { return !one.places.held; });
  one.held--;
  changed.notify_all();
  named_places places = one.places;
  guard.unlock();
  return places.status ? places.status : chain_of(places.at, service, hints, result);
}
