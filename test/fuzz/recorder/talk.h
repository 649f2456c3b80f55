#pragma once

// A connection to a real broker that keeps what is said on it, both ways.

#include "recorder/inputs.h"

namespace rstream::fuzz {

struct talk {
  int fd = -1;
  uint32_t correlation_id = 0;
  fake::byte_vector in;
  fake::byte_vector all;                   // frames received, back to back
  std::vector<fake::byte_vector> answers;  // frames received
};

void dial(talk &t, const std::string &host, const std::string &port);
void hang_up(talk &t);
void send_frame(talk &t, const fake::byte_vector &frame);
// Hears everything until a frame with this key has come.
fake::byte_vector await(talk &t, uint16_t frame_key);

template <class X>
void say(talk &t, X x) {
  if constexpr (requires { x.correlation_id; }) x.correlation_id = ++t.correlation_id;
  send_frame(t, fake::frame_of(x));
}

// Returns the code of the answer.
template <class X>
uint16_t ask(talk &t, wire::key k, X x) {
  say(t, x);
  fake::byte_vector frame = await(t, wire::response_key(k));
  // Metadata has no code; whatever is there then is not looked at.
  return frame.size() >= 14 ? wire::load_u16be(&frame[12]) : uint16_t{0};
}

}  // namespace rstream::fuzz
