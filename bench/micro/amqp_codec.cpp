// AMQP 1.0, without the network: what a message costs to write and to read, beside a raw
// one.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>

#include "codec/amqp_decode.h"
#include "codec/amqp_encode.h"
#include "codec/chunk.h"
#include "wire/publish.h"

namespace {

using namespace rstream;

constexpr uint32_t slab_bytes = 1 << 20;
constexpr uint32_t messages = 100;

struct memory {
  uint8_t *data = static_cast<uint8_t *>(calloc(1, slab_bytes));
  ~memory() { free(data); }
};

// Properties and application properties as a busy application would send them.
struct sections {
  rstream_amqp_properties properties{};
  rstream_amqp_pair pairs[3]{};
  rstream_amqp_sections all{};
  sections() {
    properties.struct_size = sizeof properties;
    properties.message_id = rstream_amqp_ulong(4711);
    properties.subject = rstream_amqp_string("orders.created");
    properties.content_type = rstream_amqp_symbol("application/json");
    properties.creation_time = rstream_amqp_timestamp(1700000000000);
    pairs[0] = {rstream_amqp_string("tenant"), rstream_amqp_string("acme")};
    pairs[1] = {rstream_amqp_string("attempt"), rstream_amqp_int(1)};
    pairs[2] = {rstream_amqp_string("region"), rstream_amqp_string("eu-west")};
    all.struct_size = sizeof all;
    all.properties = &properties;
    all.application_properties = pairs;
    all.application_property_count = 3;
  }
};

enum class form { raw, body_only, full };

uint8_t *put(uint8_t *at, uint64_t id, form f, const sections &s, wire::bytes body) {
  size_t size = body.size();
  if (f == form::raw) {
    at = wire::write_entry_header(at, id, static_cast<uint32_t>(size));
  } else if (f == form::body_only) {
    size += amqp_data_header_bytes(body.size());
    at = wire::write_entry_header(at, id, static_cast<uint32_t>(size));
    at = amqp_write_data_header(at, body.size());
  } else {
    wire::writer w = wire::writer_of({at + wire::publish_entry_overhead, slab_bytes});
    const char *why;
    if (amqp_check(s.all, &why) < 0) abort();
    amqp_encode(w, s.all, body);
    wire::write_entry_header(at, id, static_cast<uint32_t>(w.written));
    return w.p;
  }
  memcpy(at, body.data(), body.size());
  return at + body.size();
}

// Entries of a frame, 100 messages in turn. Arguments: body bytes, form.
void amqp_encode_entries(benchmark::State &state) {
  memory frame;
  memory body;
  sections s;
  wire::bytes bytes(body.data, static_cast<size_t>(state.range(0)));
  form f = static_cast<form>(state.range(1));
  uint64_t id = 0;
  for (auto _ : state) {
    uint8_t *at = frame.data;
    for (uint32_t i = 0; i < messages; i++) {
      at = put(at, id++, f, s, bytes);
      benchmark::ClobberMemory();
    }
    benchmark::DoNotOptimize(at);
  }
  state.SetItemsProcessed(state.iterations() * messages);
}
BENCHMARK(amqp_encode_entries)
    ->ArgNames({"body", "form"})
    ->ArgsProduct({{10, 100, 1000}, {0, 1, 2}});

// Records of a chunk, 100 in turn.
uint32_t make_records(uint8_t *to, form f, wire::bytes body) {
  sections s;
  uint8_t *p = to;
  for (uint32_t i = 0; i < messages; i++) {
    uint8_t entry[4096];
    uint8_t *end = put(entry, 0, f, s, body);
    uint8_t *content = entry + wire::publish_entry_overhead;
    uint32_t size = static_cast<uint32_t>(end - content);
    wire::store_u32be(p, size);
    memcpy(p + 4, content, size);
    p += 4 + size;
  }
  return static_cast<uint32_t>(p - to);
}

// What a consumer does with each: its body. Arguments: body bytes, form; raw ones are not
// looked into.
void amqp_decode_bodies(benchmark::State &state) {
  memory chunk;
  memory body;
  form f = static_cast<form>(state.range(1));
  uint32_t size =
      make_records(chunk.data, f, {body.data, static_cast<size_t>(state.range(0))});
  chunk_header header;
  header.entry_count = messages;
  header.record_count = messages;
  for (auto _ : state) {
    chunk_cursor cursor = chunk_cursor_of(header, {chunk.data, size});
    chunk_record record;
    chunk_gap gap;
    while (chunk_next(cursor, record, gap) == chunk_step::record) {
      amqp_body b{{record.data, record.size}};
      if (f != form::raw) b = amqp_body_of({record.data, record.size});
      benchmark::DoNotOptimize(b);
    }
  }
  state.SetItemsProcessed(state.iterations() * messages);
}
BENCHMARK(amqp_decode_bodies)
    ->ArgNames({"body", "form"})
    ->ArgsProduct({{10, 100, 1000}, {0, 1, 2}});

// One thing out of a message that has much: 0 a property, 1 the first application
// property, 2 everything.
void amqp_look_up(benchmark::State &state) {
  memory frame;
  sections s;
  uint8_t *end = put(frame.data, 0, form::full, s, {frame.data + 8192, 100});
  const uint8_t *message = frame.data + wire::publish_entry_overhead;
  size_t size = static_cast<size_t>(end - message);
  for (auto _ : state) {
    rstream_amqp_value v{};
    int rc = 1;
    if (state.range(0) == 0) {
      rc = rstream_amqp_find_property(message, size, RSTREAM_AMQP_SUBJECT, &v);
    } else if (state.range(0) == 1) {
      rc = rstream_amqp_find_application_property(message, size, "tenant", &v);
    } else if (rstream_amqp_validate(message, size) < 0) {
      rc = 0;
    }
    if (rc != 1) state.SkipWithError("not found");
    benchmark::DoNotOptimize(v);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(amqp_look_up)->Arg(0)->Arg(1)->Arg(2);

}  // namespace
