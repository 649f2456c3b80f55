#include "recorder/inputs.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "connection/session.h"

using rstream::fake::byte_vector;

namespace rstream::fuzz {

std::string recordings;

namespace {

using wire::key;

// Which decoder, by its place in the target's list, takes a command, and its response.
struct place {
  wire::key key;
  const char *target;
  int command;
  int response;  // -1: none; -2: a code alone
};

constexpr int code_alone = -2;
constexpr place places[] = {
    {key::peer_properties, "wire_handshake", 9, 0},
    {key::sasl_handshake, "wire_handshake", 10, 1},
    {key::sasl_authenticate, "wire_handshake", 11, 2},
    {key::tune, "wire_handshake", 3, 12},
    {key::open, "wire_handshake", 13, 4},
    {key::exchange_command_versions, "wire_handshake", 14, 5},
    {key::close, "wire_handshake", 6, 7},
    {key::heartbeat, "wire_handshake", 8, -1},
    {key::publish_confirm, "wire_publish", 0, -1},
    {key::publish_error, "wire_publish", 1, -1},
    {key::query_publisher_sequence, "wire_publish", 5, 2},
    {key::declare_publisher, "wire_publish", 3, code_alone},
    {key::delete_publisher, "wire_publish", 4, code_alone},
    {key::publish, "wire_publish", 6, -1},  // version 2: the next
    {key::deliver, "wire_consume", 0, -1},  // likewise
    {key::credit, "wire_consume", 7, 2},
    {key::query_offset, "wire_consume", 10, 3},
    {key::consumer_update, "wire_consume", 4, 11},
    {key::resolve_offset_spec, "wire_consume", 12, 5},
    {key::subscribe, "wire_consume", 6, code_alone},
    {key::unsubscribe, "wire_consume", 8, code_alone},
    {key::store_offset, "wire_consume", 9, -1},
    {key::metadata, "wire_topology", 9, 0},
    {key::metadata_update, "wire_topology", 1, -1},
    {key::route, "wire_topology", 10, 2},
    {key::partitions, "wire_topology", 11, 3},
    {key::stream_stats, "wire_topology", 12, 4},
    {key::create, "wire_topology", 5, code_alone},
    {key::delete_stream, "wire_topology", 6, code_alone},
    {key::create_super_stream, "wire_topology", 7, code_alone},
    {key::delete_super_stream, "wire_topology", 8, code_alone},
};

// ---- operations of the connection's target

void add(byte_vector &to, std::initializer_list<int> values) {
  for (int v : values) to.push_back(static_cast<uint8_t>(v));
}

void add_said(byte_vector &to, uint8_t peer, wire::bytes bytes) {
  while (!bytes.empty()) {
    size_t n = std::min<size_t>(bytes.size(), 255);
    add(to, {static_cast<int>(op::say_bytes), peer, static_cast<int>(n)});
    to.insert(to.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));
    bytes = bytes.subspan(n);
  }
}

void add_wait(byte_vector &to, int code) {
  add(to, {static_cast<int>(op::advance), code});
}

}  // namespace

void fail(const char *what) {
  fprintf(stderr, "recorder: %s\n", what);
  exit(1);
}

fake::frame frame_of(const byte_vector &whole) {
  return {wire::load_u16be(&whole[4]), wire::load_u16be(&whole[6]),
          wire::bytes(whole).subspan(8), whole};
}

void write_input(const std::string &target, const byte_vector &bytes) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a: equal inputs are one file
  for (uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
  std::filesystem::create_directories(recordings + "/" + target);
  std::ofstream file(recordings + "/" + target + "/" + std::to_string(hash),
                     std::ios::binary);
  file.write(reinterpret_cast<const char *>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file) fail("can't write");
}

byte_vector prefixed(uint8_t first, wire::bytes rest) {
  byte_vector all = {first};
  all.insert(all.end(), rest.begin(), rest.end());
  return all;
}

void keep_for_decoders(const fake::frame &fr) {
  write_input("wire_command", prefixed(0, fr.whole.subspan(4)));
  for (const place &p : places) {
    if (wire::raw(p.key) != wire::without_response_bit(fr.key)) continue;
    if (wire::is_response(fr.key)) {
      write_input("wire_command", prefixed(2, fr.body));
      if (p.response == code_alone) write_input("wire_command", prefixed(1, fr.body));
      if (p.response >= 0)
        write_input(p.target, prefixed(static_cast<uint8_t>(p.response), fr.body));
    } else {
      bool versions = p.key == key::publish || p.key == key::deliver;
      int at = p.command + (versions ? fr.version - 1 : 0);
      write_input(p.target, prefixed(static_cast<uint8_t>(at), fr.body));
    }
  }
  wire::deliver deliver;
  deliver.version = fr.version;
  wire::reader r = wire::reader_of(fr.body);
  if (fr.key == wire::raw(key::deliver) && decode(r, deliver, fr.version)) {
    write_input("chunk", {deliver.chunk.begin(), deliver.chunk.end()});
  }
}

void keep_for_open_client(wire::bytes frame) {
  if (frame.size() > 1000) return;
  byte_vector input = {0, 64};
  add(input, {static_cast<int>(op::open_producer), 4, 0});
  add(input, {static_cast<int>(op::open_consumer), 4 | 8 | 64, 1, 10});
  add(input, {static_cast<int>(op::send), 0, 5, 10, 3});
  add_wait(input, 3);
  for (uint8_t peer = 0; peer < 3; peer++) add_said(input, peer, frame);
  add_wait(input, 5);
  write_input("connection", input);
}

void keep_handshake(const std::vector<byte_vector> &frames) {
  byte_vector input = {128, 64};
  add(input, {static_cast<int>(op::ask), 0});
  add_wait(input, 2);
  for (const byte_vector &frame : frames) {
    add_said(input, 0, frame);
    add_wait(input, 2);
  }
  write_input("connection", input);
}

}  // namespace rstream::fuzz
