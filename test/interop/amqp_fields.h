#pragma once

// Lines of a manifest as AMQP 1.0 messages, and back.

#include <rstream/rstream.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "manifest.h"

namespace interop {

// What a line asks for, with the memory that its values borrow. Stays where it is.
struct message_parts {
  message_parts() = default;
  message_parts(const message_parts &) = delete;
  message_parts &operator=(const message_parts &) = delete;

  std::string body;
  rstream_amqp_sections sections;
  rstream_amqp_header header;
  rstream_amqp_properties properties;
  std::vector<rstream_amqp_pair> delivery_annotations;
  std::vector<rstream_amqp_pair> annotations;
  std::vector<rstream_amqp_pair> application;
  std::vector<rstream_amqp_pair> footer;
  std::vector<rstream_amqp_value> body_values;
  std::deque<std::string> texts;
  std::deque<std::vector<rstream_amqp_value>> items;
};

// Fills the body and the sections.
void fill_parts(message_parts *parts, const manifest_line &line);

// TYPE:VALUE
std::string format_value(const rstream_amqp_value &value);

// The fields of a message, as they stand in a line. Reads it both ways, by a walk and by
// looking for each part alone, and fails when they differ.
std::string format_message(const void *encoded, size_t size);

}  // namespace interop
