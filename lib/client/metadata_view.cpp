#include "client/metadata_view.h"

#include <cstring>

namespace rstream {

namespace {

size_t text_bytes(const wire::metadata_response &response) {
  size_t bytes = 0;
  wire::seq_iter<wire::broker_ref> brokers(response.brokers);
  wire::broker_ref broker;
  while (brokers.next(broker)) bytes += broker.host.size() + 1;
  wire::seq_iter<wire::stream_info> streams(response.streams);
  wire::stream_info stream;
  while (streams.next(stream)) bytes += stream.stream.size() + 1;
  return bytes;
}

std::string_view copy_text(char *&to, std::string_view text) {
  char *start = to;
  if (!text.empty()) memcpy(start, text.data(), text.size());
  start[text.size()] = 0;
  to += text.size() + 1;
  return {start, text.size()};
}

const wire::broker_ref *find_broker(const rstream_metadata &view, uint16_t reference) {
  for (size_t i = 0; i < view.broker_count; i++) {
    if (view.brokers[i].reference == reference) return &view.brokers[i];
  }
  return nullptr;
}

}  // namespace

int metadata_view_init(rstream_metadata &view, memory &mem,
                       const wire::metadata_response &response) {
  view.mem = &mem;
  view.texts = static_cast<char *>(memory_allocate(mem, text_bytes(response)));
  view.brokers = static_cast<wire::broker_ref *>(
      memory_allocate(mem, response.brokers.size() * sizeof(wire::broker_ref)));
  view.streams = static_cast<wire::stream_info *>(
      memory_allocate(mem, response.streams.size() * sizeof(wire::stream_info)));
  if (!view.texts || !view.brokers || !view.streams) {
    metadata_view_release(view);
    return RSTREAM_ENOMEM;
  }
  char *to = view.texts;
  wire::seq_iter<wire::broker_ref> brokers(response.brokers);
  for (wire::broker_ref b; brokers.next(b); view.broker_count++) {
    b.host = copy_text(to, b.host);
    view.brokers[view.broker_count] = b;
  }
  wire::seq_iter<wire::stream_info> streams(response.streams);
  for (wire::stream_info s; streams.next(s); view.stream_count++) {
    s.stream = copy_text(to, s.stream);
    view.streams[view.stream_count] = s;
  }
  return 0;
}

void metadata_view_release(rstream_metadata &view) {
  memory_release(*view.mem, view.texts);
  memory_release(*view.mem, view.brokers);
  memory_release(*view.mem, view.streams);
  view = rstream_metadata();
}

void metadata_view_stream(const rstream_metadata &view, size_t index,
                          rstream_stream_info &info) {
  const wire::stream_info &s = view.streams[index];
  info.stream = s.stream.data();
  info.status = wire::is_ok(s.code) ? 0 : RSTREAM_EBROKER_BASE - s.code;
  const wire::broker_ref *leader = find_broker(view, s.leader);
  info.has_leader = leader ? 1 : 0;
  info.leader = {leader ? leader->host.data() : "", leader ? leader->port : 0};
  info.replica_count = metadata_view_replicas(view, index);
}

size_t metadata_view_replicas(const rstream_metadata &view, size_t index) {
  size_t n = 0;
  wire::seq_iter<uint16_t> it(view.streams[index].replicas);
  for (uint16_t reference; it.next(reference);) {
    if (find_broker(view, reference)) n++;
  }
  return n;
}

bool metadata_view_replica(const rstream_metadata &view, size_t index, size_t replica,
                           rstream_node &node) {
  wire::seq_iter<uint16_t> it(view.streams[index].replicas);
  for (uint16_t reference; it.next(reference);) {
    const wire::broker_ref *broker = find_broker(view, reference);
    if (!broker || replica-- > 0) continue;
    node = {broker->host.data(), broker->port};
    return true;
  }
  return false;
}

}  // namespace rstream
