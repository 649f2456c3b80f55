// Decoders of wire/topology.h. The order of the list is part of the corpus.
#include "client/metadata_view.h"
#include "fuzz.h"
#include "wire/topology.h"

using namespace rstream;

// The answer as the application walks it.
static void walk_metadata(const wire::metadata_response &response) {
  memory mem{memory_functions_default()};
  rstream_metadata view;
  if (metadata_view_init(view, mem, response) < 0) return;
  for (size_t i = 0; i < view.stream_count; i++) {
    rstream_stream_info info{};
    metadata_view_stream(view, i, info);
    rstream_node node;
    for (size_t k = 0; k <= info.replica_count; k++) {
      if (metadata_view_replica(view, i, k, node) != (k < info.replica_count)) abort();
    }
  }
  metadata_view_release(view);
  if (mem.bytes_held != 0) abort();
}

static void decode_metadata(wire::bytes body) {
  wire::reader r = wire::reader_of(body);
  wire::metadata_response x;
  if (!decode(r, x)) return;
  fuzz::check_round_trip(x);
  walk_metadata(x);
}

static constexpr fuzz::decoder decoders[] = {
    decode_metadata,
    fuzz::decode_body<wire::metadata_update>,
    fuzz::decode_body<wire::route_response>,
    fuzz::decode_body<wire::partitions_response>,
    fuzz::decode_body<wire::stream_stats_response>,
    fuzz::decode_body<wire::create_stream>,
    fuzz::decode_body<wire::delete_stream>,
    fuzz::decode_body<wire::create_super_stream>,
    fuzz::decode_body<wire::delete_super_stream>,
    fuzz::decode_body<wire::metadata>,
    fuzz::decode_body<wire::route>,
    fuzz::decode_body<wire::partitions>,
    fuzz::decode_body<wire::stream_stats>,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::run_one(decoders, data, size);
  return 0;
}
