#pragma once

// The answer to Metadata as the application sees it: NUL-terminated names, access by
// index.

#include "rstream/stream.h"
#include "util/memory.h"
#include "wire/topology.h"

struct rstream_metadata {
  rstream::memory *mem = nullptr;
  rstream::wire::broker_ref *brokers = nullptr;  // hosts point into `texts`
  size_t broker_count = 0;
  rstream::wire::stream_info *streams = nullptr;  // names point into `texts`
  size_t stream_count = 0;
  char *texts = nullptr;
};

namespace rstream {

// Copies names only; lists of replicas are borrowed from the response. RSTREAM_ENOMEM.
[[nodiscard]] int metadata_view_init(rstream_metadata &view, memory &mem,
                                     const wire::metadata_response &response);
void metadata_view_release(rstream_metadata &view);

void metadata_view_stream(const rstream_metadata &view, size_t index,
                          rstream_stream_info &info);
// Replicas the answer names but does not list are left out.
size_t metadata_view_replicas(const rstream_metadata &view, size_t index);
[[nodiscard]] bool metadata_view_replica(const rstream_metadata &view, size_t index,
                                         size_t replica, rstream_node &node);

}  // namespace rstream
