#include "recorder/talk.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using rstream::fake::byte_vector;

namespace rstream::fuzz {

namespace {

// The broker tells the name of the machine it runs on: nobody's business, and another one
// with each recording.
void hide_machine(byte_vector &frame) {
  char name[256] = {'@'};
  if (gethostname(name + 1, sizeof name - 2) != 0) return;
  auto at = frame.begin();
  auto end = name + strlen(name);
  while ((at = std::search(at, frame.end(), name, end)) != frame.end()) {
    at = std::fill_n(at + 1, end - name - 1, 'x');
  }
}

// False when nothing came in time, or the end.
bool hear(talk &t, int timeout_ms, byte_vector &frame) {
  for (;;) {
    if (t.in.size() >= 4 && t.in.size() >= 4 + wire::load_u32be(t.in.data())) {
      size_t size = 4 + wire::load_u32be(t.in.data());
      frame.assign(t.in.begin(), t.in.begin() + static_cast<ptrdiff_t>(size));
      t.in.erase(t.in.begin(), t.in.begin() + static_cast<ptrdiff_t>(size));
      hide_machine(frame);
      t.all.insert(t.all.end(), frame.begin(), frame.end());
      keep_for_decoders(frame_of(frame));
      keep_for_open_client(frame);
      t.answers.push_back(frame);
      return true;
    }
    pollfd p = {t.fd, POLLIN, 0};
    if (poll(&p, 1, timeout_ms) <= 0) return false;
    uint8_t space[65536];
    ssize_t n = read(t.fd, space, sizeof space);
    if (n <= 0) return false;
    t.in.insert(t.in.end(), space, space + n);
  }
}

}  // namespace

void dial(talk &t, const std::string &host, const std::string &port) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0)
    fail("can't resolve the broker's name");
  for (addrinfo *a = found; a && t.fd < 0; a = a->ai_next) {
    int fd = socket(a->ai_family, a->ai_socktype, 0);
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
      t.fd = fd;
    } else {
      close(fd);
    }
  }
  freeaddrinfo(found);
  if (t.fd < 0) fail("can't connect to the broker");
}

void hang_up(talk &t) {
  close(t.fd);
  // Cut in different ways: the first byte is the size of the reads.
  if (t.all.size() > 3000) t.all.resize(3000);
  for (uint8_t step : {0, 6, 99}) write_input("frame_reader", prefixed(step, t.all));
}

void send_frame(talk &t, const byte_vector &frame) {
  keep_for_decoders(frame_of(frame));
  if (write(t.fd, frame.data(), frame.size()) != static_cast<ssize_t>(frame.size()))
    fail("can't write to the broker");
}

byte_vector await(talk &t, uint16_t frame_key) {
  byte_vector frame;
  do {
    if (!hear(t, 10000, frame)) {
      fprintf(stderr, "recorder: no %s came\n", wire::command_name(frame_key));
      exit(1);
    }
  } while (wire::load_u16be(&frame[4]) != frame_key);
  return frame;
}

}  // namespace rstream::fuzz
