#pragma once

// What was said between a client and a broker, as inputs of the fuzz targets.

#include <string>
#include <vector>

#include "fake/script.h"

namespace rstream::fuzz {

// Where the targets' folders are made.
extern std::string recordings;

[[noreturn]] void fail(const char *what);

fake::frame frame_of(const fake::byte_vector &whole);
void write_input(const std::string &target, const fake::byte_vector &bytes);
fake::byte_vector prefixed(uint8_t first, wire::bytes rest);
// For the targets of the decoders.
void keep_for_decoders(const fake::frame &fr);
// What a broker said, said to a client that is at work: to each kind of connection.
void keep_for_open_client(wire::bytes frame);
// The whole handshake, said to a client that nobody else answers.
void keep_handshake(const std::vector<fake::byte_vector> &frames);

}  // namespace rstream::fuzz
