// From a chunk to what the application's callback is given for each message, with both
// codecs.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>

#include "client/consumer.h"
#include "codec/amqp_encode.h"

namespace {

using namespace rstream;

constexpr uint32_t record_count = 8000;

// Messages of nothing but a data section.
struct sample {
  size_t size;
  uint8_t *memory;

  explicit sample(size_t body_bytes)
      : size(record_count * (4 + amqp_data_header_bytes(body_bytes) + body_bytes)),
        memory(static_cast<uint8_t *>(calloc(1, size))) {
    uint8_t *p = memory;
    for (uint32_t i = 0; i < record_count; i++) {
      size_t message = amqp_data_header_bytes(body_bytes) + body_bytes;
      wire::store_u32be(p, static_cast<uint32_t>(message));
      uint8_t *body = amqp_write_data_header(p + 4, body_bytes);
      memset(body, 'x', body_bytes);
      p += 4 + message;
    }
  }
  ~sample() { free(memory); }
};

// As an application's: the compiler does not see into it.
[[gnu::noinline]] void on_message(const rstream_message_view *view) {
  benchmark::DoNotOptimize(view->body);
  benchmark::DoNotOptimize(view->body_size);
}

// Arguments: codec, body bytes.
void message_view(benchmark::State &state) {
  auto codec = static_cast<rstream_codec>(state.range(0));
  sample s(static_cast<size_t>(state.range(1)));
  chunk_header header;
  header.entry_count = record_count;
  header.record_count = record_count;
  for (auto _ : state) {
    chunk_cursor cursor = chunk_cursor_of(header, {s.memory, s.size});
    rstream_message_view view{};
    chunk_record record;
    chunk_gap gap;
    while (chunk_next(cursor, record, gap) == chunk_step::record) {
      consumer_fill_view(view, record, codec);
      on_message(&view);
    }
    if (view.status != 0) state.SkipWithError("not read");
  }
  state.SetItemsProcessed(state.iterations() * record_count);
}
BENCHMARK(message_view)
    ->ArgNames({"codec", "body"})
    ->Args({RSTREAM_CODEC_RAW, 10})
    ->Args({RSTREAM_CODEC_AMQP, 10})
    ->Args({RSTREAM_CODEC_RAW, 100})
    ->Args({RSTREAM_CODEC_AMQP, 100})
    ->Args({RSTREAM_CODEC_RAW, 1000})
    ->Args({RSTREAM_CODEC_AMQP, 1000});

}  // namespace
