#pragma once

#include <cstdint>
#include <string_view>

#include <rstream/rstream.h>

namespace perf {

constexpr uint32_t filter_values_most = 64;
constexpr uint32_t uris_most = 16;

// The texts between the commas of an argument.
struct value_list {
  std::string_view values[filter_values_most];
  uint32_t count = 0;
};

struct options {
  const char *uri = nullptr;     // nullptr: the library's default
  const char *tls_ca = nullptr;  // files; nullptr: the library's default, none
  const char *tls_cert = nullptr;
  const char *tls_key = nullptr;
  bool tls_insecure = false;
  bool external = false;  // log in with the certificate
  bool load_balancer = false;
  const char *stream = "rstream-perf";
  const char *super_stream = nullptr;  // instead of `stream`
  uint32_t partitions = 3;             // of it
  rstream_routing routing = RSTREAM_ROUTING_HASH;
  uint32_t producers = 1;
  uint32_t consumers = 1;
  uint32_t size = 10;           // of a body, bytes
  uint64_t messages = 1000000;  // over all producers; for each consumer; 0 with --time
  uint32_t time_s = 0;
  uint64_t rate = 0;  // messages per second over all producers; 0: as fast as it goes
  uint32_t batch_size = 0;   // messages per Publish frame; 0: the library's default
  uint32_t batch_bytes = 0;  // of a Publish frame, likewise
  uint32_t confirms = 10000;
  rstream_codec codec = RSTREAM_CODEC_RAW;
  uint32_t sub_entry = 1;  // messages per sub-entry; 1: entries of their own
  rstream_compression compression = RSTREAM_COMPRESSION_NONE;  // of sub-entries
  value_list filter_values;    // of what is published, one message after the other
  const char *name = nullptr;  // of the producers; nullptr: none
  uint32_t linger_ms = 0;
  value_list filter;  // of consumers
  // With both: which of filter_values are among `filter`. Then each message that is not
  // wanted is told from the others, else only the broker chooses.
  bool filter_exact = false;
  bool filter_wants[filter_values_most] = {};
  const char *consumer_name = nullptr;  // nullptr: none
  bool single_active = false;
  uint32_t store_every = 0;    // messages; 0: the library's default
  uint32_t consumer_rate = 0;  // messages per second of each consumer; 0: no limit
  uint16_t credits = 10;
  rstream_offset_type offset_type = RSTREAM_OFFSET_DEFAULT;
  uint64_t offset_value = 0;
  int64_t timestamp_ms = 0;
  bool chunk_callback = false;
  bool verify = false;
  uint32_t heartbeat_s = 0;  // 0: the library's default
  uint32_t stall_s = 30;     // without any movement the run ends
  bool json = false;
  bool embedded = false;  // the broker is in this process; `uri` does not count
  bool keep = false;
};

enum class parse_result { run, help, wrong };

// Complains on stderr when something is wrong. The strings are those of argv and the
// environment.
[[nodiscard]] parse_result options_parse(options &o, int argc, char **argv);

void options_help();

// Whether consumers want the message that a producer numbered so.
inline bool wants_sequence(const options &o, uint64_t sequence) {
  return !o.filter_exact || o.filter_wants[sequence % o.filter_values.count];
}

// Of one of `count` producers or consumers: `name` itself, or numbered from 1 on.
struct handle_name {
  char text[300];
};
handle_name numbered_name(const char *name, uint32_t count, uint32_t index);
// Those of a group share one.
inline uint32_t consumer_name_count(const options &o) {
  if (o.consumer_name == nullptr) return 0;
  return o.single_active ? 1 : o.consumers;
}

// What is worked with.
inline const char *stream_name(const options &o) {
  return o.super_stream != nullptr ? o.super_stream : o.stream;
}

// As the command line has them.
const char *codec_name(rstream_codec codec);
const char *routing_name(rstream_routing routing);
const char *compression_name(rstream_compression compression);

}  // namespace perf
